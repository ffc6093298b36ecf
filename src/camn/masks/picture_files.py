"""Masks as pictures: one file, a folder of them, or a list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from camn.errors import MaskError
from camn.masks.frame_names import is_image_name
from camn.masks.ids import MAX_ID, ObjectIds
from camn.masks.pictures import is_picture, open_picture, to_ids
from camn.masks.reader import Found, Frames, Reader
from camn.masks.sizes import in_words


def _image_files(folder: Path) -> list[Path]:
    """A folder's image files in natural order (2 before 10)."""
    files = [path for path in folder.iterdir() if is_image_name(path.name) and not path.name.startswith(".")]
    if not files:
        raise MaskError(f"{folder}: no mask images in this folder")
    return sorted(files, key=lambda path: [(int(n or 0), s) for n, s in re.findall(r"(\d+)|(\D+)", path.name)])


def _read_file(path: Path, frames: Frames) -> Found:
    """One file: the first frame's mask."""
    masks, colours, notes = to_ids([open_picture(path)])
    if frames.names.index(path.name):
        notes.append(
            f"{path}: used for the first frame, though its name is that of frame {frames.names.index(path.name)} "
            "(0 is the first); give its folder to use it there."
        )
    return Found({0: masks[0]}, {0: path}, colours, notes, unplaced=True)


def _read_folder(path: Path, frames: Frames) -> Found:
    return read_pictures(_image_files(path), frames, whole=False)


def read_pictures(files: Sequence[Path], frames: Frames, whole: bool) -> Found:
    """Files named like frames (all must be when `whole`), else one per object."""
    if not files:
        raise MaskError("an empty list of masks; give at least one file")
    indices = [frames.names.index(path.name) for path in files]
    matched = {frame: path for frame, path in zip(indices, files, strict=True) if frame is not None}
    if not matched or (whole and len(matched) < len(files)):
        return _per_object(files)
    taken = sum(frame is not None for frame in indices)
    if taken > len(matched):
        raise MaskError(
            f"{files[0].parent}: {taken} masks for {len(matched)} frames: some frame has two; keep one each"
        )
    matched = dict(sorted(matched.items()))
    pictures = [open_picture(path) for path in matched.values()]
    masks, colours, notes = to_ids(pictures)
    if left := [path.name for path, frame in zip(files, indices, strict=True) if frame is None]:
        notes.append(f"{len(left)} of {len(files)} masks are named like no frame and left out: {', '.join(left[:5])}.")
    stated = {frame: one.stated for frame, one in zip(matched, pictures, strict=True) if one.stated is not None}
    return Found(dict(zip(matched, masks, strict=True)), matched, colours, notes, stated=stated)


def _per_object(files: Sequence[Path]) -> Found:
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
            raise MaskError(f"{path}: {in_words(one[0].shape)}, but {files[0].name} is {in_words(mask.shape)}")
        overlap += np.count_nonzero(one[0] & (mask > 0))
        mask = np.where(one[0] > 0, np.uint8(id), mask)
        notes += [*(note for note in more if not note.startswith("Object ")), f"Object {id} is {path.name}."]
    if overlap:
        notes.append(f"The objects' masks overlap on {overlap} pixels; the later files are on top.")
    assert mask is not None
    if gone := sorted(set(ids) - set(ObjectIds.of(mask))):
        notes.append(f"Objects {gone} are covered by later files: left out.")
    return Found({0: mask}, {0: files[0]}, {}, notes, unplaced=True)


FOLDER = Reader(lambda path, head: path.is_dir(), _read_folder)
PICTURE = Reader(lambda path, head: is_picture(path), _read_file, accept=("image/*",))
