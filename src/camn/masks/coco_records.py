"""What a COCO JSON says: its images, annotations and categories, with values of the types that they should have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camn.errors import MaskError

Key = int | str | None
_IDENTITIES = ("track_id", "object_id", "instance_id")
_SHOWN = 40  # characters of what is wrong


@dataclass(frozen=True)
class Image:
    """id: None of a list of annotations alone. name: file_name, empty if there is none. size: (H, W) as far as said."""

    id: Key
    name: str
    size: tuple[Any, Any] = (None, None)


@dataclass(frozen=True)
class Annotation:
    """what: to call it in messages. track: what says which annotations are the same object."""

    what: str
    id: Key
    image: Key
    category: Key
    track: Key
    segmentation: Any


@dataclass(frozen=True)
class Document:
    """images by id, those of a file without a list as far as annotations name them. track: the key of tracks."""

    images: Mapping[Key, Image]
    annotations: Sequence[Annotation]
    categories: Mapping[Key, str]
    track: str
    listed: bool


def read_document(path: Path) -> Document:
    """An instances file, a plain list of annotations, or one annotation. Raises MaskError that names file and key."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise MaskError(f"{path}: not valid JSON ({error})") from error
    if isinstance(document, dict) and "segmentation" in document:
        document = [document]
    if isinstance(document, list):
        document = {"annotations": document}
    images, annotations, categories = (_records(path, document, key) for key in ("images", "annotations", "categories"))
    if not annotations:
        raise MaskError(f"{path}: holds no annotations, so no object to follow")
    track = _track_key(path, annotations)
    found = [_annotation(path, n, record, track) for n, record in enumerate(annotations, 1)]
    pictures = [_image(path, n, record) for n, record in enumerate(images, 1)]
    by_id = {image.id: image for image in pictures}
    if twice := next((one for one in pictures if by_id[one.id].name != one.name), None):
        names = f"'{twice.name}' and '{by_id[twice.id].name}'"
        raise MaskError(
            f"{path}: images {names} have one id, {twice.id}; give each its own, and annotations its 'image_id'"
        )
    if lost := sorted({str(one.image) for one in found if images and one.image not in by_id}):
        raise MaskError(f"{path}: annotations of images that the file does not list: {', '.join(lost[:5])}")
    names = {}
    for n, record in enumerate(categories, 1):
        name = _scalar(path, f"category {n}", record, "name")
        if name is not None:
            names[_scalar(path, f"category {n}", record, "id")] = str(name)
    return Document(by_id or {one.image: Image(one.image, "") for one in found}, found, names, track, bool(images))


def _records(path: Path, document: Any, key: str) -> list[dict[str, Any]]:
    records = document.get(key, []) if isinstance(document, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise MaskError(f"{path}: no COCO file: '{key}' must be a list of objects {{...}}")
    return records


def _image(path: Path, number: int, record: dict[str, Any]) -> Image:
    what = f"image {number}"
    name = record.get("file_name")
    if not isinstance(name, (str, type(None))):
        raise MaskError(f"{path}: {what}: 'file_name' must be a string, not {name!r:.{_SHOWN}}")
    height, width = (_scalar(path, what, record, key) for key in ("height", "width"))
    return Image(_scalar(path, what, record, "id"), name or "", (height, width))


def _annotation(path: Path, number: int, record: dict[str, Any], track: str) -> Annotation:
    id = _scalar(path, f"annotation {number}", record, "id")
    what = f"annotation {number if id is None else id}"
    image, category = (_scalar(path, what, record, key) for key in ("image_id", "category_id"))
    holder, _, key = track.rpartition(".")
    said = _scalar(path, what, record[holder] if holder else record, key) if track else None
    return Annotation(what, id, image, category, said, record.get("segmentation"))


def _track_key(path: Path, annotations: Sequence[dict[str, Any]]) -> str:
    """The key by which all annotations say which object they show, empty if they do not. Raises MaskError where some
    say it and some do not, on several images."""
    keys = [*_IDENTITIES, *(f"attributes.{key}" for key in _IDENTITIES)]
    given = {key: [_inner(record, key) is not None for record in annotations] for key in keys}
    if whole := [key for key in keys if all(given[key])]:
        return whole[0]
    part = [key for key in keys if any(given[key])]
    if part and len({str(record.get("image_id")) for record in annotations}) > 1:
        raise MaskError(
            f"{path}: annotation {given[part[0]].index(False) + 1} has no '{part[0]}', others have: "
            "give every annotation one, the same for the same object"
        )
    return ""


def _inner(record: dict[str, Any], key: str) -> Any:
    holder, _, key = key.rpartition(".")
    inside = record.get(holder) if holder else record
    return inside.get(key) if isinstance(inside, dict) else None


def _scalar(path: Path, what: str, record: dict[str, Any], key: str) -> Key:
    """A number or a text; 3.0 and "3" are 3. Raises MaskError for anything else."""
    value = record.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19 and str(int(value)) == value:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str, type(None))):
        raise MaskError(f"{path}: {what}: '{key}' must be a number or a string, not {value!r:.{_SHOWN}}")
    return value
