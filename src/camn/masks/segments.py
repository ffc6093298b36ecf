"""`segments.json`: the id maps of a video as one COCO file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from camn.files import close_after, write_whole
from camn.masks.ids import ObjectIds, check_mask
from camn.masks.rle import encode_rle


class SegmentsWriter:
    """Gathers id maps frame by frame and writes them, on `close`, as a COCO instances file.

    An image per frame (`id` = frame index, `file_name` = NAME.png); an annotation per object and frame, with compressed
    RLE and `track_id` = the object's id; a category per name. Keeps the run-length strings only, never a mask.
    `read_masks` reads the file back. As a context manager it writes what it has also when an error ends the block.
    names: of objects by id, "object ID" for others.
    """

    def __init__(self, path: str | Path, names: Mapping[int, str] | None = None) -> None:
        self._path, self._names = Path(path), dict(names or {})
        # Objects of one name are of one category, as importers want it, which has the lowest of their ids.
        first = {name: id for id, name in sorted(self._names.items(), reverse=True)}
        self._category = {id: first[name] for id, name in self._names.items()}
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def add(self, frame_index: int, name: str, mask: np.ndarray) -> None:
        """Add the mask (H, W) of ids of frame `frame_index`, whose NAME is `name`."""
        mask = check_mask(mask)
        height, width = mask.shape
        image = {"id": int(frame_index), "file_name": f"{name}.png", "width": width, "height": height}
        self._images.append(image)
        for id in ObjectIds.of(mask):
            rle = encode_rle(mask == id)
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": image["id"],
                    "category_id": self._category.get(id, id),
                    "track_id": id,
                    "segmentation": {"size": rle["size"], "counts": rle["counts"]},
                    "area": rle["area"],
                    "bbox": rle["bbox"],
                    "iscrowd": 0,
                }
            )

    def close(self) -> None:
        """Write the file, whole or not at all; OutputError when it cannot be written."""
        ids = sorted({annotation["category_id"] for annotation in self._annotations})
        document = {
            "images": self._images,
            "annotations": self._annotations,
            "categories": [{"id": id, "name": self._names.get(id, f"object {id}")} for id in ids],
        }
        write_whole(self._path, json.dumps(document, separators=(",", ":")).encode())

    def __enter__(self) -> SegmentsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_after(self.close, error)
