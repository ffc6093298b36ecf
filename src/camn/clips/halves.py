"""Parts of objects as objects, their whole as background: what tells them is the first mask alone."""

from __future__ import annotations

import cv2
import numpy as np

from camn.masks import IGNORE


def half(rng: np.random.Generator, labels: list[np.ndarray]) -> list[np.ndarray] | None:
    """Labels (H, W) of a clip in which the part of object 1 on one side of a line is object 1, all else background.

    The line lies at one angle, with the same share of the object's area beyond it on each frame. None where the object
    is not seen whole and much alike on all frames, so that this would not be the same part.
    """
    masks = [frame == 1 for frame in labels]
    if not _steady(masks):
        return None
    angle, share = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.7)
    along = np.array([np.sin(angle), np.cos(angle)])
    halves = []
    for frame, mask in zip(labels, masks, strict=True):
        reach = np.argwhere(mask) @ along
        found = np.where(frame == IGNORE, IGNORE, 0).astype(np.uint8)
        found[mask] = reach < np.quantile(reach, share)
        halves.append(found)
    return halves


def _steady(masks: list[np.ndarray]) -> bool:
    """Whether a mask of a video keeps its area and the direction it is long in. Those of a single picture do."""
    shapes = [cv2.moments(mask.astype(np.uint8), binaryImage=True) for mask in masks]
    areas = [shape["m00"] for shape in shapes]
    if min(areas) < 50:
        return False
    if max(areas) > 1.5 * min(areas):
        return False
    axes = np.array([(shape["mu20"] - shape["mu02"], 2 * shape["mu11"]) for shape in shapes])
    size = np.array([shape["mu20"] + shape["mu02"] for shape in shapes])
    length = np.hypot(*axes.T)
    if (length < 0.3 * size).any():  # hardly longer than wide: it has no direction
        return len(masks) == 1 or bool((length < 0.3 * size).all())
    axes = axes / length[:, None]
    return bool((axes @ axes[0] > np.cos(np.deg2rad(50))).all())  # of twice the angle
