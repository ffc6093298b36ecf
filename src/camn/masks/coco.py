"""COCO JSON -> masks: instances files, plain lists of annotations, and our own `segments.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from camn.errors import MaskError
from camn.masks.frame_names import FrameNames
from camn.masks.ids import MAX_ID, ObjectIds
from camn.masks.pictures import MAX_PIXELS
from camn.masks.reader import Found, Frames, Reader
from camn.masks.rle import decode_rle, fill_polygons

Record = dict[str, Any]


def read_coco(path: Path, video: Frames) -> Found:
    """Masks by frame, each at its image's size; MaskError for anything malformed.

    A single image is frame 0 unless its `file_name` names another. Several are tied to frames by `file_name`, else by
    `id`, as a frame's name or else its index. Where annotations overlap the later one is on top. More than
    `most_pixels` in all frames together are refused.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise MaskError(f"{path}: not valid JSON ({error})") from error
    images, annotations, names_of = _parts(path, document)
    frames, notes, unplaced = _frames(path, images, annotations, video.names)
    kept = [annotation for annotation in annotations if annotation.get("image_id") in frames]
    ids, more = _object_ids(path, kept, names_of)
    masks: dict[int, np.ndarray] = {}
    overlap = pixels = 0
    for annotation, id in zip(kept, ids, strict=True):
        image = images.get(annotation.get("image_id"), {})
        try:
            binary = _binary(annotation.get("segmentation"), _size(image, video.size))
        except MaskError as error:
            raise MaskError(f"{path}: annotation {annotation.get('id')}: {error}") from error
        frame = frames[annotation.get("image_id")]
        pixels += 0 if frame in masks else binary.size
        if video.most_pixels is not None and pixels > video.most_pixels:
            raise MaskError(f"{path}: masks of too many frames ({len(masks)} fit); split it into files of fewer frames")
        mask = masks.setdefault(frame, np.zeros(binary.shape, dtype=np.uint8))
        if mask.shape != binary.shape:
            raise MaskError(f"{path}: annotation {annotation.get('id')}: its size is not that of its image's others")
        overlap += np.count_nonzero(binary & (mask != 0) & (mask != id))
        mask[binary] = id
    if overlap:
        notes.append(f"{path}: annotations overlap on {overlap} pixels; the later ones are on top.")
    if gone := sorted(set(ids) - {id for mask in masks.values() for id in ObjectIds.of(mask)}):
        notes.append(f"{path}: objects {gone} cover no pixel: left out.")
    return Found(masks, dict.fromkeys(masks, path), {}, notes + more, unplaced)


def _parts(path: Path, document: Any) -> tuple[dict[Any, Record], list[Record], dict[Any, str]]:
    """Images by id, annotations, and category names by id, of any of the accepted layouts."""
    if isinstance(document, dict) and "segmentation" in document:
        document = [document]
    if isinstance(document, list):
        document = {"annotations": document}
    parts = []
    for key in ("images", "annotations", "categories"):
        records = document.get(key, []) if isinstance(document, dict) else None
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise MaskError(f"{path}: no COCO file: '{key}' must be a list of objects {{...}}")
        parts.append(records)
    images, annotations, categories = parts
    for record, key in [(i, "id") for i in images + categories] + [(a, "image_id") for a in annotations]:
        if not isinstance(record.get(key), (int, str, type(None))):
            raise MaskError(f"{path}: no COCO file: '{key}' must be a number or a string, not {record[key]!r}")
    if not annotations:
        raise MaskError(f"{path}: holds no annotations, so no object to follow")
    by_id = {image.get("id"): image for image in images}
    lost = sorted({str(a.get("image_id")) for a in annotations if images and a.get("image_id") not in by_id})
    if lost:
        raise MaskError(f"{path}: annotations of images that the file does not list: {', '.join(lost[:5])}")
    return by_id, annotations, {c.get("id"): str(c.get("name")) for c in categories}


def _frames(
    path: Path, images: dict[Any, Record], annotations: list[Record], names: FrameNames
) -> tuple[dict[Any, int], list[str], bool]:
    """Frame index by image id, for the annotated images that belong to a frame; notes; whether that is a guess, as
    there is one image and nothing says of which frame."""
    used = list(dict.fromkeys(annotation.get("image_id") for annotation in annotations))
    frames = {id: names.index(str(images.get(id, {}).get("file_name", ""))) for id in used}
    notes = []
    if len(used) == 1 and frames[used[0]] is None:
        return {used[0]: 0}, [], True
    if all(frame is None for frame in frames.values()):
        frames = {id: names.index(str(id)) for id in used}
    if all(frame is None for frame in frames.values()) and all(
        isinstance(id, int) and 0 <= id < names.count for id in used
    ):
        frames = {id: id for id in used}
        notes.append(f"{path}: images are tied to frames by their id, the first frame being 0.")
    tied = {id: frame for id, frame in frames.items() if frame is not None}
    if not tied:
        raise MaskError(
            f"{path}: none of its {len(used)} annotated images belongs to a frame; 'file_name' or 'id' of an image "
            "must be a frame's name (a video's frames are 000000, 000001, ...)"
        )
    if len(set(tied.values())) < len(tied):
        raise MaskError(f"{path}: several images belong to the same frame")
    if len(tied) < len(used):
        notes.append(f"{path}: {len(used) - len(tied)} of {len(used)} annotated images belong to no frame: left out.")
    return tied, notes, False


def _object_ids(path: Path, annotations: list[Record], names: dict[Any, str]) -> tuple[list[int], list[str]]:
    """The object id of each annotation, and notes.

    `track_id` or `object_id` where all have it. Else, on one image, each annotation is an object; on several, each
    category, provided that no image has two of one. Numbers outside 1..255 are replaced by 1, 2, ...
    """
    for key in ("track_id", "object_id"):
        if all(annotation.get(key) is not None for annotation in annotations):
            return _numbered(path, [annotation[key] for annotation in annotations], key)
    if len({annotation.get("image_id") for annotation in annotations}) == 1:
        given = [annotation.get("id") for annotation in annotations]
        if len(set(map(str, given))) < len(given) or None in given:
            given = list(range(1, len(annotations) + 1))
        ids, notes = _numbered(path, given, "annotation")
        called = [names.get(annotation.get("category_id")) for annotation in annotations]
        return ids, notes + [f"Object {id} is '{name}'." for id, name in zip(ids, called, strict=True) if name]
    pairs = [(annotation.get("image_id"), str(annotation.get("category_id"))) for annotation in annotations]
    if len(set(pairs)) < len(pairs):
        raise MaskError(
            f"{path}: several images, and nothing says which annotations are the same object: "
            "give every annotation a 'track_id' (1..255)"
        )
    ids, notes = _numbered(path, [annotation.get("category_id") for annotation in annotations], "category_id")
    return ids, [f"{path}: no 'track_id': annotations of one category are one object.", *notes]


def _numbered(path: Path, given: Iterable[Any], key: str) -> tuple[list[int], list[str]]:
    """Identities as ids: themselves when all are whole numbers in 1..255, else 1, 2, ... in order of appearance."""
    given = [int(i) if isinstance(i, str) and i.isascii() and i.isdigit() and len(i) < 4 else i for i in given]
    distinct = list(dict.fromkeys(map(str, given)))
    if len(distinct) > MAX_ID:
        raise MaskError(f"{path}: {len(distinct)} objects; at most {MAX_ID} can be told apart")
    if all(type(i) is int and 1 <= i <= MAX_ID for i in given):
        return given, []
    ids = {identity: n for n, identity in enumerate(distinct, start=1)}
    return [ids[str(i)] for i in given], [f"Object {n} is {key} {identity}." for identity, n in ids.items()]


def _size(image: Record, frame_size: tuple[int, int]) -> tuple[int, int]:
    """An image's (H, W): its own if stated, else the frames'."""
    return _checked((image.get("height") or frame_size[0], image.get("width") or frame_size[1]))


def _checked(size: Any) -> tuple[int, int]:
    if (
        not isinstance(size, (list, tuple))
        or len(size) != 2
        or not all(type(side) is int and side > 0 for side in size)
        or size[0] * size[1] > MAX_PIXELS
    ):
        raise MaskError(f"{size!r} is no image size (height, width)")
    return size[0], size[1]


def _binary(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    """An annotation's `segmentation` -> (H, W) bool; an RLE has its own size."""
    if isinstance(segmentation, list):
        return fill_polygons(segmentation, *size)
    if isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), (str, list)):
        return decode_rle(segmentation["counts"], *_checked(segmentation.get("size", size)))
    raise MaskError("its 'segmentation' is neither polygons nor RLE {'size': [H, W], 'counts': ...}")


def _recognises(path: Path, head: bytes) -> bool:
    return head.lstrip()[:1] in (b"{", b"[")


COCO = Reader(_recognises, read_coco, suffixes=(".json",), accept=(".json",), several=True)
