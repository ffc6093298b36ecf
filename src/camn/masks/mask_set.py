"""Every accepted source of masks -> masks by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from camn.errors import MaskError, MaskSizeError
from camn.masks.frame_names import FrameNames
from camn.masks.ids import IGNORE, ObjectIds
from camn.masks.picture_files import read_pictures
from camn.masks.pictures import in_words, open_picture, to_ids
from camn.masks.reader import Found, Frames
from camn.masks.readers import reader_of


@dataclass(frozen=True)
class MaskSet:
    """The user's masks: `masks` by frame index, each (H, W) uint8 at the frames' size with at least one object.

    `ids` are all objects, sorted; `colours` are {id: (r, g, b)} of an RGB source; `notes` are sentences to print.
    `unplaced`: there is one mask, and nothing says of which frame, so it was taken for the first one's. `names` are
    what the source calls objects, by id, where it does.
    """

    masks: Mapping[int, np.ndarray]
    ids: ObjectIds
    colours: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unplaced: bool = False
    names: Mapping[int, str] = field(default_factory=dict)


def read_mask(path: str | Path) -> np.ndarray:
    """One mask file (palette, grey, binary, RGB or RGBA image) -> (H, W) uint8 ids.

    MaskError when it is missing, broken, smeared (antialiased, JPEG), or holds no object.
    """
    masks, _, _ = to_ids([open_picture(path)])
    if not masks[0].any():
        raise MaskError(f"{path}: the mask holds no object, every pixel is background; paint each object in its own id")
    return masks[0]


def read_masks(
    source: str | Path | Sequence[str | Path],
    frame_names: Sequence[str] | None,
    frame_size: tuple[int, int],
    resize: bool = False,
    most_pixels: int | None = None,
    *,
    count: int | None = None,
    first_frame: int | None = None,
) -> MaskSet:
    """Read masks of any accepted format for frames called `frame_names`, of size (H, W).

    frame_names: None for a video, whose frames are numbered from 0; `count`: how many it has, as far as is known.
    A file: palette indices, grey ids, binary, RGB(A) colours, for the first frame; or COCO JSON. A folder, or a list of
    files: masks named like their frames, or with the frames' numbers in their names (for a list, all of them), else one
    binary file per object for the first frame. first_frame: the number that the first frame bears in the masks' names,
    if what is there does not tell.
    The formats are listed in `camn.masks.readers`. In a palette, 255 beside other ids is "ignore", read as background.
    `resize` scales masks of another size, nearest. `most_pixels` bounds what a COCO file unpacks to, all its frames
    together.

    MaskError says what is wrong with which file, and the remedy.
    """
    frames = Frames(FrameNames(frame_names, count, first_frame), frame_size, most_pixels)
    if not isinstance(source, (str, Path)) and len(source) == 1:
        source = source[0]
    if isinstance(source, (str, Path)):
        found = reader_of(Path(source)).read(Path(source), frames)
    else:
        found = read_pictures([Path(path) for path in source], frames, whole=True)
    return _fit(found, source, frame_size, resize)


def _fit(found: Found, source: object, size: tuple[int, int], resize: bool) -> MaskSet:
    """Masks at the frames' size, empty ones left out."""
    masks: dict[int, np.ndarray] = {}
    notes = list(found.notes)
    for frame, mask in found.masks.items():
        if mask.shape != tuple(size) and not resize:
            raise MaskSizeError(
                f"{found.origin[frame]}: the mask is {in_words(mask.shape)}, the frames are {in_words(size)} "
                "(width x height); give --resize-masks to scale it, or make a mask of the frames' size"
            )
        fitted = mask
        if mask.shape != tuple(size):
            fitted = np.array(Image.fromarray(mask).resize((size[1], size[0]), Image.Resampling.NEAREST))
            if lost := [id for id in ObjectIds.of(mask) if id not in ObjectIds.of(fitted)]:
                notes.append(f"{found.origin[frame]}: objects {lost} vanish when the mask is resized.")
        if fitted.any():
            masks[frame] = fitted
    if not masks:
        where = source if isinstance(source, (str, Path)) else found.origin[min(found.origin)]
        raise MaskError(f"{where}: no object, every pixel is background; paint each object in its own id or colour")
    if empty := len(found.masks) - len(masks):
        notes.append(f"{empty} of {len(found.masks)} masks hold no object and are left out.")
    ids = ObjectIds(tuple(sorted(set().union(*(ObjectIds.of(mask).ids for mask in masks.values())))))
    names = {id: name for id, name in found.names.items() if id in ids}
    if IGNORE in ids and len(ids) > 1 and not any("'ignore'" in note for note in notes):
        notes.append("Object 255: palette PNGs, as outputs are, mean 'ignore' by 255; give it another id, 1..254.")
    return MaskSet(dict(sorted(masks.items())), ids, found.colours, tuple(dict.fromkeys(notes)), found.unplaced, names)
