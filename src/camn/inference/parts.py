"""Connected components of a mask."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

Box = tuple[slice, slice]  # rows, columns


@dataclass(frozen=True, eq=False)
class Parts:
    """Connected components of a mask: labels (h, w) int32, 0 outside; areas (K,) in pixels, label k + 1's at k."""

    labels: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> Parts:
        box, labels = box_of(mask), np.zeros(mask.shape, np.int32)
        within = np.ascontiguousarray(mask[box])
        if not within.size:
            return cls(labels, np.zeros(0, np.int32))
        _, labels[box], stats, _ = cv2.connectedComponentsWithStats(within.view(np.uint8), connectivity=8)
        return cls(labels, stats[1:, cv2.CC_STAT_AREA])

    @property
    def size(self) -> tuple[int, int]:
        return self.labels.shape[0], self.labels.shape[1]

    def mask(self, chosen: np.ndarray) -> np.ndarray:
        """chosen (K,) bool -> (h, w) bool."""
        return np.concatenate([[False], chosen])[self.labels]

    def means(self, values: np.ndarray) -> np.ndarray:
        """values (h, w) -> (K,): their mean in each part."""
        sums = np.bincount(self.labels.ravel(), values.ravel(), len(self.areas) + 1)
        return sums[1:] / self.areas

    def within(self, reach: float, region: np.ndarray) -> np.ndarray:
        """(K,) bool: the parts with a pixel at most `reach` pixels from a region (h, w) bool that is somewhere true."""
        near = np.zeros(len(self.areas) + 1, bool)
        near[self.labels[region]] = True
        if not near[1:].all():
            near[self.labels[distance(region) <= reach]] = True
        return near[1:]


def box_of(mask: np.ndarray, margin: int = 0) -> Box:
    """The box around a mask (h, w) bool, empty where that is, and `margin` pixels more on each side."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )


def longer_side(mask: np.ndarray) -> int:
    """Of the box around a mask (h, w) bool, in pixels."""
    rows, columns = box_of(mask)
    return max(rows.stop - rows.start, columns.stop - columns.start)


def distance(region: np.ndarray) -> np.ndarray:
    """(h, w) bool -> (h, w) float32: how far each pixel is from the region, infinite where there is none."""
    if not region.any():
        return np.full(region.shape, np.inf, np.float32)
    return cv2.distanceTransform((~region).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def fitted(mask: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(H, W) bool -> (h, w) bool, true wherever any of it is, so that nothing small vanishes."""
    if mask.shape == tuple(size):
        return mask
    smaller = mask.shape[0] >= size[0]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(mask.astype(np.float32), size[::-1], interpolation=way) > 0
