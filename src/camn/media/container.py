"""Video files opened through PyAV, which is imported only then: what is taken, and its errors told as ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camn.errors import CamnError, VideoError, words_of
from camn.media.source import check_pixels
from camn.media.strangers import INTACT, foreign, told_apart

if TYPE_CHECKING:
    import av
    import av.container

# Formats of FFmpeg that name further files or addresses, are devices, or make pictures of text.
_NOT_VIDEO = {
    "concat", "hls", "dash", "imf", "webm_dash_manifest", "vobsub", "image2", "image2pipe", "sdp", "rtp", "rtsp", "sap",
    "lavfi", "alsa", "oss", "fbdev", "kmsgrab", "video4linux2", "v4l2", "x11grab",
    "tty", "ansi", "bin", "idf", "adf", "xbin", "ffmetadata", "data", "rawvideo",
}  # fmt: skip


@cache
def _formats() -> str:
    """Those that may be opened, by name."""
    import av

    return ",".join(sorted({name for one in av.formats_available for name in one.split(",")} - _NOT_VIDEO))


@contextmanager
def library_errors(path: Path) -> Iterator[None]:
    """Turns whatever PyAV raises within into a VideoError: a file may surprise it anywhere, in tags as in pictures."""
    try:
        yield
    except (CamnError, MemoryError):
        raise
    except Exception as error:
        raise VideoError(
            f"{path}: cannot be read on ({reason(error)}); convert it, for example by ffmpeg -i {path.name} fresh.mp4"
        ) from error


@contextmanager
def opened(path: Path, max_pixels: int | None = None) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The file and its video, not decoded yet. max_pixels: of a frame. Raises VideoError."""
    container = _open(path)
    with library_errors(path), container:
        stream = taken(container, path, max_pixels)
        try:
            yield container, stream
        finally:
            # Its threads come to rest without the interpreter's lock. Closed while they work, PyAV waits for them with
            # it, for ever if one of them has something to log.
            stream.codec_context.flush_buffers()


def _open(path: Path) -> av.container.InputContainer:
    need_library(path)
    from av.error import FFmpegError

    if (what := foreign(path)) is not None:
        raise VideoError(f"{path}: {what}; {INTACT}")
    try:
        # "file:", since a bare "a:b.mp4" would be taken for a protocol
        return open_input(f"file:{path}", "file")
    except MemoryError:
        raise
    except Exception as error:  # mostly FFmpegError
        known = told_apart(path) if isinstance(error, (FFmpegError, OSError, ValueError)) else None
        why = known or f"not a video, or truncated before its index ({reason(error)})"
        raise VideoError(f"{path}: {why}; {INTACT}") from error


def need_library(place: Path | str) -> None:
    """Raises VideoError where PyAV is missing."""
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise VideoError(f"{place}: reading videos needs PyAV; pip install av, or give a folder of images") from error


def open_input(
    file: Any, protocols: str, formats: str | None = None, options: Mapping[str, str] | None = None, **more: Any
) -> av.container.InputContainer:
    """file: a name, or what has `read`. protocols: of FFmpeg, that may be used; none but these, so that no list reaches
    beyond the file. formats: those that are taken; if not given, all that are a video by themselves. options: further
    ones of FFmpeg. more: arguments of `av.open`. Raises anything."""
    import av

    limits = {"protocol_whitelist": protocols, "format_whitelist": formats or _formats()}
    return av.open(file, options={**limits, **(options or {})}, metadata_errors="replace", **more)


def taken(container: av.container.InputContainer, place: Path | str, max_pixels: int | None = None) -> av.VideoStream:
    """Its video that is read, see `chosen`. max_pixels: of a frame. Raises VideoError."""
    streams = videos(container)
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        has = {"audio": "holds sound, but no video", "subtitle": "holds subtitles, but no video"}
        what = next((has[kind] for kind in has if kind in kinds), "holds no video")
        raise VideoError(f"{place}: {what}; {INTACT}")
    stream = chosen(streams)
    if stream.codec_context is None:
        raise VideoError(f"{place}: PyAV has no decoder for its video; convert it to H.264")
    if max_pixels is not None:
        check_pixels(place, (stream.codec_context.height, stream.codec_context.width), max_pixels)
        # Where the pictures themselves are larger than that; twice, since decoders round sizes up.
        stream.codec_context.options = {"max_pixels": str(2 * max_pixels)}
    return stream


def videos(container: av.container.InputContainer) -> list[av.VideoStream]:
    """Its video streams; a song's cover is none."""
    from av.stream import Disposition

    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def chosen(streams: Sequence[av.VideoStream]) -> av.VideoStream:
    """Of several the one that the file marks as the default; where it marks none, or many, the largest of these, and of
    equal ones the first."""
    from av.stream import Disposition

    marked = [stream for stream in streams if stream.disposition & Disposition.default] or streams
    return max(marked, key=lambda stream: getattr(stream, "width", 0) * getattr(stream, "height", 0))


def reason(error: BaseException) -> str:
    if type(error).__name__ == "ExitError":  # PyAV's, when its time limit is over
        return "nothing more came"
    return words_of(error)
