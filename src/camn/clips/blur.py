"""Blur along the motion, as a shutter that is open for part of the time between two frames leaves it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from camn.clips.appearance import motion_kernel
from camn.masks import IGNORE

MOST = 0.05  # the longest streak, of the picture's shorter side
Point = tuple[float, float]


def streak(shift: np.ndarray, open_for: float, side: int) -> np.ndarray | None:
    """The kernel of a shift (x, y) in pixels from frame to frame, None where it is too short to be seen."""
    length = min(open_for * float(np.hypot(*shift)), MOST * side)
    return None if length < 2 else motion_kernel(int(length), float(np.arctan2(shift[1], shift[0])))


def steps(places: Sequence[Point]) -> np.ndarray:
    """(T, 2): the shift from the frame before; of the first, that to the second. Where a place is nan, no shift."""
    if len(places) < 2:
        return np.zeros((len(places), 2))
    shifts = np.nan_to_num(np.diff(np.array(places, float), axis=0))
    return np.concatenate([shifts[:1], shifts])


def smear(rng: np.random.Generator, frames: list[np.ndarray], places: Sequence[Point]) -> list[np.ndarray]:
    """Whole frames (H, W, 3) smeared by the motion of a point of the picture, `places` on each frame."""
    open_for = rng.uniform(0.15, 0.7)
    kernels = [streak(shift, open_for, min(frames[0].shape[:2])) for shift in steps(places)]
    return [f if k is None else cv2.filter2D(f, -1, k) for f, k in zip(frames, kernels, strict=True)]


def smear_objects(rng: np.random.Generator, frames: list[np.ndarray], labels: list[np.ndarray]) -> list[np.ndarray]:
    """Frames with each object smeared by its own motion, that of its mask's centre; labels stay as they are."""
    open_for, side = rng.uniform(0.15, 0.7), min(labels[0].shape)
    for value in (int(v) for v in np.unique(labels[0]) if 0 < v < IGNORE):
        masks = [(ids == value).astype(np.uint8) for ids in labels]
        kernels = [streak(shift, open_for, side) for shift in steps([centre(mask) for mask in masks])]
        frames = [
            f if kernel is None else _smear_under(f, mask, kernel)
            for f, mask, kernel in zip(frames, masks, kernels, strict=True)
        ]
    return frames


def centre(mask: np.ndarray) -> Point:
    """(x, y) of the centre of mass of a mask (H, W) uint8, nan where it is empty."""
    found = cv2.moments(mask, binaryImage=True)
    area = found["m00"]
    return (found["m10"] / area, found["m01"] / area) if area else (float("nan"), float("nan"))


def _smear_under(image: np.ndarray, mask: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The image smeared where the smeared mask is; what lies in its way shows through by as much."""
    x, y, w, h = cv2.boundingRect(mask)
    if not w:
        return image
    reach = len(kernel)
    box = np.s_[max(0, y - reach) : y + h + reach, max(0, x - reach) : x + w + reach]
    weight = cv2.filter2D(mask[box].astype(np.float32), -1, kernel)
    image, here = image.copy(), np.ascontiguousarray(image[box])
    image[box] = cv2.blendLinear(cv2.filter2D(here, -1, kernel), here, weight, 1 - weight)
    return image
