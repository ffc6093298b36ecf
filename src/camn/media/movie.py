"""One video file, written frame by frame under a temporary name and renamed when it is complete."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image

from camn.errors import OutputError, VideoError
from camn.files import ClosedAtEnd, output_error, temporary
from camn.media.container import reason
from camn.media.outputs import prepare_output
from camn.media.sound import Sound, Track

if TYPE_CHECKING:
    import av

_BT709, _LIMITED = 1, 1  # colour tags that every player takes for HD video
_FRAME_DURATION = 1 << 8  # AV_CODEC_FLAG_FRAME_DURATION: frames say how long they are shown
_LONGEST = 2**31 - 1  # units of time that mp4 can say of a frame
_ASPECT = 65_535  # the most that H.264 can say


@dataclass(frozen=True)
class Encoding:
    """How to encode: container format, encoder, pixel format, and their options. square: whether pixels of another
    shape cannot be told, so that pictures are widened instead."""

    container: str
    codec: str
    pixels: str
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    square: bool = False


class Movie(ClosedAtEnd):
    """Writes frames at given times to one file.

    size: (H, W). fps: nominal rate; frames without a time are placed at index / fps. tick: the source's time unit;
    times within one tick of index / fps count as rounded, so that a constant rate stays exactly constant. aspect: width
    by height of a pixel. sound: goes along, as far as the pictures go; where that cannot be, `notice` is told so.
    from_start: whether the first frame is at 0, whatever its time, and all behind it and the sound so much earlier.
    Until `close`, only a hidden temporary file exists. When the work breaks off, `close` (or leaving the `with` block)
    still ends the file properly, so that the frames written so far can be played; without any frame there is no file.
    Raises OutputError when the encoder is missing or the file cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        encoding: Encoding,
        size: tuple[int, int],
        fps: Fraction | int = 24,
        tick: Fraction | None = None,
        aspect: Fraction = Fraction(1),
        sound: Sound | None = None,
        from_start: bool = False,
        notice: Callable[[str], object] = lambda note: None,
    ):
        try:
            import av.codec
            from av.error import FFmpegError
        except ImportError as error:
            raise OutputError(f"{path}: writing videos needs PyAV; pip install av") from error
        self.path, self.size, self.encoding = Path(path), size, encoding
        self.fps, self.tick, self.aspect = Fraction(fps), tick or Fraction(0), aspect
        self.frames, self._last, self._open, self._failed = 0, -1, True, False
        self._base = time_base(self.fps)
        self._shown = widened(size, aspect) if encoding.square else size
        self._errors = (FFmpegError, OSError, ValueError, OverflowError)
        self._track: Track | None = None
        self._notice, self._first, self._end = notice, Fraction(0), Fraction(0)
        self._from_start, self._zero = from_start, Fraction(0)
        prepare_output(self.path.parent)
        self._part = temporary(self.path)
        try:
            av.codec.Codec(encoding.codec, "w")
        except ValueError as error:
            raise OutputError(
                f"{path}: this PyAV has no encoder {encoding.codec}; pip install av from PyPI, or leave this output out"
            ) from error
        try:
            if sound is None or not self._begin_with(sound):
                self._begin()
        except self._errors as error:
            raise output_error(path, error) from error

    def _begin(self) -> None:
        import av

        options = self.encoding.container_options
        self._container = av.open(f"file:{self._part}", "w", format=self.encoding.container, options=options)
        self._stream = self._add_stream()

    def _begin_with(self, sound: Sound) -> bool:
        """Whether the sound can go along; known for sure only when the file's head is written."""
        self._begin()
        try:
            self._track = Track(sound, self._container)
            self._container.start_encoding()
        except (*self._errors, VideoError) as error:
            self._silence(sound, error)
            with suppress(*self._errors):
                self._container.close()
        return self._track is not None

    def _silence(self, sound: Sound, error: BaseException) -> None:
        self._end_sound()
        after = f" after {float(self._end):.1f} s" if self.frames else ""
        why = f"{sound.codec} cannot be copied into {self.encoding.container}" if not after else reason(error)
        self._notice(f"{self.path.name}: without the video's sound{after} ({why})")

    def _end_sound(self) -> None:
        track, self._track = self._track, None
        if track is not None:
            track.close()

    def _add_sound(self, until: Fraction) -> None:
        """What is heard before then. Its errors leave the pictures as they are."""
        if self._track is None:
            return
        try:
            for packet in self._track.between(self._first, until):
                self._container.mux(packet)
        except (*self._errors, VideoError) as error:
            self._silence(self._track.sound, error)

    def _add_stream(self) -> av.VideoStream:
        added = self._container.add_stream(self.encoding.codec, rate=self.fps, options=dict(self.encoding.options))
        stream = cast("av.VideoStream", added)
        stream.height, stream.width = self._shown
        stream.pix_fmt = self.encoding.pixels
        stream.time_base = stream.codec_context.time_base = self._base
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        context.flags |= _FRAME_DURATION
        if not self.encoding.square and self.aspect != 1:
            context.sample_aspect_ratio = self.aspect.limit_denominator(_ASPECT)
        return stream

    def write(self, image: np.ndarray, time: Fraction | None = None, duration: Fraction | None = None) -> None:
        """image (H, W, 3) RGB or (H, W, 4) RGBA with straight alpha, uint8. time: seconds from the start. duration: for
        which it is shown, which counts for the last one alone."""

        if image.shape[:2] != self.size:
            raise OutputError(f"{self.path}: a frame of size {image.shape[:2]} in a video of size {self.size}")
        frame = self._encodable(image)
        if not self.frames and self._from_start and time:
            self._zero = time
            if self._track:
                self._track.begin(time)
        even = self.frames / self.fps
        time = even if time is None else time - self._zero
        if abs(time - even) <= self.tick:
            time = even
        self._last = max(round(time / self._base), self._last + 1)
        frame.pts, frame.time_base = self._last, self._base
        if duration is None or abs(duration - 1 / self.fps) <= self.tick:
            duration = 1 / self.fps
        frame.duration = min(max(1, round(duration / self._base)), _LONGEST)
        if not self.frames:
            self._first = time
        self._end = self._last * self._base + duration
        self._add_sound(time)
        try:
            self._container.mux(self._stream.encode(frame))
        except self._errors as error:
            self._failed = True
            raise output_error(self.path, error) from error
        self.frames += 1

    def _encodable(self, image: np.ndarray) -> av.VideoFrame:
        import av

        if self.encoding.pixels == "pal8":  # FFmpeg would need a pass of its own to choose the colours
            return av.VideoFrame.from_ndarray(paletted(image), "pal8")  # pyright: ignore[reportArgumentType]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgba" if image.shape[2] == 4 else "rgb24")
        height, width = self._shown
        return frame.reformat(width, height, self.encoding.pixels, dst_colorspace="ITU709", dst_color_range="MPEG")

    def close(self) -> None:
        """Ends the file and gives it its name. Raises OutputError if it cannot be ended; then no file is left."""
        if not self._open:
            return
        self._open = False
        try:
            if self.frames:
                self._container.mux(self._stream.encode(None))
                self._add_sound(self._end)
            self._container.close()
            if self.frames and (not self._failed or self._playable()):
                os.replace(self._part, self.path)
        except self._errors as error:
            with suppress(*self._errors):
                self._container.close()
            if not self._failed:
                raise output_error(self.path, error) from error
        finally:
            self._end_sound()
            with suppress(OSError):
                self._part.unlink(missing_ok=True)

    def _playable(self) -> bool:
        import av

        with suppress(*self._errors), av.open(f"file:{self._part}") as container:
            return next(container.decode(video=0), None) is not None
        return False


def paletted(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """image (H, W, 3) uint8 RGB -> indices (H, W) and palette (256, 4) ARGB, of its own 256 colours at most."""
    few = Image.fromarray(image).quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG)
    colours = np.array(few.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette = np.zeros((256, 4), np.uint8)
    palette[:, 0], palette[: len(colours), 1:] = 255, colours
    return np.asarray(few), palette


def widened(size: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """(H, W) with square pixels, of the same shape, of as many pixels at least."""
    height, width = size
    return (height, round(width * aspect)) if aspect >= 1 else (round(height / aspect), width)


def time_base(fps: Fraction) -> Fraction:
    """A unit of time, 1/90000 s or a little finer, of which a frame at `fps` takes a whole number.

    Rates of absurd fractions, which mp4 could not store so, get 1/90000 s.
    """
    if fps.numerator > 10_000_000:
        return Fraction(1, 90_000)
    return Fraction(1, fps.numerator * math.ceil(90_000 / fps.numerator))
