"""Where an object was, from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from camn.inference.parts import Box, box_of, fitted, longer_side

FADE = 0.9  # area and diameter shrink by this a frame at most: what leaves at the border ends as a sliver
NEVER = -(1 << 30)


@dataclass(frozen=True, eq=False)
class Candidate:
    """What may be an object come back: its mask (h, w) bool, and on how many frames in succession it was found."""

    mask: np.ndarray
    frames: int


@dataclass(frozen=True, eq=False)
class Track:
    """Where an object was on a map of `size` (h, w).

    stamps int32: the frame on which each pixel of `box` was last the object's; all others never were, or too long ago
    to matter. Whole maps of all objects would be a gigabyte. last: the frame it was last seen on.
    area: share of the frame, diameter: share of the frame's height, of late. placed: not after a cut, until it is seen:
    it may be anywhere.
    """

    size: tuple[int, ...]
    box: Box
    stamps: np.ndarray
    last: int
    area: float
    diameter: float
    candidate: Candidate | None = None
    placed: bool = True

    @classmethod
    def of(cls, index: int, mask: np.ndarray) -> Track:
        """mask (h, w) bool, somewhere true."""
        box, (height, width) = box_of(mask), mask.shape
        stamps = np.where(mask[box], np.int32(index), np.int32(NEVER))
        area = np.count_nonzero(stamps > NEVER) / (height * width)
        return cls((height, width), box, stamps, index, area, longer_side(mask) / height)

    def seen(self, index: int, mask: np.ndarray, window: int) -> Track:
        """With one frame more: mask (h, w) bool, empty where the object was not seen. window: see `region`."""
        if not mask.any():
            return self
        new = Track.of(index, mask)
        if not self.placed:
            return new
        if new.size == self.size:
            stamps = self._whole()
            stamps[new.box] = np.maximum(stamps[new.box], new.stamps)
            box = box_of(stamps > index - window)
            new = replace(new, box=box, stamps=stamps[box].copy())
        return replace(new, area=max(new.area, FADE * self.area), diameter=max(new.diameter, FADE * self.diameter))

    def region(self, size: tuple[int, int], window: int) -> np.ndarray:
        """(h, w) bool: where it was on the last `window` frames up to the one that it was last seen on."""
        return fitted(self._whole() > self.last - window, size)

    def _whole(self) -> np.ndarray:
        stamps = np.full(self.size, NEVER, np.int32)
        stamps[self.box] = self.stamps
        return stamps
