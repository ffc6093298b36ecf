"""`segments.json`: the id maps of a video as one COCO file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from camn.files import ClosedAtEnd, replacing
from camn.masks.ids import ObjectIds, check_mask
from camn.masks.naming import category_ids, object_name
from camn.masks.rle import encode_rle
from camn.masks.spill import Spill


class SegmentsWriter(ClosedAtEnd):
    """Takes id maps frame by frame and makes a COCO instances file of them, which is there after `close`.

    An image per frame (`id` = frame index, `file_name` = NAME.png); an annotation per object and frame, with compressed
    RLE and `track_id` = the object's id; a category per name. Nothing of a frame stays in memory: its entries go to
    nameless files beside `path` at once. `read_masks` reads the file back. As a context manager it writes what it has
    also when an error ends the block. names: of objects by id, "object ID" for others.
    """

    def __init__(self, path: str | Path, names: Mapping[int, str] | None = None) -> None:
        self._path, self._names = Path(path), dict(names or {})
        self._spill = Spill(self._path, 2)
        self._written, self._closed = _Written(), False

    def add(self, frame_index: int, name: str, mask: np.ndarray) -> None:
        """Add the mask (H, W) of ids of frame `frame_index`, whose NAME is `name`. Raises OutputError."""
        mask = check_mask(mask)
        height, width = mask.shape
        image = {"id": int(frame_index), "file_name": f"{name}.png", "width": width, "height": height}
        written = self._written
        annotations = annotations_of(mask, image["id"], self._names, written.count + 1)
        texts = [_listed(entries, end) for entries, end in zip(([image], annotations), written.ends)]
        categories = written.categories | {one["category_id"] for one in annotations}
        ends = self._spill.append(written.ends, texts)
        # In one go: a frame that was not written whole, for want of room or by Ctrl-C, is none.
        self._written = _Written(ends, written.count + len(annotations), categories)

    def close(self) -> None:
        """Write the file, whole or not at all; OutputError when it cannot be written. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        categories = [{"id": id, "name": object_name(id, self._names)} for id in sorted(self._written.categories)]
        try:
            with replacing(self._path) as part, part.open("wb") as file:
                for number, (name, end) in enumerate(zip(("images", "annotations"), self._written.ends)):
                    file.write((b"," if number else b"{") + _compact(name) + b":[")
                    self._spill.copy(number, end, file)
                    file.write(b"]")
                file.write(b',"categories":' + _compact(categories) + b"}")
        finally:
            self._spill.close()


@dataclass(frozen=True)
class _Written:
    """ends: of what counts in the files of images and of annotations, in bytes. count: of annotations. categories: ids
    of those that have any."""

    ends: tuple[int, ...] = (0, 0)
    count: int = 0
    categories: frozenset[int] = frozenset()


def annotations_of(mask: np.ndarray, image: int | str, names: Mapping[int, str], first: int) -> list[dict[str, Any]]:
    """COCO's annotations of a mask (H, W) of ids, one for each. image: its id. names: of objects, by id; those of one
    name are of one category, as importers want it. first: the id of the first annotation."""
    category = category_ids(names)
    annotations = []
    for number, id in enumerate(ObjectIds.of(mask), first):
        rle = encode_rle(mask == id)
        annotations.append(
            {
                "id": number,
                "image_id": image,
                "category_id": category.get(object_name(id, names), id),
                "track_id": id,
                "segmentation": {"size": rle["size"], "counts": rle["counts"]},
                "area": rle["area"],
                "bbox": rle["bbox"],
                "iscrowd": 0,
            }
        )
    return annotations


def _listed(entries: Sequence[Mapping[str, Any]], end: int) -> bytes:
    """Entries of a JSON list of which `end` bytes are there."""
    return b"".join((b"," if end + number else b"") + _compact(entry) for number, entry in enumerate(entries))


def _compact(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
