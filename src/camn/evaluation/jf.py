"""Region similarity J and contour accuracy F of one mask, by the definition of DAVIS (Perazzi et al., CVPR 2016).

All masks are (H, W) bool. Where `void` is true the truth is unknown: such pixels belong to neither mask.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from camn.errors import DataError

TOLERANCE = 0.008  # of the image diagonal


def region_similarity(prediction: np.ndarray, truth: np.ndarray, void: np.ndarray | None = None) -> float:
    """J, 0..1: intersection over union; 1 where both masks are empty. Raises DataError on unequal sizes."""
    prediction, truth = _known(prediction, truth, void)
    union = np.count_nonzero(prediction | truth)
    return np.count_nonzero(prediction & truth) / union if union else 1.0


def contour_accuracy(
    prediction: np.ndarray, truth: np.ndarray, void: np.ndarray | None = None, tolerance: float = TOLERANCE
) -> float:
    """F, 0..1: harmonic mean of the precision and recall of boundary pixels, found within a disk of some pixels.

    `tolerance` is that disk's radius: in pixels from 1 on, below that as a share of the diagonal, rounded up.
    Two empty boundaries agree (1); one alone does not (0). Raises DataError on unequal sizes.
    """
    prediction, truth = _known(prediction, truth, void)
    radius = math.floor(tolerance) if tolerance >= 1 else math.ceil(tolerance * float(np.linalg.norm(truth.shape)))
    ours, theirs = _cropped(boundary(prediction), boundary(truth))
    found, wanted = np.count_nonzero(ours), np.count_nonzero(theirs)
    if not found or not wanted:
        return 1.0 if found == wanted else 0.0
    precision = np.count_nonzero(ours & _dilate(theirs, radius)) / found
    recall = np.count_nonzero(theirs & _dilate(ours, radius)) / wanted
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: the pixels that differ from their east, south or south-east neighbour.

    Beyond the image's edge lies what is at the edge, so that an object cut by the edge has no boundary there.
    """
    mask = mask.astype(bool, copy=False)
    east, south = mask[:, 1:] ^ mask[:, :-1], mask[1:] ^ mask[:-1]
    edge = np.zeros_like(mask)
    edge[:, :-1] |= east
    edge[:-1] |= south
    edge[:-1, :-1] |= mask[1:, 1:] ^ mask[:-1, :-1]
    return edge


def _known(prediction: np.ndarray, truth: np.ndarray, void: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Both masks as bool without their void pixels."""
    shapes = {mask.shape for mask in (prediction, truth, void) if mask is not None}
    if len(shapes) > 1 or truth.ndim != 2:
        raise DataError(
            f"masks to compare are of shapes {', '.join(map(str, sorted(shapes)))}; all must be (H, W) of one size"
        )
    prediction, truth = prediction.astype(bool, copy=False), truth.astype(bool, copy=False)
    return (prediction, truth) if void is None else (prediction & ~void, truth & ~void)


def _cropped(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both maps, cropped alike to where either is set: what lies outside has no part in precision or recall."""
    left, top, width, height = cv2.boundingRect((first | second).view(np.uint8))
    window = slice(top, top + height), slice(left, left + width)
    return first[window], second[window]


def _dilate(edge: np.ndarray, radius: int) -> np.ndarray:
    """Dilation by the disk x^2 + y^2 <= radius^2, of a map that is set somewhere.

    That is the exact distance to the nearest set pixel, thresholded: its cost does not grow with the radius.
    Squared distances are whole numbers, so that half a unit of slack takes up the rounding.
    """
    distance = cv2.distanceTransform((~edge).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance <= math.sqrt(radius * radius + 0.5)
