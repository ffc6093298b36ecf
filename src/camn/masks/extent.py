"""Which part of a picture a mask takes."""

from __future__ import annotations

import numpy as np


def extent(mask: np.ndarray) -> tuple[slice, slice] | None:
    """The rows and columns within which all of a mask (H, W) bool lies; None where it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
