"""Label Studio's JSON: tasks, each an image with regions drawn by brush, as polygons or as ellipses."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from camn.errors import MaskError
from camn.masks.frame_names import is_image_name
from camn.masks.labelled import SHOWN, Annotation, Document, Image, Key, Size, checked_size, left_out, scalar
from camn.masks.reader import Frames
from camn.masks.rle import decode_label_studio, fill_polygons
from camn.masks.shapes import fill_ellipse

Record = Mapping[str, Any]
_REMEDY = "give each object a label of its own"
_NO_REGIONS = ("choices", "taxonomy", "textarea", "rating", "number", "pairwise", "relation", "labels")


def is_label_studio(content: Any) -> bool:
    first = content[0] if isinstance(content, list) and content else content
    keys = first.keys() if isinstance(first, dict) else ()
    return "annotation_id" in keys or ("data" in keys and ("annotations" in keys or "predictions" in keys))


def label_studio_document(path: Path, content: Any, video: Frames) -> Document:
    """Raises MaskError."""
    kinds: Counter[str] = Counter()
    images: dict[Key, Image] = {}
    found: list[Annotation] = []
    notes: list[str] = []
    for n, task in enumerate(content if isinstance(content, list) else [content], 1):
        results, more = _results(path, n, task)
        notes += more
        name = _file_name(task)
        image = images[f"task {n}"] = Image(f"task {n}", name)
        for number, (kind, label, result) in enumerate(_regions(path, results), 1):
            what = f"{name or image.id}, region {number} ({kind})"
            if kind in _DRAWN:
                found.append(Annotation(what, None, image.id, label, partial(_drawn, kind, result)))
            else:
                kinds[kind] += 1
    notes += left_out(path, kinds, len(found))
    labels: dict[Key, str] = {one.category: str(one.category) for one in found if one.category is not None}
    return Document(images, found, labels, notes=notes, remedy=_REMEDY)


def _results(path: Path, number: int, task: Any) -> tuple[list[Any], list[str]]:
    """What was drawn on a task's image, by the annotator that counts; and notes."""
    if isinstance(task, dict) and "annotation_id" in task:
        raise MaskError(f"{path}: Label Studio's JSON-MIN does not say all of it; export as 'JSON'")
    given = task.get("annotations", []) if isinstance(task, dict) else None
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise MaskError(f"{path}: task {number}: 'annotations' must be a list of objects {{...}}")
    if not given and task.get("predictions"):
        return [], [f"{path}: task {number} holds predictions alone, which are left out: accept them in Label Studio."]
    valid = [one for one in given if not one.get("was_cancelled")]
    chosen = next((one for one in valid if one.get("ground_truth")), valid[0] if valid else {})
    results = chosen.get("result", [])
    if not isinstance(results, list):
        raise MaskError(f"{path}: task {number}: 'result' must be a list, not {results!r:.{SHOWN}}")
    several = f"{path}: task {number} has {len(valid)} annotations: the ground truth, or the first one, is taken."
    return results, [several] if len(valid) > 1 else []


def _file_name(task: Record) -> str:
    """The name of a task's image, empty if it says none."""
    data = task.get("data")
    given = [task.get("file_upload"), *(data.values() if isinstance(data, dict) else ())]
    for text in given:
        if not isinstance(text, str) or len(text) > 4096 or text.startswith("data:"):
            continue
        try:
            address = urlsplit(text)
            inner = parse_qs(address.query).get("d", [unquote(address.path)])[0]  # /data/local-files/?d=...
        except ValueError:
            continue
        if is_image_name(inner.rpartition("/")[2]):
            return inner
    return ""


def _regions(path: Path, results: list[Any]) -> Iterator[tuple[str, Key, Record]]:
    """(kind, label, record) of all that has a place on the image. A region drawn without a label may have it in a
    record of its own, of the same id."""
    records = [one for one in results if isinstance(one, dict) and isinstance(one.get("value"), dict)]
    labels = {str(one.get("id")): one["value"]["labels"] for one in records if one["value"].get("labels")}
    for one in records:
        kind = str(one.get("type", "")).removesuffix("labels") or "labels"
        if kind in _NO_REGIONS:
            continue
        said = one["value"].get(f"{kind}labels") or labels.get(str(one.get("id"))) or [None]
        first = {"label": said[0] if isinstance(said, list) else said}
        yield kind[:SHOWN], scalar(path, f"a region of {kind[:SHOWN]}", first, "label"), one


def _drawn(kind: str, record: Record, given: Size) -> np.ndarray:
    if record.get("image_rotation"):
        raise MaskError("its image is turned in Label Studio; turn it back there, and export again")
    height, width = record.get("original_height"), record.get("original_width")
    return _DRAWN[kind](record["value"], checked_size((given[0] if height is None else height, width or given[1])))


def _brush(value: Record, size: Size) -> np.ndarray:
    data = value.get("rle")
    if not isinstance(data, list) or not all(type(one) is int and 0 <= one < 256 for one in data):
        raise MaskError("its 'rle' is no list of bytes (0 to 255)")
    return decode_label_studio(bytes(data), *size)


def _polygon(value: Record, size: Size) -> np.ndarray:
    points = value.get("points")
    if not isinstance(points, list) or not all(isinstance(one, list) and len(one) == 2 for one in points):
        raise MaskError(f"its 'points' are {points!r:.{SHOWN}}, not points [x, y] in percent")
    pairs = [(_number(x), _number(y)) for x, y in points]
    return fill_polygons([[c for x, y in pairs for c in (x * size[1] / 100, y * size[0] / 100)]], *size)


def _ellipse(value: Record, size: Size) -> np.ndarray:
    x, y, across, down = (_number(value.get(key)) / 100 for key in ("x", "y", "radiusX", "radiusY"))
    height, width = size
    turned = _number(value.get("rotation", 0))
    return fill_ellipse((x * width, y * height), (across * width, down * height), turned, height, width)


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > 10_000:
        raise MaskError(f"{value!r:.{SHOWN}} is no number of percent or degrees")
    return value


_DRAWN = {"brush": _brush, "polygon": _polygon, "ellipse": _ellipse}
