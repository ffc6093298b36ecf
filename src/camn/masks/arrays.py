"""Masks as NumPy saves them: `.npy`, and `.npz` with one array or several."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from camn.errors import MaskError, words_of
from camn.masks.contents import ZIP
from camn.masks.deep import to_greys
from camn.masks.ids import MAX_ID, ObjectIds, check_array
from camn.masks.objects_or_frames import APART, SAME, overlap
from camn.masks.picture_files import image_files, read_one, read_pictures
from camn.masks.pictures import MAX_PIXELS, Picture, to_ids
from camn.masks.reader import Found, Frames, Reader

MAGIC = b"\x93NUMPY"
_HOW = (
    "Give masks of frames as (frames, H, W) of ids 1, 2, ..., objects of one frame as one mask (H, W) of ids; or save "
    "an .npz with a mask (H, W) for each, called like the frames (000000, 000001, ...), or object_1, object_2, ..."
)


def _read(path: Path, video: Frames) -> Found:
    arrays = _arrays(path, video.most_pixels)
    if len(arrays) > 1:
        pictures = {path / name: _picture(path / name, array) for name, array in arrays.items()}
        return read_pictures(list(pictures), video, whole=False, opened=pictures)
    (name, array), *_ = arrays.items()
    array = array[0] if array.ndim == 3 and len(array) == 1 else array
    if array.ndim != 3 or 0 in array.shape:
        return read_one(_picture(path, array), video)
    return _stack(path, array, video)


def _read_folder(path: Path, video: Frames) -> Found:
    """A file for each mask, called like pictures of masks are."""
    pictures: dict[Path, Picture] = {}
    for file in _files(path):
        (array,) = _arrays(file, video.most_pixels).values()
        pictures[file.with_suffix("")] = _picture(file, array)
    return read_pictures(list(pictures), video, whole=False, opened=pictures)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.npy") if not path.name.startswith("."))


def _arrays(path: Path, most: int | None) -> dict[str, np.ndarray]:
    """The arrays of a file, by their names. Sizes are checked before anything is unpacked. Raises MaskError."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return {path.stem: _array(path, file, path.stat().st_size, most)}
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if one.filename.endswith(".npy")]
            found: dict[str, np.ndarray] = {}
            for one in members:
                with archive.open(one) as file:
                    name = one.filename.removesuffix(".npy")
                    found[name] = _array(path / name, file, one.file_size, most)
    except MaskError:
        raise
    except Exception as error:  # NumPy's readers raise nearly anything on a broken file
        raise MaskError(f"{path}: damaged or cut short ({words_of(error)}); save it again") from error
    if not found:
        raise MaskError(f"{path}: holds no array; save masks with numpy.savez_compressed")
    return found


def _array(where: Path, file: IO[bytes], size: int, most: int | None) -> np.ndarray:
    """One array. size: bytes that there are of it. most: pixels. Raises MaskError, and what NumPy raises."""
    file.seek(0)
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    shape, _, dtype = read(file) if read else ((), False, np.dtype(object))
    if dtype.hasobject or dtype.kind not in "biuf":
        raise MaskError(
            f"{where}: holds {dtype}, not numbers; Python objects (pickles) are not read, as they may run programs. "
            "Save masks as arrays of bool or whole numbers"
        )
    pixels = math.prod(shape)
    if pixels * dtype.itemsize > size:
        raise MaskError(f"{where}: its {shape} {dtype} do not fit into {size} bytes; it is cut short: save it again")
    if (most is not None and pixels > most) or math.prod(shape[-2:]) > MAX_PIXELS:
        raise MaskError(f"{where}: {shape} are too many pixels; split it into files of fewer frames")
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


def _picture(where: Path, array: np.ndarray) -> Picture:
    """A mask (H, W) of ids, of flags, or of 0 and another number. Raises MaskError."""
    try:
        check_array(array)
    except MaskError as error:
        raise MaskError(f"{where}: {error}") from error
    values = np.where(array, np.uint8(MAX_ID), np.uint8(0)) if array.dtype == np.bool_ else to_greys(where, array)
    return Picture(where, "grey", values)


def _stack(path: Path, array: np.ndarray, video: Frames) -> Found:
    """Masks (N, H, W): of objects on one frame, or of frames."""
    if array.shape[:2] == video.size and array.shape[1:] != video.size:
        raise MaskError(f"{path}: {array.shape} is (H, W, number); save numpy.moveaxis(array, 2, 0)")
    pictures = [_picture(path, one) for one in array]
    masks, _, notes = to_ids(pictures)
    if _is_of_objects(path, masks, pictures, video):
        return _objects(path, array, notes)
    placed = video.names.counted_from({f"mask {n}": n for n in range(len(masks))}, video.names.first or 0, path)
    found = {index: mask for index, mask in zip(placed.values(), masks, strict=True) if index is not None}
    told = f"{path}: its {len(masks)} masks are taken for those of the first {len(masks)} frames."
    return Found(found, dict.fromkeys(found, path), {}, [told, *notes])


def _is_of_objects(path: Path, masks: list[np.ndarray], pictures: list[Picture], video: Frames) -> bool:
    """By what is there: several ids on one mask are on a frame; masks of one object that nearly stays are frames, such
    that do not overlap objects. Raises MaskError where that leaves it open."""
    ids = [ObjectIds.of(mask).ids for mask in masks]
    if any(len(one) > 1 for one in ids):
        return False
    shown = [one for one in ids if one]
    several = len(set(shown)) > 1
    if several and len(set(shown)) == len(shown) == len(masks):
        return True  # each its own id
    fits = video.names.count is None or len(masks) <= video.names.count
    shared = overlap(pictures)
    if several or (fits and shared >= SAME) or len(masks) > MAX_ID:
        return False
    if shared <= APART and len(shown) == len(masks) and not (fits and len(masks) == video.names.count):
        return True
    raise MaskError(f"{path}: are its {len(masks)} masks of frames, or of objects of one frame? {_HOW}")


def _objects(path: Path, array: np.ndarray, notes: list[str]) -> Found:
    """One mask of all: the ids are those in the array, or 1, 2, ..."""
    mask, hidden = np.zeros(array.shape[1:], np.uint8), 0
    own = [int(one.max()) for one in array]
    ids = own if len(set(own)) == len(own) and max(own) <= MAX_ID else range(1, len(array) + 1)
    for id, one in zip(ids, array != 0, strict=True):
        hidden += np.count_nonzero(one & (mask > 0))
        mask[one] = id
    told = f"{path}: its {len(array)} masks are taken for those of {len(array)} objects of one frame."
    over = [f"{path}: masks overlap on {hidden} pixels; the later ones are on top."] if hidden else []
    return Found({0: mask}, {0: path}, {}, [told, *over, *notes], unplaced=True)


def _recognises(path: Path, head: bytes) -> bool:
    if head.startswith(MAGIC):
        return True
    if not head.startswith(ZIP):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(one.filename.endswith(".npy") for one in archive.infolist())
    except Exception:  # a zip that is damaged is judged by its suffix
        return False


ARRAY_FOLDER = Reader(
    lambda path, head: path.is_dir() and bool(_files(path)) and not image_files(path), _read_folder, several=True
)
ARRAYS = Reader(_recognises, _read, suffixes=(".npy", ".npz"), accept=(".npy", ".npz"), several=True)
