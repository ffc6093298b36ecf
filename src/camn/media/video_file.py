"""Video files as frame sources, through PyAV (imported only when a file is opened)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from camn.errors import VideoError
from camn.media.length import Clock, Stated, cut_off, stated_length
from camn.media.source import Frame, FrameSource, check_pixels

if TYPE_CHECKING:
    import av
    import av.container

_NOT_VIDEO = frozenset({"tty", "hls", "dash", "concat"})  # text as pictures; lists of other files
_INTACT = "give an intact video file (mp4, mov, mkv, webm, avi, gif, ...) or a folder of images"


class Orientation(NamedTuple):
    """How stored pixels become upright: transposed first, then flipped."""

    transpose: bool = False
    flip_vertical: bool = False
    flip_horizontal: bool = False

    @classmethod
    def from_matrix(cls, matrix: bytes) -> Orientation:
        """From a display matrix, nine int32, rows (a b u) (c d v) (x y w): x' = a x + c y, y' = b x + d y.

        An angle that is no multiple of 90 degrees goes to the nearest one.
        """
        a, b, _, c, d = (int(v) for v in np.frombuffer(matrix, np.int32)[:5])
        if abs(b) > abs(a):
            return cls(True, b < 0, c < 0)
        return cls(False, d < 0, a < 0)

    @classmethod
    def from_degrees(cls, clockwise: int) -> Orientation:
        """From the clockwise turn that older files keep in a `rotate` tag."""
        turns = round(clockwise / 90) % 4
        return (cls(), cls(True, False, True), cls(False, True, True), cls(True, True, False))[turns]

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Stored (h, w, 3) -> upright (H, W, 3), contiguous."""
        image = image.swapaxes(0, 1) if self.transpose else image
        rows, columns = (slice(None, None, -1 if flip else 1) for flip in self[1:])
        return np.ascontiguousarray(image[rows, columns])


@dataclass(frozen=True)
class VideoSource(FrameSource):
    """A video file as frames, named by six-digit numbers; see FrameSource.

    stored: (h, w) of the coded picture, before `orientation` turns it upright. max_pixels: see `open_source`.
    """

    path: Path
    size: tuple[int, int]
    stored: tuple[int, int]
    orientation: Orientation
    fps: Fraction | None
    time_base: Fraction | None
    stated: Stated
    kind: str = "video"
    names: tuple[str, ...] | None = None
    warnings: list[str] = field(default_factory=list)
    max_pixels: int | None = None

    @classmethod
    def open(cls, path: Path, max_pixels: int | None = None) -> VideoSource:
        """Decodes the first frame, so that a file without one is refused here, as VideoError."""
        with _open(path) as container:
            stream = _video_stream(container, path, max_pixels)
            troubles: list[str] = []
            first = next(_decode(container, stream, troubles), None)
            if first is None:
                reason = f" ({troubles[0]})" if troubles else ""
                raise VideoError(f"{path}: no frame could be decoded{reason}; {_INTACT}")
            turn = _orientation(first, stream)
            height, width = first.height, first.width
            fps = stream.average_rate or stream.guessed_rate
            return cls(
                path=path,
                size=(width, height) if turn.transpose else (height, width),
                stored=(height, width),
                orientation=turn,
                fps=Fraction(fps) if fps else None,
                time_base=stream.time_base,
                stated=stated_length(container, stream),
                max_pixels=max_pixels,
            )

    @property
    def count(self) -> int | None:
        if self.stated.frames is not None or self.stated.end is None or self.fps is None:
            return self.stated.frames
        return max(1, round(self.stated.end * self.fps))

    def __iter__(self) -> Iterator[Frame]:
        self.warnings.clear()
        troubles: list[str] = []
        with _open(self.path) as container:
            stream = _video_stream(container, self.path, self.max_pixels)
            clock = Clock(container, self.fps)
            height, width = self.stored
            for index, decoded in enumerate(_decode(container, stream, troubles)):
                # the first frame's size for all, should a stream change it midway
                rgb = decoded.reformat(width, height, "rgb24").to_ndarray()
                yield Frame(index, f"{index:06d}", self.orientation.apply(rgb), clock.time(decoded))
        if not clock.frames:
            raise VideoError(f"{self.path}: no frame could be decoded any more; {_INTACT}")
        self.warnings.extend(self._early_end(clock, troubles))

    def _early_end(self, clock: Clock, troubles: list[str]) -> Iterator[str]:
        """The warning, if the video broke off."""
        short = clock.short_of(self.stated)
        reason = troubles[0] if troubles else cut_off(self.path)
        if short or reason:
            about = "" if self.stated.frames is not None else "about "
            total = f" of {about}{self.count}" if short else ""
            yield (
                f"{self.path}: the video ends early: {clock.frames}{total} frames could be read"
                f"{f' ({reason})' if reason else ''}; only these have results. "
                "The file is probably truncated: copy or export it again for the rest"
            )


def _open(path: Path) -> av.container.InputContainer:
    try:
        import av
        from av.error import FFmpegError
    except ImportError as error:
        raise VideoError(f"{path}: reading videos needs PyAV; pip install av, or give a folder of images") from error
    if not path.is_file():
        raise VideoError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: the file is empty; {_INTACT}")
    try:
        # "file:", since a bare "a:b.mp4" would be taken for a protocol; and no list may reach beyond the disk
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except PermissionError as error:
        raise VideoError(f"{path}: not allowed to read it; change its permissions") from error
    except (FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path}: not a video, or truncated before its index ({_reason(error)}); {_INTACT}") from error
    if container.format.name in _NOT_VIDEO:
        container.close()
        raise VideoError(f"{path}: a {container.format.long_name} file, not a video; {_INTACT}")
    return container


def _video_stream(container: av.container.InputContainer, path: Path, max_pixels: int | None) -> av.VideoStream:
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:  # a song's cover is no video
            if stream.codec_context is None:
                raise VideoError(f"{path}: PyAV has no decoder for its video; convert it to H.264")
            if max_pixels is not None:
                check_pixels(path, (stream.codec_context.height, stream.codec_context.width), max_pixels)
                # Where the pictures themselves are larger than that; twice, since decoders round sizes up.
                stream.codec_context.options = {"max_pixels": str(2 * max_pixels)}
            stream.thread_type = "AUTO"
            return stream
    raise VideoError(f"{path}: holds no video; {_INTACT}")


def _decode(container: av.container.InputContainer, stream: av.VideoStream, troubles: list[str]) -> Iterator:
    """Decoded frames in order of presentation up to the end or the first broken one, whose error goes to `troubles`."""
    from av.error import FFmpegError

    whole = container.format.name != "mpegts"  # received packets may be damaged anywhere; elsewhere it means a cut
    awaited: list[int] = []  # heap of the times of packets sent and not yet seen as frames
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt and whole:  # not decoded: its error could cost frames that are still in flight
                troubles.append("the last frame's data is cut off")
                continue
            if packet.pts is not None:
                heapq.heappush(awaited, packet.pts)
            for frame in packet.decode():
                _pop_until(awaited, frame.pts)
                yield frame
    except (FFmpegError, OSError) as error:
        troubles.append(_reason(error))
        yield from _in_flight(stream, awaited)


def _in_flight(stream: av.VideoStream, awaited: list[int]) -> Iterator:
    """After an error: the frames that the decoder still holds, up to the broken one."""
    from av.error import FFmpegError

    try:
        for frame in stream.codec_context.decode(None):
            if awaited and frame.pts is not None and frame.pts > awaited[0]:
                return  # the one awaited is the broken one; those behind it would get wrong numbers
            _pop_until(awaited, frame.pts)
            yield frame
    except (FFmpegError, OSError):
        return


def _pop_until(heap: list[int], last: int | None) -> None:
    while heap and last is not None and heap[0] <= last:
        heapq.heappop(heap)


def _orientation(frame: av.VideoFrame, stream: av.VideoStream) -> Orientation:
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is not None:
        return Orientation.from_matrix(bytes(matrix))
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    try:
        return Orientation.from_degrees(int(float(tags.get("rotate", 0))))
    except ValueError:
        return Orientation()


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
