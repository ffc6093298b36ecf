"""Ids over 255, as 16-bit masks have them: numbered anew, over all masks of a source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from camn.errors import MaskError
from camn.masks.ids import MAX_ID

KITTI_IGNORE = 10_000  # KITTI-MOTS: an id is class * 1000 + instance, and 10000 is to be ignored


def to_greys(path: Path, values: np.ndarray) -> np.ndarray:
    """Whole numbers (H, W) as uint8 where they fit, else int32, with up to 255 different ones. Raises MaskError."""
    low, high = values.min(), values.max()
    if low >= 0 and high <= MAX_ID:
        return values.astype(np.uint8)
    if low < 0 or high >= 1 << 31:
        raise MaskError(f"{path}: holds values from {low} to {high}; 0 is the background, and objects are 1, 2, ...")
    _check_count(path, np.unique(values))
    return values.astype(np.int32)


def ranks(values: np.ndarray) -> np.ndarray:
    """The order of values, as uint8, of what `to_greys` gave: by order alone smeared masks are told from others."""
    if values.dtype == np.uint8:
        return values
    present, order = np.unique(values, return_inverse=True)
    return (order.reshape(values.shape) + (present[0] > 0)).clip(max=MAX_ID).astype(np.uint8)


def numbered_anew(where: Path, masks: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[str]]:
    """Masks with ids over 255 -> the same with 1, 2, ... in the order of their ids, uint8; and notes. One id alone
    becomes 255, which says: an object. Raises MaskError."""
    present = np.unique(np.concatenate([np.unique(mask) for mask in masks]))
    present, notes = present[present != 0], []
    if KITTI_IGNORE in present and len(present) > 1 and present[0] >= 1000:
        present = present[present != KITTI_IGNORE]
        notes = [f"{where}: {KITTI_IGNORE} means 'ignore' beside ids of class x 1000 + number: read as background."]
    _check_count(where, present)
    single = len(present) == 1
    ids = [MAX_ID] if single else list(range(1, len(present) + 1))
    table = dict(zip(present.tolist(), ids, strict=True))
    notes += [] if single else [f"Object {id} is {value} in the masks." for value, id in table.items()]
    return [_mapped(mask, present, ids) for mask in masks], notes


def _mapped(mask: np.ndarray, present: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    place = np.searchsorted(present, mask).clip(max=len(present) - 1)
    return np.where(present[place] == mask, np.array(ids, np.uint8)[place], np.uint8(0)).astype(np.uint8)


def _check_count(path: Path, present: np.ndarray) -> None:
    """present: sorted."""
    objects = present[present != 0]
    if len(objects) > MAX_ID:
        raise MaskError(
            f"{path}: {len(objects)} different values, {objects[0]} to {objects[-1]}; at most {MAX_ID} objects can be "
            "told apart. Leave some out; or, if it is no mask of ids, save it as PNG with one value for each object"
        )
