"""CVAT's XML, version 1.1, for videos (tracks) and for images; also within the zip in which CVAT hands it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from camn.errors import MaskError
from camn.masks.contents import xml_in
from camn.masks.labelled import (
    Annotation,
    Document,
    Image,
    Key,
    Size,
    left_out,
    own_size,
    scalar,
    track_key,
    track_of,
)
from camn.masks.labelled_masks import masks_of
from camn.masks.pictures import MAX_PIXELS
from camn.masks.reader import Found, Frames, Reader
from camn.masks.rle import decode_rows, fill_polygons
from camn.masks.shapes import fill_ellipse

_OTHERS = ("box", "polyline", "points", "cuboid", "skeleton")  # shapes that are no masks
_BETWEEN = "polygons and masks between keyframes are CVAT's guess: left out"
_REMEDY = "draw tracks, and export as 'CVAT for video 1.1'; or give each object a label of its own"


def read_cvat(path: Path, video: Frames) -> Found:
    """Masks, polygons and ellipses; of tracks those at keyframes, an empty one where the object is outside."""
    root = xml_in(path)
    if root.tag != "annotations":
        raise MaskError(f"{path}: no CVAT file: its root is <{root.tag:.40}>, not <annotations>")
    tracks, images = root.findall("track"), root.findall("image")
    if tracks and images:
        raise MaskError(
            f"{path}: holds tracks and images; export it as 'CVAT for video 1.1', or as '... for images 1.1'"
        )
    return masks_of(path, _of_tracks(path, root, tracks) if tracks else _of_images(path, images), video)


def _of_tracks(path: Path, root: Element, tracks: Sequence[Element]) -> Document:
    tasks = {name for track in tracks if (name := track.get("task_id"))}
    if len(tasks) > 1:
        raise MaskError(f"{path}: tracks of {len(tasks)} tasks ({', '.join(sorted(tasks)[:5])}); export the one task")
    size = _size(path, root.find(".//original_size"))
    kinds: Counter[str] = Counter()
    found: list[Annotation] = []
    ends: list[Annotation] = []  # of objects that are outside
    skipped = 0
    for n, (track, said) in enumerate(zip(tracks, _objects(path, tracks), strict=True), 1):
        id = track.get("id", n)
        for shape in _shapes(track, kinds):
            if shape.get("keyframe", "1") != "1":
                skipped += 1
                continue
            frame = scalar(path, f"track {id}", shape.attrib, "frame")
            if not isinstance(frame, int):
                raise MaskError(f"{path}: track {id}: 'frame' is {frame!r:.40}: no number of a frame")
            what = f"track {id}, frame {frame}, {shape.tag}"
            gone = shape.get("outside") == "1"
            label = track.get("label")
            order = _z_order(path, what, shape)
            draw = partial(_sized, _empty if gone else partial(_drawn, shape), size)
            (ends if gone else found).append(Annotation(what, None, frame, label, draw, track=said, order=order))
    shown = {(one.image, one.track) for one in found}
    found += [one for one in ends if (one.image, one.track) not in shown]  # else another track of it begins there
    notes = left_out(path, kinds, len(found))
    notes += [f"{path}: {_BETWEEN} ({skipped} of them)."] if skipped else []
    images: dict[Key, Image] = {one.image: Image(one.image, "", size) for one in found}
    return Document(images, found, _labels(found), "track", notes, counted=True)


def _objects(path: Path, tracks: Sequence[Element]) -> list[Key]:
    """Which object each track shows: its own; but where each shows one mask alone, as CVAT, which has no masks that run
    through a video, writes them, what the masks' `track_id` says, or the tracks' `group_id`, or their labels, if no two
    of a label are on one frame."""
    own: list[Key] = [scalar(path, f"track {n}", track.attrib, "id") for n, track in enumerate(tracks, 1)]
    own = [n if id is None else id for n, id in enumerate(own, 1)]
    masks = [[shape for shape in track.iter("mask") if shape.get("outside") != "1"] for track in tracks]
    if not all(len(shapes) == 1 for shapes in masks) or len({one.get("frame") for (one,) in masks}) < 2:
        return own
    records = [_record(one) | {"image_id": one.get("frame")} for (one,) in masks]
    if key := track_key(path, records):
        return [track_of(path, f"track {id}", record, key) for id, record in zip(own, records)]
    groups = [scalar(path, f"track {id}", track.attrib, "group_id") for id, track in zip(own, tracks)]
    if all(groups):
        return groups
    labels: list[Key] = [track.get("label") for track in tracks]
    places = {(one.get("frame"), label) for (one,), label in zip(masks, labels)}
    return labels if len(places) == len(tracks) else own


def _record(shape: Element) -> dict[str, Any]:
    """What is said of a shape, as COCO's annotations say it."""
    return {"attributes": {one.get("name"): one.text for one in shape.findall("attribute")}}


def _of_images(path: Path, elements: Sequence[Element]) -> Document:
    kinds: Counter[str] = Counter()
    images: dict[Key, Image] = {}
    shapes: list[tuple[Element, Image]] = []
    for n, element in enumerate(elements, 1):
        name = element.get("name", "")
        id = scalar(path, f"image {n}", element.attrib, "id")
        image = Image(name if id is None or id in images else id, name, _size(path, element))
        if image.id in images:
            raise MaskError(f"{path}: image {n} has the id and the name of another one; give each its own")
        images[image.id] = image
        shapes += [(shape, image) for shape in _shapes(element, kinds)]
    records = [_record(shape) | {"image_id": image.id} for shape, image in shapes]
    track = track_key(path, records)
    found: list[Annotation] = []
    for n, ((shape, image), record) in enumerate(zip(shapes, records, strict=True), 1):
        what = f"{image.name or f'image {image.id}'}, {shape.tag} {n}"
        group = scalar(path, what, shape.attrib, "group_id") or None
        draw = partial(_sized, partial(_drawn, shape), image.size)
        said = track_of(path, what, record, track)
        order = _z_order(path, what, shape)
        found.append(Annotation(what, None, image.id, shape.get("label"), draw, track=said, group=group, order=order))
    notes = left_out(path, kinds, len(found))
    return Document(images, found, _labels(found), track, notes, remedy=_REMEDY)


def _shapes(holder: Element, kinds: Counter[str]) -> Iterator[Element]:
    """Those that are masks; others are counted."""
    for shape in holder:
        if shape.tag in _DRAWN:
            yield shape
        elif shape.tag in _OTHERS:
            kinds[shape.tag] += 1


def _labels(found: Sequence[Annotation]) -> dict[Key, str]:
    return {one.category: str(one.category) for one in found if one.category}


def _size(path: Path, element: Element | None) -> tuple[int | None, int | None]:
    """(H, W) in the attributes of an image or the children of `original_size`, as far as it is said."""
    if element is None:
        return None, None
    said = {key: element.get(key) or element.findtext(key) for key in ("height", "width")}
    height, width = (scalar(path, "size", said, key) for key in said)
    if not isinstance(height, int | None) or not isinstance(width, int | None):
        raise MaskError(f"{path}: an image's size is {height!r:.40} and {width!r:.40}: no height and width")
    return height, width


def _z_order(path: Path, what: str, shape: Element) -> int:
    try:
        return int(shape.get("z_order", "0"))
    except ValueError:
        raise MaskError(f"{path}: {what}: 'z_order' is {shape.get('z_order')!r:.40}: no whole number") from None


def _sized(draw: Callable[[Size], np.ndarray], own: tuple[int | None, int | None], given: Size) -> np.ndarray:
    return draw(own_size(own, given))


def _empty(size: Size) -> np.ndarray:
    return np.zeros(size, bool)


def _drawn(shape: Element, size: Size) -> np.ndarray:
    return _DRAWN[shape.tag](shape, size)


def _polygon(shape: Element, size: Size) -> np.ndarray:
    try:
        points = [float(value) for pair in shape.get("points", "").split(";") for value in pair.split(",")]
    except ValueError:
        raise MaskError(f"its points are {shape.get('points')!r:.40}, not 'x,y;x,y;...'") from None
    return fill_polygons([points], *size)


def _ellipse(shape: Element, size: Size) -> np.ndarray:
    x, y, across, down = (_number(shape, key) for key in ("cx", "cy", "rx", "ry"))
    return fill_ellipse((x, y), (across, down), _number(shape, "rotation", "0"), *size)


def _mask(shape: Element, size: Size) -> np.ndarray:
    left, top, width, height = (int(_number(shape, key)) for key in ("left", "top", "width", "height"))
    if min(left, top) < 0 or min(width, height) < 1 or left + width > size[1] or top + height > size[0]:
        part = f"{width}x{height} at {left}, {top}"
        raise MaskError(f"its part of the picture, {part}, does not lie within {size[1]}x{size[0]} pixels")
    try:
        runs = [int(run) for run in shape.get("rle", "").split(",")]
    except ValueError:
        raise MaskError(f"its 'rle' is {shape.get('rle')!r:.40}, no list of whole numbers") from None
    mask = np.zeros(size, bool)
    mask[top : top + height, left : left + width] = decode_rows(runs, height, width)
    return mask


def _number(shape: Element, key: str, default: str = "") -> float:
    try:
        value = float(shape.get(key, default))
    except ValueError:
        value = np.nan
    if not abs(value) <= MAX_PIXELS:
        raise MaskError(f"'{key}' is {shape.get(key)!r:.40}, no number of pixels")
    return value


_DRAWN = {"mask": _mask, "polygon": _polygon, "ellipse": _ellipse}


def _recognises(path: Path, head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


CVAT = Reader(_recognises, read_cvat, suffixes=(".xml", ".zip"), accept=(".xml", ".zip"), several=True)
