"""One video file, written frame by frame under a temporary name and renamed when it is complete."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from camn.errors import OutputError
from camn.files import close_after, output_error, temporary
from camn.media.outputs import prepare_output

if TYPE_CHECKING:
    import av

_BT709, _LIMITED = 1, 1  # colour tags that every player takes for HD video


@dataclass(frozen=True)
class Encoding:
    """How to encode: container format, encoder, pixel format, and their options."""

    container: str
    codec: str
    pixels: str
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)


class Movie:
    """Writes frames at given times to one file.

    size: (H, W). fps: nominal rate; frames without a time are placed at index / fps. tick: the source's time unit;
    times within one tick of index / fps count as rounded, so that a constant rate stays exactly constant.
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
    ):
        try:
            import av
            import av.codec
            from av.error import FFmpegError
        except ImportError as error:
            raise OutputError(f"{path}: writing videos needs PyAV; pip install av") from error
        self.path, self.size, self.encoding = Path(path), size, encoding
        self.fps, self.tick = Fraction(fps), tick or Fraction(0)
        self.frames, self._last, self._open, self._failed = 0, -1, True, False
        self._base = time_base(self.fps)
        self._errors = (FFmpegError, OSError, ValueError)
        prepare_output(self.path.parent)
        self._part = temporary(self.path)
        try:
            av.codec.Codec(encoding.codec, "w")
        except ValueError as error:
            raise OutputError(
                f"{path}: this PyAV has no encoder {encoding.codec}; pip install av from PyPI, or leave this output out"
            ) from error
        try:
            self._container = av.open(
                f"file:{self._part}", "w", format=encoding.container, options=encoding.container_options
            )
            self._stream = self._add_stream()
        except self._errors as error:
            raise output_error(path, error) from error

    def _add_stream(self) -> av.VideoStream:
        added = self._container.add_stream(self.encoding.codec, rate=self.fps, options=dict(self.encoding.options))
        stream = cast("av.VideoStream", added)
        stream.height, stream.width = self.size
        stream.pix_fmt = self.encoding.pixels
        stream.time_base = stream.codec_context.time_base = self._base
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        return stream

    def write(self, image: np.ndarray, time: Fraction | None = None) -> None:
        """image (H, W, 3) RGB or (H, W, 4) RGBA with straight alpha, uint8. time: seconds from the start."""
        import av

        if image.shape[:2] != self.size:
            raise OutputError(f"{self.path}: a frame of size {image.shape[:2]} in a video of size {self.size}")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgba" if image.shape[2] == 4 else "rgb24")
        frame = frame.reformat(format=self.encoding.pixels, dst_colorspace="ITU709", dst_color_range="MPEG")
        even = self.frames / self.fps
        if time is None or abs(time - even) <= self.tick:
            time = even
        self._last = max(round(time / self._base), self._last + 1)
        frame.pts, frame.time_base = self._last, self._base
        frame.duration = round(1 / self.fps / self._base)
        try:
            self._container.mux(self._stream.encode(frame))
        except self._errors as error:
            self._failed = True
            raise output_error(self.path, error) from error
        self.frames += 1

    def close(self) -> None:
        """Ends the file and gives it its name. Raises OutputError if it cannot be ended; then no file is left."""
        if not self._open:
            return
        self._open = False
        try:
            if self.frames:
                self._container.mux(self._stream.encode(None))
            self._container.close()
            if self.frames and (not self._failed or self._playable()):
                os.replace(self._part, self.path)
        except self._errors as error:
            with suppress(*self._errors):
                self._container.close()
            if not self._failed:
                raise output_error(self.path, error) from error
        finally:
            with suppress(OSError):
                self._part.unlink(missing_ok=True)

    def _playable(self) -> bool:
        import av

        with suppress(*self._errors), av.open(f"file:{self._part}") as container:
            return next(container.decode(video=0), None) is not None
        return False

    def __enter__(self) -> Movie:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        close_after(self.close, kind)


def time_base(fps: Fraction) -> Fraction:
    """A unit of time, 1/90000 s or a little finer, of which a frame at `fps` takes a whole number.

    Rates of absurd fractions, which mp4 could not store so, get 1/90000 s.
    """
    if fps.numerator > 10_000_000:
        return Fraction(1, 90_000)
    return Fraction(1, fps.numerator * math.ceil(90_000 / fps.numerator))
