"""Masks as a program has them: arrays, images, tensors and files, of the first frame or by the numbers of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from camn.errors import MaskError
from camn.masks.ids import ObjectIds, ids_in
from camn.masks.mask_set import MaskSet, fit, read_masks
from camn.masks.pictures import Picture, open_picture, picture_of, to_ids, upright
from camn.masks.reader import Found
from camn.pillow import whole_files


def given_masks(
    given: Any,
    frame_names: Sequence[str] | None,
    frame_size: tuple[int, int],
    resize: bool = False,
    *,
    count: int | None = None,
    first_frame: int | None = None,
    whole: bool = False,
    video: str = "",
) -> MaskSet:
    """Masks of any kind for frames of size (H, W).

    given: an array or a tensor (H, W) of ids or flags, or a Pillow image, of the first frame; {number of the frame: one
    of these, or a picture's file}; or what `read_masks` takes, which tells of the rest. Raises MaskError.
    """
    if isinstance(given, (str, PathLike)) or _are_paths(given):
        about: dict[str, Any] = {"count": count, "first_frame": first_frame, "whole": whole, "video": video}
        return read_masks(given, frame_names, frame_size, resize, **about)
    if isinstance(given, (list, tuple)):
        raise MaskError("several masks in memory go by the numbers of their frames: {0: mask, 40: another}")
    found = _found(given if isinstance(given, Mapping) else {0: given})
    return fit(found, found.origin[min(found.origin)], frame_size, resize, whole)


def _are_paths(given: Any) -> bool:
    return isinstance(given, (list, tuple)) and all(isinstance(one, (str, PathLike)) for one in given)


def _found(given: Mapping[Any, Any]) -> Found:
    """Pictures are judged together, so that a colour is the same object in all of them."""
    if not given:
        raise MaskError("no mask is given: {} has no frame; give {0: mask}")
    if wrong := [key for key in given if isinstance(key, bool) or not isinstance(key, (int, np.integer)) or key < 0]:
        raise MaskError(
            f"masks go by the numbers of their frames, 0 is the first, as {{0: mask}}; this is {wrong[0]!r}"
        )
    given = {int(index): _plain(mask) for index, mask in sorted(given.items())}
    origin = {index: _origin(index, mask) for index, mask in given.items()}
    pictures = {i: _picture(mask, origin[i]) for i, mask in given.items() if not isinstance(mask, np.ndarray)}
    read, colours, notes = to_ids(list(pictures.values())) if pictures else ([], {}, [])
    masks = dict(zip(pictures, read, strict=True))
    known: set[int] = set()
    for index, mask in given.items():
        if isinstance(mask, np.ndarray):
            try:
                masks[index] = ids_in(mask, known)
            except MaskError as error:
                raise MaskError(f"{origin[index]}: {error}") from None
        known |= set(ObjectIds.of(masks[index]))
    stated = {index: one.stated for index, one in pictures.items() if one.stated is not None}
    return Found(masks, origin, colours, notes, stated=stated)


def _plain(mask: Any) -> Any:
    """A tensor as an array."""
    return mask.detach().cpu().numpy() if hasattr(mask, "detach") else mask


def _origin(index: int, mask: Any) -> Path:
    """What messages call it."""
    return Path(mask) if isinstance(mask, (str, PathLike)) else Path(f"mask of frame {index}")


def _picture(mask: Any, where: Path) -> Picture:
    if isinstance(mask, (str, PathLike)):
        return open_picture(where)
    if not isinstance(mask, Image.Image):
        raise MaskError(
            f"{where}: a mask is an array (H, W) of object ids, a Pillow image or a file; this is a "
            f"{type(mask).__name__}"
        )
    try:
        with whole_files():
            return picture_of(upright(mask), (), where)
    except (OSError, SyntaxError) as error:
        raise MaskError(f"{where}: its image cannot be read ({error}); open an intact file") from error
