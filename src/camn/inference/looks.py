"""What an object looks like: its colours on the user's frames, against those around it there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

BITS = 3  # of each colour that are told apart
RARE = 1e-3  # share below which a colour tells little
AROUND = 1.0  # how far what is around an object reaches, in its diameters


@dataclass(frozen=True, eq=False)
class Looks:
    """own, around: the shares that each colour has of the object and of what is around it."""

    own: np.ndarray
    around: np.ndarray

    @classmethod
    def of(cls, picture: np.ndarray, mask: np.ndarray) -> Looks:
        """picture (h, w, 3) uint8, mask (h, w) bool, somewhere true."""
        left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
        reach = round(AROUND * max(width, height))
        near = np.zeros_like(mask)
        near[max(top - reach, 0) : top + height + reach, max(left - reach, 0) : left + width + reach] = True
        colours = _colours(picture)
        return cls(_shares(colours[mask]), _shares(colours[near & ~mask]))

    def with_more(self, other: Looks) -> Looks:
        """Of one frame more."""
        return Looks((self.own + other.own) / 2, (self.around + other.around) / 2)

    def likeness(self, picture: np.ndarray) -> np.ndarray:
        """picture (h, w, 3) uint8 -> (h, w) float32, 0..1: how much of each pixel's colour is the object's, and not
        of what is around it; 0.5 for a colour of neither."""
        table = (self.own + RARE) / (self.own + self.around + 2 * RARE)
        return table.astype(np.float32)[_colours(picture)]


def _colours(picture: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 -> (h, w): numbers of 0 .. 2 ** (3 * BITS) - 1."""
    red, green, blue = (picture[..., c].astype(np.int32) >> 8 - BITS for c in range(3))
    return (red << 2 * BITS) | (green << BITS) | blue


def _shares(colours: np.ndarray) -> np.ndarray:
    return np.bincount(colours, minlength=1 << 3 * BITS) / max(1, len(colours))
