"""Every accepted source of masks -> masks by frame."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from camn.errors import MaskError, MaskSizeError
from camn.masks.coco import read_coco
from camn.masks.frame_names import FrameNames, is_image_name
from camn.masks.ids import MAX_ID, ObjectIds
from camn.masks.pictures import open_picture, to_ids


@dataclass(frozen=True)
class MaskSet:
    """The user's masks: `masks` by frame index, each (H, W) uint8 at the frames' size with at least one object.

    `ids` are all objects, sorted; `colours` are {id: (r, g, b)} of an RGB source; `notes` are sentences to print.
    """

    masks: Mapping[int, np.ndarray]
    ids: ObjectIds
    colours: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """What a source holds, before it is fitted to the frames; `origin` says per frame where it was found."""

    masks: dict[int, np.ndarray]
    origin: dict[int, Path]
    colours: dict[int, tuple[int, int, int]]
    notes: list[str]


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
    frame_names: Sequence[str],
    frame_size: tuple[int, int],
    resize: bool = False,
    most_pixels: int | None = None,
) -> MaskSet:
    """Read masks of any accepted format for frames called `frame_names`, of size (H, W).

    A file: palette indices, grey ids, binary, RGB(A) colours, for the first frame; or COCO JSON. A folder, or a list of
    files: masks named like their frames (for a list, all of them), else one binary file per object for the first frame.
    In a palette, 255 beside other ids is "ignore", read as background. `resize` scales masks of another size, nearest.
    `most_pixels` bounds what a COCO file unpacks to, all its frames together.

    MaskError says what is wrong with which file, and the remedy.
    """
    names = FrameNames(frame_names)
    if not isinstance(source, (str, Path)) and len(source) == 1:
        source = source[0]
    if not isinstance(source, (str, Path)):
        found = _from_files([Path(path) for path in source], names, whole=True)
    elif Path(source).is_dir():
        found = _from_files(_image_files(Path(source)), names, whole=False)
    elif Path(source).suffix.lower() == ".json" and Path(source).is_file():
        masks, notes = read_coco(Path(source), names, frame_size, most_pixels)
        found = _Found(masks, dict.fromkeys(masks, Path(source)), {}, notes)
    else:
        found = _from_file(Path(source), names)
    return _fit(found, source, frame_size, resize)


def _image_files(folder: Path) -> list[Path]:
    """A folder's image files in natural order (2 before 10)."""
    files = [path for path in folder.iterdir() if is_image_name(path.name) and not path.name.startswith(".")]
    if not files:
        raise MaskError(f"{folder}: no mask images in this folder")
    return sorted(files, key=lambda path: [(int(n or 0), s) for n, s in re.findall(r"(\d+)|(\D+)", path.name)])


def _from_file(path: Path, names: FrameNames) -> _Found:
    """One file: the first frame's mask."""
    masks, colours, notes = to_ids([open_picture(path)])
    if names.index(path.name):
        notes.append(
            f"{path}: used for the first frame, though its name is that of frame {names.index(path.name)} "
            "(0 is the first); give its folder to use it there."
        )
    return _Found({0: masks[0]}, {0: path}, colours, notes)


def _from_files(files: Sequence[Path], names: FrameNames, whole: bool) -> _Found:
    """Files named like frames (all must be when `whole`), else one per object."""
    if not files:
        raise MaskError("an empty list of masks; give at least one file")
    frames = [names.index(path.name) for path in files]
    matched = {frame: path for frame, path in zip(frames, files, strict=True) if frame is not None}
    if not matched or (whole and len(matched) < len(files)):
        return _per_object(files)
    taken = sum(frame is not None for frame in frames)
    if taken > len(matched):
        raise MaskError(
            f"{files[0].parent}: {taken} masks for {len(matched)} frames: some frame has two; keep one each"
        )
    matched = dict(sorted(matched.items()))
    masks, colours, notes = to_ids([open_picture(path) for path in matched.values()])
    if left := [path.name for path, frame in zip(files, frames, strict=True) if frame is None]:
        notes.append(f"{len(left)} of {len(files)} masks are named like no frame and left out: {', '.join(left[:5])}.")
    return _Found(dict(zip(matched, masks, strict=True)), matched, colours, notes)


def _per_object(files: Sequence[Path]) -> _Found:
    """One binary file per object, all of the first frame. Ids are the numbers that names end in, else 1, 2, ..."""
    if len(files) > MAX_ID:
        raise MaskError(f"{files[0].parent}: {len(files)} files, each an object; at most {MAX_ID} can be told apart")
    numbers = [int(match[0]) if (match := re.search(r"\d{1,9}$", path.stem)) else 0 for path in files]
    good = len(set(numbers)) == len(files) and all(1 <= n <= MAX_ID for n in numbers)
    ids = numbers if good else list(range(1, len(files) + 1))
    mask: np.ndarray | None = None
    notes = ["No mask is named like a frame: each file is one object of the first frame."]
    overlap = 0
    for path, id in zip(files, ids, strict=True):
        picture = open_picture(path)
        one, _, more = to_ids([picture])
        present = len(ObjectIds.of(one[0]))
        if present != 1:
            what = f"it holds {present} objects" if present else "it holds no object"
            raise MaskError(
                f"{path}: its name is no frame's, so it should be the binary mask of one object, but {what}. "
                "Name masks like their frames (a video's are 000000, 000001, ...), or give the one file itself"
            )
        mask = np.zeros_like(one[0]) if mask is None else mask
        if mask.shape != one[0].shape:
            raise MaskError(f"{path}: {_words(one[0].shape)}, but {files[0].name} is {_words(mask.shape)}")
        overlap += np.count_nonzero(one[0] & (mask > 0))
        mask = np.where(one[0] > 0, np.uint8(id), mask)
        notes += [*(note for note in more if not note.startswith("Object ")), f"Object {id} is {path.name}."]
    if overlap:
        notes.append(f"The objects' masks overlap on {overlap} pixels; the later files are on top.")
    assert mask is not None
    if gone := sorted(set(ids) - set(ObjectIds.of(mask))):
        notes.append(f"Objects {gone} are covered by later files: left out.")
    return _Found({0: mask}, {0: files[0]}, {}, notes)


def _fit(found: _Found, source: object, size: tuple[int, int], resize: bool) -> MaskSet:
    """Masks at the frames' size, empty ones left out."""
    masks: dict[int, np.ndarray] = {}
    notes = list(found.notes)
    for frame, mask in found.masks.items():
        if mask.shape != tuple(size) and not resize:
            raise MaskSizeError(
                f"{found.origin[frame]}: the mask is {_words(mask.shape)}, the frames are {_words(size)} "
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
    return MaskSet(dict(sorted(masks.items())), ids, found.colours, tuple(dict.fromkeys(notes)))


def _words(size: tuple[int, ...]) -> str:
    """(H, W) as people say it: 640x360."""
    return f"{size[1]}x{size[0]}"
