"""How parts of a picture moved since the one before it, and whether it is of another shot. All at a small size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

SIDE = 160  # short side that pictures are brought to
FAR = 12  # pixels that a part moves at most
NEAR = 0.02  # a step farther must lessen the difference by this share
CUT = 0.6  # share of the colours that neighbouring frames have in common: 0.9 and more in a shot, 0.5 and less at a cut
BINS = 8  # of each colour in a histogram
SAME = 12  # mean difference, in grey levels, up to which two pictures show the same


def small(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> the same at a short side of `SIDE`, never enlarged."""
    scale = min(1.0, SIDE / min(frame.shape[:2]))
    size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


@dataclass(frozen=True, eq=False)
class Motion:
    """From one small picture to the next: old, new (h, w, 3) uint8 of one size."""

    old: np.ndarray
    new: np.ndarray

    @cached_property
    def cut(self) -> bool:
        """Whether the new one is of another shot, where positions mean nothing. Few grey levels of difference are light
        that changes, though colours may have come into other bins by it."""
        if float(cv2.absdiff(*self._grey).mean()) <= SAME:
            return False
        pictures = self.old, self.new
        counts = [cv2.calcHist([p], [0, 1, 2], None, [BINS] * 3, [0, 256] * 3) / p[..., 0].size for p in pictures]
        return float(np.minimum(*counts).sum()) < CUT

    def of(self, mask: np.ndarray) -> np.ndarray:
        """mask (h, w) bool of the old picture -> (x, y), pixels: where all of that is most alike in the new one."""
        left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
        if not width:
            return np.zeros(2, int)
        part, share = (a[top : top + height, left : left + width] for a in (self._grey[0], mask.astype(np.uint8)))
        around = self._around[top : top + height + 2 * FAR, left : left + width + 2 * FAR]
        differences = cv2.matchTemplate(around, part, cv2.TM_SQDIFF, mask=share)
        y, x = np.ogrid[-FAR : FAR + 1, -FAR : FAR + 1]
        least = max(float(differences.min()), np.count_nonzero(share))  # noise of one grey level
        at = int((differences + least * NEAR * np.hypot(x, y)).argmin())
        return np.array([at % (2 * FAR + 1) - FAR, at // (2 * FAR + 1) - FAR])

    def seen(self, mask: np.ndarray, ways: Sequence[np.ndarray]) -> bool:
        """mask (h, w) bool of the new picture: whether what is there was to be seen in the old one, moved by one of
        these (x, y). What comes out from behind something was not."""
        old, new = (cv2.blur(grey, (3, 3)).astype(np.float32) for grey in self._grey)
        return bool(mask.any()) and any(float(np.abs(new - moved(old, way))[mask].mean()) <= SAME for way in ways)

    @cached_property
    def _grey(self) -> list[np.ndarray]:
        return [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (self.old, self.new)]

    @cached_property
    def _around(self) -> np.ndarray:
        return cv2.copyMakeBorder(self._grey[1], FAR, FAR, FAR, FAR, cv2.BORDER_REPLICATE)


def moved(picture: np.ndarray, by: np.ndarray) -> np.ndarray:
    """(h, w), moved by (x, y) whole pixels; what leaves the picture is gone, and 0 or false comes in."""
    matrix = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)
    size, raw = (picture.shape[1], picture.shape[0]), picture.view(np.uint8) if picture.dtype == bool else picture
    return cv2.warpAffine(raw, matrix, size, flags=cv2.INTER_NEAREST).view(picture.dtype)
