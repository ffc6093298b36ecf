"""COCO JSON: instances files, plain lists of annotations, and our own `segments.json`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from camn.errors import MaskError
from camn.masks.labelled import (
    SHOWN,
    Annotation,
    Document,
    Image,
    Key,
    Size,
    checked_size,
    left_out,
    scalar,
    track_key,
    track_of,
)
from camn.masks.reader import Frames
from camn.masks.rle import decode_rle, fill_polygons


def coco_document(path: Path, document: Any, video: Frames) -> Document:
    """An instances file, a plain list of annotations, or one annotation. Raises MaskError that names file and key."""
    if isinstance(document, dict) and "segmentation" in document:
        document = [document]
    if isinstance(document, list):
        document = {"annotations": document}
    images, annotations, categories = (
        records_of(path, document, key) for key in ("images", "annotations", "categories")
    )
    if not annotations:
        raise MaskError(f"{path}: holds no annotations, so no object to follow")
    boxes = [one for one in annotations if not one.get("segmentation") and one.get("bbox")]
    notes = left_out(path, {"box": len(boxes)} if boxes else {}, len(annotations) - len(boxes))
    annotations = [one for one in annotations if one.get("segmentation") or not one.get("bbox")]
    track = track_key(path, annotations)
    pictures = [_image(path, n, record) for n, record in enumerate(images, 1)]
    by_id = {image.id: image for image in pictures}
    found = [_annotation(path, n, record, track, by_id) for n, record in enumerate(annotations, 1)]
    if twice := next((one for one in pictures if by_id[one.id].name != one.name), None):
        names = f"'{twice.name}' and '{by_id[twice.id].name}'"
        raise MaskError(
            f"{path}: images {names} have one id, {twice.id}; give each its own, and annotations its 'image_id'"
        )
    if lost := sorted({str(one.image) for one in found if images and one.image not in by_id}):
        raise MaskError(f"{path}: annotations of images that the file does not list: {', '.join(lost[:5])}")
    names = categories_of(path, categories)
    return Document(by_id or {one.image: Image(one.image, "") for one in found}, found, names, track, notes)


def categories_of(path: Path, records: list[dict[str, Any]]) -> dict[Key, str]:
    """Their names by id."""
    told = [(f"category {n}", record) for n, record in enumerate(records, 1)]
    names = {scalar(path, what, record, "id"): scalar(path, what, record, "name") for what, record in told}
    return {id: str(name) for id, name in names.items() if name is not None}


def records_of(path: Path, document: Any, key: str) -> list[dict[str, Any]]:
    records = document.get(key, []) if isinstance(document, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise MaskError(f"{path}: no COCO file: '{key}' must be a list of objects {{...}}")
    return records


def _image(path: Path, number: int, record: dict[str, Any]) -> Image:
    what = f"image {number}"
    name = record.get("file_name")
    if not isinstance(name, (str, type(None))):
        raise MaskError(f"{path}: {what}: 'file_name' must be a string, not {name!r:.{SHOWN}}")
    height, width = (scalar(path, what, record, key) for key in ("height", "width"))
    return Image(scalar(path, what, record, "id"), name or "", (height, width))


def _annotation(path: Path, number: int, record: dict[str, Any], track: str, images: Mapping[Key, Image]) -> Annotation:
    id = scalar(path, f"annotation {number}", record, "id")
    what = f"annotation {number if id is None else id}"
    image, category = (scalar(path, what, record, key) for key in ("image_id", "category_id"))
    size = images[image].size if image in images else (None, None)
    draw = partial(binary_of, record.get("segmentation"), size)
    return Annotation(what, id, image, category, draw, track_of(path, what, record, track))


def binary_of(segmentation: Any, own: tuple[Any, Any], given: Size) -> np.ndarray:
    """A `segmentation` -> (H, W) bool; an RLE has its own size, polygons that of the image, `own`, or the frames'.
    Raises MaskError."""
    size = (own[0] or given[0], own[1] or given[1])
    if isinstance(segmentation, list):
        return fill_polygons(segmentation, *checked_size(size))
    if isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), (str, list)):
        return decode_rle(segmentation["counts"], *checked_size(segmentation.get("size", size)))
    raise MaskError("its 'segmentation' is neither polygons nor RLE {'size': [H, W], 'counts': ...}")
