"""`segments.json`: the id maps of a video as one COCO file."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from camn.files import close_after, replacing, writing
from camn.masks.ids import ObjectIds, check_mask
from camn.masks.rle import encode_rle


class SegmentsWriter:
    """Takes id maps frame by frame and makes a COCO instances file of them, which is there after `close`.

    An image per frame (`id` = frame index, `file_name` = NAME.png); an annotation per object and frame, with compressed
    RLE and `track_id` = the object's id; a category per name. Nothing of a frame stays in memory: its entries go to
    nameless files beside `path` at once. `read_masks` reads the file back. As a context manager it writes what it has
    also when an error ends the block. names: of objects by id, "object ID" for others.
    """

    def __init__(self, path: str | Path, names: Mapping[int, str] | None = None) -> None:
        self._path, self._names = Path(path), dict(names or {})
        # Objects of one name are of one category, as importers want it, which has the lowest of their ids.
        first = {name: id for id, name in sorted(self._names.items(), reverse=True)}
        self._category = {id: first[name] for id, name in self._names.items()}
        self._files: tuple[BinaryIO, ...] = ()
        self._written, self._closed = _Written(), False

    def add(self, frame_index: int, name: str, mask: np.ndarray) -> None:
        """Add the mask (H, W) of ids of frame `frame_index`, whose NAME is `name`. Raises OutputError."""
        mask = check_mask(mask)
        height, width = mask.shape
        image = {"id": int(frame_index), "file_name": f"{name}.png", "width": width, "height": height}
        written, found = self._written, ObjectIds.of(mask)
        annotations = []
        for number, id in enumerate(found, written.count + 1):
            rle = encode_rle(mask == id)
            annotations.append(
                {
                    "id": number,
                    "image_id": image["id"],
                    "category_id": self._category.get(id, id),
                    "track_id": id,
                    "segmentation": {"size": rle["size"], "counts": rle["counts"]},
                    "area": rle["area"],
                    "bbox": rle["bbox"],
                    "iscrowd": 0,
                }
            )
        with writing(self._path):
            folder = self._path.parent
            self._files = self._files or tuple(tempfile.TemporaryFile(dir=folder) for _ in range(2))  # noqa: SIM115
            ends = (
                _append(file, end, entries)
                for file, end, entries in zip(self._files, written.ends, ([image], annotations))
            )
            # In one go: a frame that was not written whole, for want of room or by Ctrl-C, is none.
            categories = written.categories | {one["category_id"] for one in annotations}
            self._written = _Written(tuple(ends), written.count + len(annotations), categories)

    def close(self) -> None:
        """Write the file, whole or not at all; OutputError when it cannot be written. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        categories = [
            {"id": id, "name": self._names.get(id, f"object {id}")} for id in sorted(self._written.categories)
        ]
        try:
            with replacing(self._path) as part, part.open("wb") as file:
                for name, entries, end in zip_longest(("images", "annotations"), self._files, self._written.ends):
                    file.write(b"," if file.tell() else b"{")
                    file.write(_compact(name) + b":[")
                    if entries:
                        entries.truncate(end)
                        entries.seek(0)
                        shutil.copyfileobj(entries, file)
                    file.write(b"]")
                file.write(b',"categories":' + _compact(categories) + b"}")
        finally:
            for entries in self._files:
                with suppress(OSError):  # of what did not fit, which nobody wants any more
                    entries.close()

    def __enter__(self) -> SegmentsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_after(self.close, error)


@dataclass(frozen=True)
class _Written:
    """ends: of what counts in the files of images and of annotations, in bytes. count: of annotations. categories: ids
    of those that have any."""

    ends: tuple[int, ...] = (0, 0)
    count: int = 0
    categories: frozenset[int] = frozenset()


def _append(file: BinaryIO, end: int, entries: Sequence[Mapping[str, Any]]) -> int:
    """Entries of a JSON list behind those that end at `end` -> where they end now."""
    text = b"".join((b"," if end + number else b"") + _compact(entry) for number, entry in enumerate(entries))
    file.seek(end)
    file.write(text)
    file.flush()
    return end + len(text)


def _compact(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
