"""objects.csv: what is known of each object on each frame."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from camn.api.segment.exporters.exporter import About, Exporter, Shown, Write
from camn.files import ODD, replacing, writing


class ObjectsTable:
    """objects.csv: a line for each object and frame: frame, name, id, area in pixels, confidence 0..1, lost 0 or 1."""

    COLUMNS = ("frame", "name", "id", "area", "confidence", "lost")

    def __init__(self, path: Path):
        self._stack = ExitStack()
        part = self._stack.enter_context(replacing(path))
        with writing(path):
            self._file = self._stack.enter_context(part.open("w", newline="", encoding="utf-8", errors=ODD))
        self._path, self._rows = path, csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(self.COLUMNS)

    def write(self, shown: Shown) -> None:
        if (result := shown.result) is None:
            return
        areas = np.bincount(result.ids.ravel(), minlength=256)
        with writing(self._path):
            for id, confidence in result.confidence.items():
                line = (shown.index, shown.name, id, areas[id], f"{confidence:.4f}", int(id in result.lost))
                self._rows.writerow(line)

    def __enter__(self) -> ObjectsTable:
        return self

    def __exit__(self, *_: object) -> None:
        # Also after an error elsewhere: what was written is true. The file itself fails by its own error.
        self._stack.__exit__(None, None, None)


@contextmanager
def _file(path: Path, about: About) -> Iterator[Write]:
    with ObjectsTable(path) as table:
        yield table.write


def _join(parts: Sequence[Path], whole: Path) -> None:
    with replacing(whole) as made, made.open("w", newline="", encoding="utf-8", errors=ODD) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(ObjectsTable.COLUMNS)
        for part in parts:
            with part.open(newline="", encoding="utf-8") as lines:
                rows.writerows(list(csv.reader(lines))[1:])


OBJECTS = Exporter("objects.csv", _file, "results", join=_join)
