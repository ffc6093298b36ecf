"""Whether pictures with numbers in their names are masks of several frames, or of several objects of one frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from camn.errors import MaskError
from camn.masks.frame_names import FrameNames
from camn.masks.ids import MAX_ID, ObjectIds
from camn.masks.numbers import Numbers
from camn.masks.pictures import Picture, to_ids

SAME, APART = 0.5, 0.1  # intersection over union of neighbours: of one object on two frames; of two objects
NEARLY_ONE = 0.6  # of what can be no two objects
HOW = (
    "Masks of several frames are named like these (a video's are 000000, 000001, ...), or --first-frame says which "
    "number the first one bears; objects of one frame are called object_1, object_2, ..."
)


def taken_for(
    where: object, numbered: Mapping[str, int], found: Numbers, pictures: Sequence[Picture], frames: FrameNames
) -> Literal["frames", "objects"]:
    """What files are whose names do not say it. Raises MaskError if what they show does not, either.

    numbered: numbers by name. pictures: of these. A file is no object's if it holds several, or none. Neighbours that
    overlap show one object on two frames; those that do not, two objects.
    """
    likely = found.says == "likely frames"
    if len(numbered) < 2 and likely:
        return "frames"
    if len(numbered) < 2 or found.says == "objects" or (found.rivals and not likely):
        return "objects"
    numbers = sorted(numbered.values())
    together, whole = numbers[-1] - numbers[0] == len(numbers) - 1, frames.complete(numbers)
    shared = overlap([picture for _, picture in sorted(zip(numbered.values(), pictures), key=lambda pair: pair[0])])
    if shared >= SAME or (shared > APART and (likely or whole or (numbers[0] == 0 and not together))):
        return "frames"
    if shared <= APART and likely and not together:
        return "frames"
    as_ids = together or 0 < numbers[0] <= numbers[-1] <= MAX_ID
    if shared <= APART and not likely and as_ids and not (whole and len(numbers) > 2):
        return "objects"
    first, second = list(numbered)[:2]
    raise MaskError(f"{where}: are {first} and {second} masks of two frames, or of two objects of one frame? {HOW}")


def overlap(pictures: Sequence[Picture]) -> float:
    """Median intersection over union of neighbours; 1 if one holds no object or several, and so is a frame's mask."""
    overlaps, before = [], None
    for picture in pictures:
        mask = to_ids([picture])[0][0]
        if len(ObjectIds.of(mask)) != 1:
            return 1.0
        if before is not None:
            overlaps.append(_iou(before, mask > 0) if before.shape == mask.shape else (SAME + APART) / 2)
        before = mask > 0
    return float(np.median(overlaps))


def nearly_one(shown: Sequence[np.ndarray]) -> tuple[int, int] | None:
    """Two neighbours that show nearly the same, if most do. shown: (H, W) bool, of one size, none empty."""
    overlaps = [_iou(a, b) for a, b in pairwise(shown)]
    if overlaps and np.median(overlaps) >= NEARLY_ONE:
        first = int(np.argmax(overlaps))
        return first, first + 1
    return None


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.count_nonzero(a & b) / np.count_nonzero(a | b))
