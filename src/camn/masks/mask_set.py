"""Every accepted source of masks -> masks by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from camn.errors import MaskError
from camn.files import path_of
from camn.masks.frame_names import FrameNames
from camn.masks.ids import IGNORE, ObjectIds, surrounding
from camn.masks.picture_files import read_pictures
from camn.masks.pictures import open_picture, to_ids
from camn.masks.reader import Found, Frames
from camn.masks.readers import reader_of
from camn.masks.sizes import in_words, is_turned, size_error, stretched

IN_MEMORY = (
    "give that of a mask file, several in a list, or a folder; a mask in memory, an array (H, W) of ids, goes to "
    "camn.follow(frames, mask)"
)
NAMED = 3  # so many masks that lack an object are named, one by one


@dataclass(frozen=True)
class MaskSet:
    """The user's masks: `masks` by frame index, each (H, W) uint8 at the frames' size with at least one object; without
    one where `absent` says something of the frame, or masks are `whole`.

    `ids` are all objects, sorted; `colours` are {id: (r, g, b)} of an RGB source; `notes` are sentences to print.
    `unplaced`: there is one mask, and nothing says of which frame, so it was taken for the first one's. `names` are
    what the source calls objects, by id, where it does.
    `absent`: ids that are said not to be on a frame; `whole`: nor on later ones, up to the next mask that shows them.
    """

    masks: Mapping[int, np.ndarray]
    ids: ObjectIds
    colours: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unplaced: bool = False
    names: Mapping[int, str] = field(default_factory=dict)
    absent: Mapping[int, frozenset[int]] = field(default_factory=dict)
    whole: bool = False


def read_mask(path: str | Path) -> np.ndarray:
    """One mask file (palette, grey, binary, RGB or RGBA image) -> (H, W) uint8 ids.

    MaskError when it is missing, broken, smeared (antialiased, JPEG), or holds no object.
    """
    masks, _, _ = to_ids([open_picture(path_of(path, MaskError, IN_MEMORY))])
    if not masks[0].any():
        raise MaskError(f"{path}: the mask holds no object, every pixel is background; paint each object in its own id")
    return masks[0]


def read_masks(
    source: str | PathLike[str] | Sequence[str | PathLike[str]],
    frame_names: Sequence[str] | None,
    frame_size: tuple[int, int],
    resize: bool = False,
    most_pixels: int | None = None,
    *,
    count: int | None = None,
    first_frame: int | None = None,
    whole: bool | None = False,
    video: str = "",
    around: bool = True,
) -> MaskSet:
    """Read masks of any accepted format for frames called `frame_names`, of size (H, W).

    frame_names: None for a video, whose frames are numbered from 0; `count`: how many it has, as far as is known.
    A file: palette indices, grey ids, binary, RGB(A) colours, for the first frame; or COCO JSON. A folder, or a list of
    files: masks named like their frames, or with the frames' numbers in their names (for a list, all of them), else one
    binary file per object for the first frame. first_frame: the number that the first frame bears in the masks' names,
    if what is there does not tell.
    The formats are listed in `camn.masks.readers`. In a palette, 255 beside other ids is "ignore", read as background.
    `resize` scales masks of another size, nearest, but none that fits the frame turned by 90 degrees. `most_pixels`
    bounds what a COCO file unpacks to, all its frames together. `whole`: an object that a mask does not show is gone
    from its frame on, and an empty mask ends all. If False, they go on, and a note says so; None: without the note.
    `video`: what the video is called, for a file that holds masks of several. `around`: whether files beside the
    source, or above it, may tell more, such as what classes are called.

    MaskError says what is wrong with which file, and the remedy.
    """
    frames = Frames(FrameNames(frame_names, count, first_frame), frame_size, most_pixels, video, around)
    files = mask_paths(source)
    if isinstance(source, (str, PathLike)) or len(files) == 1:
        found = reader_of(files[0]).read(files[0], frames)
    else:
        found = read_pictures(files, frames, whole=True)
    return fit(found, source, frame_size, resize, whole)


def mask_paths(source: Any) -> list[Path]:
    """The file, files or folder that a caller gave as masks. Raises MaskError for what are no paths."""
    several = isinstance(source, Sequence) and not isinstance(source, (str, bytes))
    return [path_of(one, MaskError, IN_MEMORY) for one in (source if several else [source])]


def fit(found: Found, source: object, size: tuple[int, int], resize: bool, whole: bool | None) -> MaskSet:
    """Masks at the frames' size, empty ones that say nothing left out."""
    notes = list(found.notes)
    masks = {}
    for frame, mask in sorted(found.masks.items()):
        masks[frame], more = _sized(mask, found.origin[frame], size, resize)
        notes += more
    shown = [frame for frame, mask in masks.items() if mask.any()]
    if not shown:
        where = source if isinstance(source, (str, Path)) else found.origin[min(found.origin)]
        raise MaskError(f"{where}: no object, every pixel is background; paint each object in its own id or colour")
    notes += _inverted(masks, found.origin)
    if early := sum(frame < shown[0] for frame in masks):
        notes.append(f"{early} of {len(masks)} masks hold no object and are left out: no object was shown before.")
    masks = {frame: mask for frame, mask in masks.items() if frame >= shown[0]}
    absent, more = _absent(masks, found, whole)
    masks = {frame: mask for frame, mask in masks.items() if mask.any() or frame in absent or whole}
    ids = ObjectIds(tuple(sorted(set().union(*(ObjectIds.of(mask).ids for mask in masks.values())))))
    names = {id: name for id, name in found.names.items() if id in ids}
    if not any("'ignore'" in note for note in notes):
        notes += ignore_note(ids)
    notes = tuple(dict.fromkeys(notes + more))
    return MaskSet(masks, ids, found.colours, notes, found.unplaced, names, absent, bool(whole))


def ignore_note(ids: ObjectIds) -> list[str]:
    """A note if an object has the id that palette PNGs keep for something else."""
    if IGNORE not in ids or len(ids) == 1:
        return []
    return ["Object 255: palette PNGs, as outputs are, mean 'ignore' by 255; give it another id, 1..254."]


def _sized(mask: np.ndarray, path: Path, size: tuple[int, int], resize: bool) -> tuple[np.ndarray, list[str]]:
    """The mask at the frames' size (H, W), and notes. Raises MaskSizeError."""
    if mask.shape == tuple(size):
        return mask, []
    sizes = f"{path}: the mask is {in_words(mask.shape)}, the frames are {in_words(size)} (width x height)"
    if not resize or is_turned(mask.shape, size):
        remedy = "give --resize-masks to scale it, or make a mask of the frames' size"
        raise size_error(sizes, mask.shape, size, remedy)
    fitted = np.array(Image.fromarray(mask).resize((size[1], size[0]), Image.Resampling.NEAREST))
    lost = [id for id in ObjectIds.of(mask) if id not in ObjectIds.of(fitted)]
    notes = [f"{path}: objects {lost} vanish when the mask is resized."] if lost else []
    return fitted, notes + ([f"{path}: {how}."] if (how := stretched(mask.shape, size)) else [])


def _inverted(masks: Mapping[int, np.ndarray], origin: Mapping[int, Path]) -> list[str]:
    """A note if a mask looks as if objects and background were exchanged."""
    for frame, mask in masks.items():
        if id := surrounding(mask):
            share = round(100 * np.count_nonzero(mask == id) / mask.size)
            return [
                f"{origin[frame]}: object {id} has {share}% of the frame and all its corners. Is the mask inverted? "
                "Background is black, transparent or 0; objects are white, coloured or 1..254."
            ]
    return []


def _absent(
    masks: Mapping[int, np.ndarray], found: Found, whole: bool | None
) -> tuple[dict[int, frozenset[int]], list[str]]:
    """The ids that are said not to be on a frame, for frames with some; and notes of those that masks do not show."""
    followed: frozenset[int] = frozenset()
    absent, lacking = {}, {}
    for frame, mask in masks.items():
        ids = frozenset(ObjectIds.of(mask))
        unseen = followed - ids
        gone = found.stated.get(frame, frozenset()) - ids | (unseen if whole else frozenset())
        if gone:
            absent[frame] = gone
        if unseen and (whole or frame not in found.stated):
            lacking[frame] = sorted(unseen)
        followed = ids if whole else followed | ids
    return absent, [] if whole is None else _told_lacking(masks, found.origin, lacking, whole)


def _told_lacking(
    masks: Mapping[int, np.ndarray], origin: Mapping[int, Path], lacking: Mapping[int, list[int]], whole: bool
) -> list[str]:
    """Notes of the objects that masks do not show, by file, of the first few."""
    named = len(set(origin.values())) == len(origin)
    notes = []
    for frame, ids in list(lacking.items())[:NAMED]:
        where = str(origin[frame]) if named else f"{origin[frame]}, frame {frame} (0 is the first)"
        which = f"object{'s' * (len(ids) > 1)} {', '.join(map(str, ids))}"
        if whole:
            notes.append(f"{where}: {which} {'is' if len(ids) == 1 else 'are'} gone from there on.")
            continue
        says = f"states no object; {which}" if not masks[frame].any() else f"does not show {which}, which"
        goes = "goes on" if len(ids) == 1 else "go on"
        notes.append(f"{where} {says} {goes}; give --masks-are-whole if what a mask lacks is gone.")
    if len(lacking) > NAMED:
        notes.append(f"So with {len(lacking) - NAMED} more masks.")
    return notes
