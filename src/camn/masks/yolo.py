"""YOLO segmentation: text files of polygons, one for each image, in the folder of a data set or alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import yaml

from camn.errors import MaskError, words_of
from camn.files import text_of
from camn.masks.labelled import Annotation, Document, Image, Key, Size, left_out
from camn.masks.labelled_masks import masks_of
from camn.masks.reader import Found, Frames, Reader
from camn.masks.rle import fill_polygons

_LINE = re.compile(rb"(\xef\xbb\xbf)?\s*[0-9]+(\s+[-+.0-9eE]+){4,}\s*(\n|$)")
_LISTS = ("data.yaml", "data.yml", "dataset.yaml")
_PLAIN = ("classes.txt", "obj.names")  # a name a line
_LARGEST = 1 << 20  # bytes of a list of names
_REMEDY = "nothing in YOLO's files says it: give the file of one frame alone, or each object a class of its own"


def label_files(folder: Path) -> list[Path]:
    """The files of labels in a folder, or in that of a data set."""
    inner = folder / "labels"
    files = sorted(inner.rglob("*.txt") if inner.is_dir() else folder.glob("*.txt"))
    return [path for path in files if path.name not in _PLAIN and _is_labels(path)]


def _is_labels(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return bool(_LINE.match(file.read(4096)))
    except OSError:
        return False


def _read_folder(path: Path, video: Frames) -> Found:
    return _read(path, label_files(path), video)


def _read_file(path: Path, video: Frames) -> Found:
    return _read(path, [path], video)


def _read(path: Path, files: Sequence[Path], video: Frames) -> Found:
    kinds: Counter[str] = Counter()
    images: dict[Key, Image] = {str(file): Image(str(file), file.stem) for file in files}
    found = [one for file in files for one in _lines(path, file, kinds)]
    notes = left_out(path, kinds, len(found))
    names = _names(path, video.around)
    return masks_of(path, Document(images, found, names, notes=notes, remedy=_REMEDY), video)


def _lines(path: Path, file: Path, kinds: Counter[str]) -> list[Annotation]:
    """A polygon a line: the class, then x and y of each point as shares of width and height. Raises MaskError."""
    try:
        lines = text_of(file.read_bytes()).splitlines()
    except (OSError, ValueError) as error:
        raise MaskError(f"{file}: cannot be read as text ({error})") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not (words := line.split()):
            continue
        what = f"line {number}" if file == path else f"{file.name}, line {number}"
        try:
            category, values = int(words[0]), [float(word) for word in words[1:]]
        except ValueError:
            raise MaskError(f"{path}: {what}: {line!r:.40} is no class and coordinates") from None
        if len(values) in (4, 5):
            kinds["box"] += 1
        elif len(values) % 2:
            raise MaskError(
                f"{path}: {what}: an odd number of coordinates; save labels without confidences (save_conf)"
            )
        elif not all(-1 <= value <= 2 for value in values):
            raise MaskError(f"{path}: {what}: coordinates are shares of width and height, 0 to 1, not pixels")
        else:
            found.append(Annotation(what, number, str(file), category, partial(_drawn, values)))
    return found


def _drawn(values: Sequence[float], size: Size) -> np.ndarray:
    height, width = size
    points = [value * (height if n % 2 else width) for n, value in enumerate(values)]
    return fill_polygons([points], height, width)


def _names(path: Path, around: bool) -> dict[Key, str]:
    """What classes are called, by a list in this folder or (around) in one above."""
    folders = [*([path] if path.is_dir() else []), *(path.absolute().parents[:3] if around else [])]
    lists = (folder / name for folder in folders for name in (*_LISTS, *_PLAIN))
    found = next((one for one in lists if one.is_file()), None)
    if found is None:
        return {}
    try:
        with found.open("rb") as file:
            text = text_of(file.read(_LARGEST))
        names = text.splitlines() if found.name in _PLAIN else yaml.safe_load(text)["names"]
    except Exception as error:  # PyYAML raises nearly anything on values of other kinds than they say
        raise MaskError(f"{found}: names of classes cannot be read ({words_of(error)})") from error
    if not isinstance(names, (list, dict)):
        raise MaskError(f"{found}: 'names' must be a list of classes, or numbers and their names")
    pairs = enumerate(names) if isinstance(names, list) else names.items()
    return {number: str(name) for number, name in pairs if isinstance(number, int) and isinstance(name, (str, int))}


YOLO = Reader(lambda path, head: bool(_LINE.match(head)), _read_file, accept=(".txt",))
YOLO_FOLDER = Reader(lambda path, head: path.is_dir() and bool(label_files(path)), _read_folder, several=True)
