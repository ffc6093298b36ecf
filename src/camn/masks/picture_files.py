"""Masks as pictures: one file, a folder of them, or a list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from camn.errors import MaskError
from camn.masks.frame_names import is_image_name, stem
from camn.masks.ids import MAX_ID, ObjectIds
from camn.masks.numbers import SAID, Numbers, find_numbers
from camn.masks.objects_or_frames import HOW, nearly_one, taken_for
from camn.masks.pictures import ANNOTATIONS, Picture, is_picture, open_picture, to_ids
from camn.masks.reader import Found, Frames, Reader
from camn.masks.sizes import in_words

OVERLAY = "-overlay.png"  # how the name of a picture ends that shows a mask over its frame, beside the mask


def image_files(folder: Path) -> list[Path]:
    """A folder's image files in natural order (2 before 10), without the pictures NAME-overlay.png of `camn mark`."""
    files = [path for path in folder.iterdir() if is_image_name(path.name) and not path.name.startswith(".")]
    names = {path.name for path in files}
    files = [path for path in files if path.name.replace(OVERLAY, ".png") not in names - {path.name}]
    return sorted(files, key=lambda path: [(int(n or 0), s) for n, s in re.findall(r"(\d+)|(\D+)", path.name)])


def _need_images(folder: Path) -> list[Path]:
    """The image files of a folder that is to have some. Raises MaskError, which says what it has."""
    if files := image_files(folder):
        return files
    seen = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    inner = [path.name for path in seen if path.is_dir()]
    others = [path.name for path in seen if path.suffix.lower() in ANNOTATIONS]
    more = f", but the folders {', '.join(inner[:5])}; give one that holds masks" if inner else ""
    more = f", but {', '.join(others[:5])}; give such a file itself" if others else more
    raise MaskError(f"{folder}: no mask images in this folder{more}")


def _read_file(path: Path, frames: Frames) -> Found:
    return read_one(open_picture(path), frames)


def read_one(picture: Picture, frames: Frames) -> Found:
    """One file: the first frame's mask, unless `frames` say which number the first one bears."""
    path = picture.path
    masks, colours, notes = to_ids([picture])
    stated = {} if picture.stated is None else {0: picture.stated}
    number = found.numbers[0] if (found := find_numbers([stem(path.name)])) else None
    if number is not None and frames.names.first is not None:
        frame = frames.names.place({path.name: number}, path.parent).frames[path.name] or 0
        return Found({frame: masks[0]}, {frame: path}, colours, notes)
    frame = frames.names.exact(path.name)
    if frame is None and number is not None and found and found.says in SAID and frames.names.fit([number]):
        frame = frames.names.index(number)
    if frame:
        notes.append(
            f"{path}: used for the first frame, though its name is that of frame {frame} "
            "(0 is the first); give its folder to use it there, or --first-frame, the number that the first one bears."
        )
    return Found({0: masks[0]}, {0: path}, colours, notes, unplaced=True, stated=stated)


def _read_folder(path: Path, frames: Frames) -> Found:
    return read_pictures(_need_images(path), frames, whole=False)


def read_pictures(
    files: Sequence[Path], frames: Frames, whole: bool, opened: Mapping[Path, Picture] | None = None
) -> Found:
    """Files named like frames, or with the frames' numbers in their names (all must be when `whole`); else one per
    object of the first frame. Where names leave it open, what the files show decides. opened: what was read of them."""
    pictures = dict(opened or {})
    if not files:
        raise MaskError("an empty list of masks; give at least one file")
    if lost := next((path for path in files if path not in pictures and not path.exists()), None):
        open_picture(lost)  # says so, before names are compared
    names, folder = [path.name for path in files], files[0].parent
    indices = [frames.names.exact(name) for name in names]
    notes: list[str] = []
    if None in indices and (found := find_numbers([stem(name) for name in names], frames.names.fit)):
        exact = any(index is not None for index in indices)
        numbered = {n: number for n, number in zip(names, found.numbers, strict=True) if number is not None}
        sure = exact or frames.names.first is not None or found.says == "frames"
        if not sure:
            shown = {path: pictures.get(path) or open_picture(path) for path in files if path.name in numbered}
            sure = taken_for(folder, numbered, found, list(shown.values()), frames.names) == "frames"
            pictures |= shown
        if sure:
            _one_pattern(folder, found)
            placed = frames.names.place(numbered, folder, matched=exact)
            if found.says not in SAID and None in placed.frames.values():
                lost = [name for name, index in placed.frames.items() if index is None]
                raise MaskError(
                    f"{folder}: {len(lost)} of {len(files)} files have numbers of no frame ({lost[0]}). {HOW}"
                )
            indices = [placed.frames.get(name) if index is None else index for name, index in zip(names, indices)]
            notes += [*([] if placed.moved else _told(names, indices, found)), *placed.notes]
    elif frames.names.first is not None:
        raise MaskError(f"{folder}: no number in the names of the masks ({names[0]}), so --first-frame says nothing")
    if all(index is None for index in indices) or (whole and None in indices):
        return _per_object(files, pictures)
    return _by_frame(files, indices, pictures, notes)


def _one_pattern(folder: Path, found: Numbers) -> None:
    if found.rivals:
        raise MaskError(
            f"{folder}: {' and '.join(found.rivals)} are two masks of one frame, by their names; "
            "keep one of them for each frame (objects of one frame go into one file, each in its own id)"
        )


def _told(names: Sequence[str], indices: Sequence[int | None], found: Numbers) -> list[str]:
    """What was made of names that are more than a frame's number."""
    known = [(name, index) for name, index in zip(names, indices, strict=True) if index is not None]
    if found.says == "frames" and all(stem(name).isdigit() for name, _ in known):
        return []
    shown = ", ".join(f"{name} is of frame {index}" for name, index in known[:2])
    return [f"The numbers in the masks' names are taken for frames: {shown} (0 is the first)."] if known else []


def _by_frame(
    files: Sequence[Path], indices: Sequence[int | None], pictures: dict[Path, Picture], notes: list[str]
) -> Found:
    """The masks of the frames of these indices; what is of none is left out."""
    matched = {frame: path for frame, path in zip(indices, files, strict=True) if frame is not None}
    taken = sum(frame is not None for frame in indices)
    if taken > len(matched):
        raise MaskError(
            f"{files[0].parent}: {taken} masks for {len(matched)} frames: some frame has two; keep one each"
        )
    matched = dict(sorted(matched.items()))
    opened = [pictures.get(path) or open_picture(path) for path in matched.values()]
    masks, colours, more = to_ids(opened)
    if left := [path.name for path, frame in zip(files, indices, strict=True) if frame is None]:
        more.append(f"{len(left)} of {len(files)} masks are named like no frame and left out: {', '.join(left[:5])}.")
    stated = {frame: one.stated for frame, one in zip(matched, opened, strict=True) if one.stated is not None}
    return Found(dict(zip(matched, masks, strict=True)), matched, colours, notes + more, stated=stated)


def _per_object(files: Sequence[Path], pictures: dict[Path, Picture]) -> Found:
    """One binary file per object, all of the first frame. Ids are the numbers that names end in, else 1, 2, ..."""
    if len(files) > MAX_ID:
        raise MaskError(f"{files[0].parent}: {len(files)} files, each an object; at most {MAX_ID} can be told apart")
    numbers = [int(match[0]) if (match := re.search(r"\d{1,9}$", path.stem)) else 0 for path in files]
    good = len(set(numbers)) == len(files) and all(1 <= n <= MAX_ID for n in numbers)
    ids = numbers if good else list(range(1, len(files) + 1))
    notes = ["No mask is named like a frame: each file is one object of the first frame."]
    shown: list[np.ndarray] = []
    for path, id in zip(files, ids, strict=True):
        one, more = _one_object(path, pictures.get(path) or open_picture(path))
        if shown and shown[0].shape != one.shape:
            raise MaskError(f"{path}: {in_words(one.shape)}, but {files[0].name} is {in_words(shown[0].shape)}")
        shown.append(one)
        notes += [*(note for note in more if not note.startswith("Object ")), f"Object {id} is {path.name}."]
    if same := nearly_one(shown):
        raise MaskError(
            f"{files[0].parent}: {files[same[0]].name} and {files[same[1]].name} show nearly the same pixels, so they "
            f"are no two objects of one frame. {HOW}"
        )
    mask, overlap = np.zeros_like(shown[0], np.uint8), 0
    for one, id in zip(shown, ids, strict=True):
        overlap += np.count_nonzero(one & (mask > 0))
        mask = np.where(one, np.uint8(id), mask)
    if overlap:
        notes.append(f"The objects' masks overlap on {overlap} pixels; the later files are on top.")
    if gone := sorted(set(ids) - set(ObjectIds.of(mask))):
        notes.append(f"Objects {gone} are covered by later files: left out.")
    return Found({0: mask}, {0: files[0]}, {}, notes, unplaced=True)


def _one_object(path: Path, picture: Picture) -> tuple[np.ndarray, list[str]]:
    """(its pixels (H, W) bool; notes) of a file that shows one object."""
    masks, _, notes = to_ids([picture])
    present = len(ObjectIds.of(masks[0]))
    if present != 1:
        what = f"it holds {present} objects" if present else "it holds no object"
        raise MaskError(
            f"{path}: its name is no frame's, so it should be the binary mask of one object, but {what}. "
            "Name masks like their frames (a video's are 000000, 000001, ...), or give the one file itself"
        )
    return masks[0] > 0, notes


FOLDER = Reader(lambda path, head: path.is_dir(), _read_folder)
PICTURE = Reader(lambda path, head: is_picture(path), _read_file, accept=("image/*",))
