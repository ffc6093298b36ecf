"""Where a user would click next: at the centre of the largest error (the public protocol of RITM)."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from camn.masks.extent import extent

Click = tuple[int, int, int]  # row, column, 1 for the object or -1 against it


def next_click(truth: np.ndarray, guess: np.ndarray, counted: np.ndarray | None = None) -> Click | None:
    """The pixel farthest from the border of the region in which `guess` misses the object, or takes what is none of it;
    whichever holds the larger disc. Beyond the picture counts as right. None if nothing is wrong.

    truth, guess, counted (H, W) bool; counted: pixels of which the truth is known."""
    found = None
    for sign, wrong in ((1, truth & ~guess), (-1, guess & ~truth)):
        depth = depths(wrong if counted is None else wrong & counted)
        at = int(depth.argmax())
        if depth.flat[at] > 0 and (found is None or depth.flat[at] > found[0]):
            found = float(depth.flat[at]), (at // depth.shape[1], at % depth.shape[1], sign)
    return None if found is None else found[1]


def meant(mask: np.ndarray, clicks: Iterable[Click], held: np.ndarray | None = None) -> np.ndarray:
    """The parts of a mask that somebody asked for: those with a click for the object on them, and those of which half
    or more is in `held`, the mask before or a box. What only looks alike elsewhere is not meant.

    mask, held (H, W) bool -> (H, W) bool; `mask` itself, where nothing is left out."""
    here = extent(mask)  # much less than all of it
    if here is None:
        return mask
    count, found = cv2.connectedComponents(mask[here].astype(np.uint8))
    if count <= 2:
        return mask
    parts = np.asarray(found, np.intp)
    sizes = np.bincount(parts.ravel(), minlength=count)
    keep = np.zeros(count, bool)
    if held is not None:
        keep = 2 * np.bincount(parts[held[here]], minlength=count) >= sizes
    for row, column, sign in clicks:
        if sign > 0 and mask[row, column]:
            keep[parts[row - here[0].start, column - here[1].start]] = True
    keep[0] = False
    if not keep.any() or keep[1:].all():
        return mask
    kept = np.zeros_like(mask)
    kept[here] = keep[parts]
    return kept


def depths(region: np.ndarray) -> np.ndarray:
    """(H, W) bool -> float32: distance in pixels to the nearest one outside, 0 outside."""
    padded = np.pad(region.astype(np.uint8), 1)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
