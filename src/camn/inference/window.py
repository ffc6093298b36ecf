"""A square window of a frame: what lies in it enlarged for a network, and what was found there brought back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

MARGIN = 0.15  # of the side, in which the weight of what is pasted falls to zero


@dataclass(frozen=True)
class Window:
    """`side` x `side` pixels from (top, left) of a grid of `size` (h, w) pixels that covers the whole frame.

    On the pixels of the probabilities' grid, so that bringing back takes no second sampling.
    """

    top: int
    left: int
    side: int
    size: tuple[int, int]

    @classmethod
    def around(cls, center: tuple[float, float], side: float, size: tuple[int, int]) -> Window:
        """center (y, x) in shares of the frame, side in shares of its height. Moved inwards at the frame's edge, and
        no larger than its short side."""
        pixels = max(1, min(round(side * size[0]), *size))
        top, left = (
            max(0, min(length - pixels, round(at * length - pixels / 2)))
            for at, length in zip(center, size, strict=True)
        )
        return cls(top, left, pixels, size)

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)

    def inside(self, shape: tuple[int, ...]) -> np.ndarray:
        """(H, W) bool for a frame of that shape: the pixels whose middle lies in the window."""
        rows, columns = (
            ((np.arange(length) + 0.5) * cells / length >= first) & ((np.arange(length) + 0.5) * cells / length < last)
            for length, cells, first, last in zip(
                shape, self.size, (self.top, self.left), (self.top + self.side, self.left + self.side), strict=True
            )
        )
        return rows[:, None] & columns[None]

    def cut(self, image: np.ndarray, work: int) -> np.ndarray:
        """image (H, W, ...) of the whole frame, any size -> (work, work, ...), bilinear; averaged if shrunk."""
        (sy, sx), step = np.divide(image.shape[:2], self.size), self.side / work
        finer = max(1, round(step * max(sy, sx)))  # pixels of which one at work is the mean
        step /= finer
        across = [step * sx, 0, (self.left + step / 2) * sx - 0.5]
        down = [0, step * sy, (self.top + step / 2) * sy - 0.5]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        matrix, size = np.array([across, down]), (work * finer, work * finer)
        fine = cv2.warpAffine(image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return fine if finer == 1 else cv2.resize(fine, (work, work), interpolation=cv2.INTER_AREA)

    def brought_back(self, values: np.ndarray) -> np.ndarray:
        """values (work, work) float32 -> (side, side), for the pixels of `slices`."""
        way = cv2.INTER_AREA if self.side < len(values) else cv2.INTER_LINEAR
        return cv2.resize(values, (self.side, self.side), interpolation=way)

    def weight(self) -> np.ndarray:
        """(side, side) float32: 1 inside, falling to 0 at its border, but for where that is the frame's own edge."""
        edges = (self.top, self.left), (self.size[0] - self.top, self.size[1] - self.left)
        steps = (np.arange(self.side, dtype=np.float32) + 0.5) / max(1.0, MARGIN * self.side)
        ramps = []
        for before, length in zip(*edges, strict=True):
            rising = steps if before > 0 else np.ones_like(steps)
            falling = steps[::-1] if length > self.side else np.ones_like(steps)
            ramps.append(np.minimum(np.minimum(rising, falling), 1))
        return np.minimum(ramps[0][:, None], ramps[1][None])

    def to_frame(self, y: float, x: float) -> tuple[float, float]:
        """A point of the window, in shares of its side -> in shares of the frame."""
        return (self.top + y * self.side) / self.size[0], (self.left + x * self.side) / self.size[1]
