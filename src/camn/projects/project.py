"""A project: a folder with a video's frames, the masks of its objects, and project.json."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from camn.files import sync, to_json, write_whole
from camn.masks import PALETTE
from camn.masks.colours import to_hex
from camn.masks.sizes import turned
from camn.projects.maskfiles import MaskFiles
from camn.projects.problem import Problem
from camn.projects.record import LAST_ID, RECORD, Object, Record, as_name

DISPLAY = 960  # longer side of small/ in pixels
# Light and dark ground alike, and apart from each other; further objects take their id's palette colour.
COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#bfef45", "#ffe119")


class Project:
    """One project, held by one server. Every change is on the disk itself, safe from a loss of power, when its method
    returns; any thread may call."""

    def __init__(self, folder: Path, record: Record | None = None):
        self.folder, self.id = folder, folder.name
        self.lock = threading.RLock()
        self._masks: MaskFiles | None = None
        if record is None:
            self.record = Record.read(folder / RECORD)
        else:
            self.record = record
            folder.mkdir(0o700, parents=True)  # other users of the machine need not see the video
            self._save(record)
            sync(folder.parent)
        self.count = self._count()

    # --- what there is -----------------------------------------------------------------------------------------------

    @property
    def source(self) -> Path:
        """What was sent."""
        return self.folder / "source"

    def video(self) -> Path:
        """What holds the frames in the quality they came in: a video file, or a folder of images. Raises Problem."""
        if self.record.kind != "video":
            return self.source / "images"
        found = [path for path in self.source.iterdir() if path.stem == "video"]
        if not found:
            raise Problem("conflict", "What was opened is gone from the project's folder.")
        return found[0]

    def frame_file(self, index: int, small: bool = False) -> Path:
        return self.folder / ("small" if small else "frames") / f"{index:06d}.jpg"

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)"""
        return self.record.height, self.record.width

    @property
    def display_size(self) -> tuple[int, int]:
        """(H, W) of the frames that are shown."""
        scale = min(1.0, DISPLAY / max(1, *self.size))
        return round(self.record.height * scale), round(self.record.width * scale)

    @property
    def fps(self) -> Fraction:
        return Fraction(self.record.fps or 24)

    @property
    def masks(self) -> MaskFiles:
        """Read when first asked for. Raises Problem while the size is not known."""
        with self.lock:
            if not self.record.width:
                raise Problem("conflict", "The project has no frames yet.")
            self._masks = self._masks or MaskFiles(self.folder, self.size)
            return self._masks

    @property
    def ids(self) -> list[int]:
        return [item.id for item in self.record.objects]

    def shown_mask(self, index: int, kind: str = "shown") -> np.ndarray | None:
        """(H, W) uint8 ids of the objects there are. kind: shown, given, predicted; all: shown, and with the pixels of
        deleted objects."""
        masks = self.masks
        read = {"given": masks.read_given, "predicted": masks.read_predicted}.get(kind, masks.read_shown)
        mask = read(index)
        return mask if mask is None or kind == "all" else self._lut()[mask]

    def _lut(self) -> np.ndarray:
        table = np.zeros(256, np.uint8)
        table[self.ids] = self.ids
        return table

    def given_frames(self) -> list[int]:
        return sorted(self.masks.given)

    def need_frame(self, index: int) -> None:
        if not 0 <= index < self.count:
            there = f"the frames are 0..{self.count - 1}" if self.count else "the project has none yet"
            raise Problem("not_found", f"There is no frame {index}; {there}.")

    def need_size(self, size: tuple[int, int]) -> None:
        """Of a mask (H, W). Raises Problem."""
        if size != self.size:
            mask, frames = (f"{width}x{height}" for height, width in (size, self.size))
            said = f"The mask has {mask} pixels, the frames have {frames}{turned(size, self.size)}."
            raise Problem("other_size", said)

    def need_ready(self) -> None:
        if self.record.state != "ready":
            raise Problem("conflict", "The frames are still being read; wait until they are all there.")

    # --- changes -----------------------------------------------------------------------------------------------------

    def change(self, **fields: Any) -> None:
        """Fields of the record. Raises OutputError."""
        with self.lock:
            record = dataclasses.replace(self.record, **fields)
            self._save(record)
            self.record = record

    def add_object(self, name: str | None, colour: str | None, most: int) -> Object:
        """A new object with an id never used before. Raises Problem, OutputError."""
        with self.lock:
            id = self.record.last_id + 1
            if id > LAST_ID:
                raise Problem("conflict", f"All ids up to {LAST_ID} were used; make a new project for more objects.")
            return self.set_object(id, name or f"Object {id}", colour or default_colour(id), most)

    def set_object(self, id: int, name: str, colour: str, most: int) -> Object:
        """Change an object or make it. Raises Problem, OutputError."""
        with self.lock:
            others = [item for item in self.record.objects if item.id != id]
            if len(others) >= most:
                raise Problem("too_large", f"A project has at most {most} objects; delete one first.")
            item = Object(id, name, colour.lower())
            # By ids, as they were made: a deleted one comes back to its place.
            at = self.ids.index(id) if id in self.ids else sum(other.id < id for other in others)
            objects = (*others[:at], item, *others[at:])
            self.change(objects=objects, last_id=max(id, self.record.last_id))
            return item

    def restore_object(
        self, id: int, colour: tuple[int, int, int] | None, most: int, name: str | None = None
    ) -> Object:
        """An object that a mask file brings, of this id. name: see `as_name`. Raises Problem, OutputError."""
        text = to_hex(colour) if colour else default_colour(id)
        return self.set_object(id, as_name(name or "") or f"Object {id}", text, most)

    def delete_object(self, id: int) -> None:
        """Its pixels stay in the files, and are background wherever they are read. Raises Problem, OutputError."""
        with self.lock:
            if id not in self.ids:
                raise Problem("not_found", f"There is no object {id}.")
            self.change(objects=tuple(item for item in self.record.objects if item.id != id))

    def _save(self, record: Record) -> None:
        write_whole(self.folder / RECORD, to_json(dataclasses.asdict(record)), lasting=True)

    def _count(self) -> int:
        """Frames that are there; while decoding was cut short, those before the first gap."""
        if self.record.state == "ready":
            return self.record.total or 0
        found = {path.stem for path in (self.folder / "frames").glob("*.jpg")}
        return next(index for index in range(len(found) + 1) if f"{index:06d}" not in found)


def default_colour(id: int) -> str:
    """#rrggbb of an object that was given none."""
    if id <= len(COLOURS):
        return COLOURS[id - 1]
    return to_hex(PALETTE[id])


def stretches(indices: list[int]) -> Iterator[tuple[int, int]]:
    """Sorted numbers -> [first, last] of each run of neighbours."""
    first = last = None
    for index in indices:
        if last is None or index != last + 1:
            if first is not None and last is not None:
                yield first, last
            first = index
        last = index
    if first is not None and last is not None:
        yield first, last
