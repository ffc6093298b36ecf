"""LabelMe's JSON: a file for each image, alone or in a folder."""

from __future__ import annotations

import base64
import io
import math
import warnings
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pictures

from camn.errors import MaskError, words_of
from camn.masks.contents import head, json_in
from camn.masks.labelled import SHOWN, Annotation, Document, Image, Key, Size, left_out, own_size, scalar
from camn.masks.labelled_masks import masks_of
from camn.masks.pictures import MAX_PIXELS
from camn.masks.reader import Found, Frames, Reader
from camn.masks.rle import fill_polygons
from camn.masks.shapes import fill_ellipse
from camn.masks.yolo import label_files

_REMEDY = "give the same object the same group id (1..255) in all files"


def is_labelme(content: Any) -> bool:
    return isinstance(content, dict) and "shapes" in content and "annotations" not in content


def labelme_document(path: Path, content: Any, video: Frames) -> Document:
    """One file. Raises MaskError."""
    return _document(path, {path: content})


def labelme_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.json")) if b'"shapes"' in head(path, 4096)]


def _read_folder(path: Path, video: Frames) -> Found:
    if label_files(path):
        raise MaskError(f"{path}: holds labels of two formats, LabelMe (.json) and YOLO (.txt); keep one of them")
    contents = {file: json_in(file) for file in labelme_files(path)}
    return masks_of(path, _document(path, contents), video)


def _document(path: Path, contents: Mapping[Path, Any]) -> Document:
    kinds: Counter[str] = Counter()
    images: dict[Key, Image] = {}
    found: list[Annotation] = []
    for file, content in contents.items():
        records = content.get("shapes") if is_labelme(content) else None
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise MaskError(f"{file}: no LabelMe file: 'shapes' must be a list of objects {{...}}")
        image = images[str(file)] = _image(file, content)
        where = "" if file == path else f"{file.name}, "
        for n, record in enumerate(records, 1):
            kind = record.get("shape_type", "polygon")
            if isinstance(kind, str) and kind in _DRAWN:
                found.append(_annotation(path, f"{where}shape {n} ({kind})", image, record))
            else:
                kinds[str(kind)[:SHOWN]] += 1
    notes = left_out(path, kinds, len(found))
    labels: dict[Key, str] = {one.category: str(one.category) for one in found if one.category is not None}
    # A group is an object over all files if each shape has one, of one label.
    groups = {(one.group, one.category) for one in found}
    tracks = all(one.group is not None for one in found) and len({group for group, _ in groups}) == len(groups)
    return Document(images, found, labels, "group id" if tracks else "", notes, remedy=_REMEDY)


def _image(file: Path, content: Mapping[str, Any]) -> Image:
    height, width = (scalar(file, "image", content, key) for key in ("imageHeight", "imageWidth"))
    name = content.get("imagePath")
    return Image(str(file), name if isinstance(name, str) and name else file.stem, (height, width))


def _annotation(path: Path, what: str, image: Image, record: Mapping[str, Any]) -> Annotation:
    label, group = scalar(path, what, record, "label"), scalar(path, what, record, "group_id")
    draw = partial(_drawn, record, image.size)
    return Annotation(what, None, image.id, label, draw, track=group, group=group)


def _drawn(record: Mapping[str, Any], own: tuple[Any, Any], given: Size) -> np.ndarray:
    return _DRAWN[record.get("shape_type", "polygon")](record, own_size(own, given))


def _points(record: Mapping[str, Any], count: int | None = None) -> list[list[float]]:
    points: Any = record.get("points")
    pairs = isinstance(points, list) and all(isinstance(point, list) and len(point) == 2 for point in points)
    if not pairs or (count and len(points) != count):
        raise MaskError(f"its 'points' are {points!r:.{SHOWN}}, not {count or 'three or more'} points [x, y]")
    if not all(type(x) in (int, float) and math.isfinite(x) and abs(x) <= MAX_PIXELS for one in points for x in one):
        raise MaskError("its 'points' are no numbers of pixels")
    return points


def _polygon(record: Mapping[str, Any], size: Size) -> np.ndarray:
    return fill_polygons([[x for point in _points(record) for x in point]], *size)


def _circle(record: Mapping[str, Any], size: Size) -> np.ndarray:
    (x, y), edge = _points(record, 2)
    radius = math.dist((x, y), edge)
    return fill_ellipse((x, y), (radius, radius), 0, *size)


def _mask(record: Mapping[str, Any], size: Size) -> np.ndarray:
    """A picture of the part between two points, the pixel of the second one being the last."""
    (left, top), _ = _points(record, 2)
    row, column = round(top), round(left)
    part = _picture(record.get("mask"))
    mask = np.zeros(size, bool)
    if min(row, column) < 0 or row + part.shape[0] > size[0] or column + part.shape[1] > size[1]:
        said = f"{part.shape[1]}x{part.shape[0]} at {column}, {row}"
        raise MaskError(f"its part of the picture, {said}, does not lie within {size[1]}x{size[0]} pixels")
    mask[row : row + part.shape[0], column : column + part.shape[1]] = part
    return mask


def _picture(text: Any) -> np.ndarray:
    """A PNG in Base64 -> (H, W) bool. Raises MaskError."""
    try:
        data = base64.b64decode(text, validate=True)
        with warnings.catch_warnings(), Pictures.open(io.BytesIO(data), formats=("PNG",)) as image:
            warnings.simplefilter("ignore", Pictures.DecompressionBombWarning)
            if image.width * image.height > MAX_PIXELS:
                raise ValueError("too many pixels")
            return np.array(image.convert("L")) > 0
    except Exception as error:  # Pillow's readers raise nearly anything on a broken file
        raise MaskError(f"its 'mask' is no PNG in Base64 ({words_of(error)})") from error


_DRAWN = {"polygon": _polygon, "circle": _circle, "mask": _mask}


def _recognises(path: Path, head: bytes) -> bool:
    return path.is_dir() and bool(labelme_files(path))


LABELME_FOLDER = Reader(_recognises, _read_folder, several=True)
