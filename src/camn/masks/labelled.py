"""What files of annotations say, whatever their format: images, and the labelled shapes on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from camn.errors import MaskError
from camn.masks.pictures import MAX_PIXELS

Key = int | str | None
Size = tuple[int, int]
IDENTITIES = ("track_id", "object_id", "instance_id")
NO_MASK = (
    "a box, a line or a point does not say which pixels are the object's: draw masks or polygons, or give a box with "
    "--box, a point with --click"
)
SHOWN = 40  # characters of what is wrong
_LONGEST = 100  # characters of a name


@dataclass(frozen=True)
class Image:
    """id: None of a list of annotations alone. name: of its file, empty if there is none. size: (H, W) as far as
    said."""

    id: Key
    name: str
    size: tuple[Any, Any] = (None, None)


@dataclass(frozen=True)
class Annotation:
    """A shape of an object on an image. draw: gives it as (H, W) bool, at the size given where the file says none;
    raises MaskError.

    what: to call it in messages. track: what says on which images the object is the same. group: what says which shapes
    of one image and category are one object. order: later in it is on top; of those with the same the later one."""

    what: str
    id: Key
    image: Key
    category: Key
    draw: Callable[[Size], np.ndarray]
    track: Key = None
    group: Key = None
    order: int = 0


@dataclass(frozen=True)
class Document:
    """categories: their names. track: what tracks are called in
    the file, empty if not all annotations have one. counted: an image's id is its frame, counted from 0. remedy: what
    to do where nothing says which shapes on several images are one object."""

    images: Mapping[Key, Image]
    annotations: Sequence[Annotation]
    categories: Mapping[Key, str]
    track: str = ""
    notes: Sequence[str] = ()
    counted: bool = False
    remedy: str = "give every annotation a 'track_id' (1..255)"


def scalar(path: Path, what: str, record: Mapping[str, Any], key: str) -> Key:
    """A number or a text; 3.0 and "3" are 3. Raises MaskError for anything else."""
    value = record.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19 and str(int(value)) == value:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str, type(None))):
        raise MaskError(f"{path}: {what}: '{key}' must be a number or a string, not {value!r:.{SHOWN}}")
    return value


def track_key(path: Path, records: Sequence[Mapping[str, Any]]) -> str:
    """The key by which all annotations say which object they show, empty if they do not. Raises MaskError where some
    say it and some do not, on several images."""
    keys = [*IDENTITIES, *(f"attributes.{key}" for key in IDENTITIES)]
    given = {key: [_inner(record, key) is not None for record in records] for key in keys}
    if whole := [key for key in keys if all(given[key])]:
        return whole[0]
    part = [key for key in keys if any(given[key])]
    if part and len({str(record.get("image_id")) for record in records}) > 1:
        raise MaskError(
            f"{path}: annotation {given[part[0]].index(False) + 1} has no '{part[0]}', others have: "
            "give every annotation one, the same for the same object"
        )
    return ""


def track_of(path: Path, what: str, record: Mapping[str, Any], track: str) -> Key:
    """What an annotation says under the key that `track_key` found."""
    holder, _, key = track.rpartition(".")
    return scalar(path, what, record[holder] if holder else record, key) if track else None


def _inner(record: Mapping[str, Any], key: str) -> Any:
    holder, _, key = key.rpartition(".")
    inside = record.get(holder) if holder else record
    return inside.get(key) if isinstance(inside, dict) else None


def left_out(path: Path, kinds: Mapping[str, int], shapes: int) -> list[str]:
    """A note of shapes that are no masks, by kind. Raises MaskError if there are no others. shapes: how many these
    are."""
    said = ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
    if not shapes:
        raise MaskError(f"{path}: holds no masks or polygons{f', but {said}; {NO_MASK}' if said else ''}")
    return [f"{path}: left out: {said}; {NO_MASK}."] if said else []


def called(names: Mapping[int, str]) -> list[str]:
    """Notes of what objects are called, by id, but for names that say no more than the id."""
    return [f"Object {id} is '{_shown(name)}'." for id, name in names.items() if name != f"object {id}"]


def _shown(name: str) -> str:
    """On one line, without what would command a terminal; of a long one the beginning."""
    plain = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in name[:_LONGEST])
    return plain + "..." * (len(name) > _LONGEST)


def checked_size(size: Any) -> Size:
    """An image size (height, width). Raises MaskError."""
    if (
        not isinstance(size, (list, tuple))
        or len(size) != 2
        or not all(type(side) is int and side > 0 for side in size)
        or size[0] * size[1] > MAX_PIXELS
    ):
        raise MaskError(f"'size' or 'height' and 'width' are {size!r:.80}: no image size (height, width)")
    return size[0], size[1]


def own_size(own: tuple[Any, Any], given: Size) -> Size:
    """That of an image as far as it is said, else the one given. Raises MaskError."""
    return checked_size((own[0] or given[0], own[1] or given[1]))
