"""A small animated picture that loops: the objects tinted over the frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from camn import masks
from camn.files import ClosedAtEnd
from camn.media.movie import Encoding, Movie, widened
from camn.media.overlay import draw_overlay
from camn.media.source import Frame

LONGEST = 480  # pixels of the longer side
FASTEST = 12  # frames per second
ENCODINGS = {
    "gif": Encoding("gif", "gif", "pal8", container_options={"loop": "0"}),
    "webp": Encoding("webp", "libwebp_anim", "bgra", {"quality": "75"}, {"loop": "0"}),
}


class PreviewWriter(ClosedAtEnd):
    """One animated GIF or WebP, square pixels, at most LONGEST at its longer side, of at most FASTEST frames a second.

    kind: of ENCODINGS. size: (H, W). fps, tick: as for OverlayWriter, of the frames that come; of fast ones some are
    left out. aspect: width by height of a pixel. opacity, palette: as for `draw_overlay`. See Movie for errors.
    """

    def __init__(
        self,
        path: str | Path,
        kind: str,
        size: tuple[int, int],
        fps: Fraction | int = 24,
        tick: Fraction | None = None,
        aspect: Fraction = Fraction(1),
        opacity: float = 0.5,
        palette: np.ndarray = masks.PALETTE,
    ):
        height, width = widened(size, aspect)
        scale = min(1.0, LONGEST / max(height, width))
        self.size = max(1, round(height * scale)), max(1, round(width * scale))
        self.opacity, self.palette = opacity, palette
        self._fps, self._tick = Fraction(fps), tick or Fraction(0)
        rate = min(self._fps, Fraction(FASTEST))
        self._seen, self._due, self._step = 0, Fraction(0), 1 / rate
        self.movie = Movie(path, ENCODINGS[kind], self.size, rate, tick, from_start=True)

    def write(self, frame: Frame, ids: np.ndarray) -> None:
        """ids (H, W) uint8. Raises OutputError."""
        time = self._seen / self._fps if frame.time is None else frame.time
        if not self._seen:
            self._due = time
        self._seen += 1
        if time < self._due - self._tick:
            return
        self._due = max(self._due + self._step, time)
        size = self.size[::-1]
        image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
        small = cv2.resize(ids, size, interpolation=cv2.INTER_NEAREST_EXACT)
        self.movie.write(draw_overlay(image, small, self.opacity, self.palette), time, self._step)

    def close(self) -> None:
        self.movie.close()
