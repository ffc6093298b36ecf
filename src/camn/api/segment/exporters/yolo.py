"""yolo/: a data set for Ultralytics' segmentation: pictures, and for each a text file of polygons."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from camn.api.segment.exporters.closing import Writer, closing_at_end
from camn.api.segment.exporters.exporter import About, Exporter, Shown, Write
from camn.files import write_whole
from camn.masks import ObjectIds
from camn.masks.naming import object_name
from camn.masks.outlines import as_one_polygon
from camn.media.as_jpeg import as_jpeg, need_jpeg
from camn.media.outputs import prepare_output


class YoloWriter(Writer):
    """FOLDER/data.yaml, FOLDER/images/train/NAME.jpg and FOLDER/labels/train/NAME.txt.

    Classes are the names of objects, numbered in order of their ids. data.yaml is written by `close`.
    """

    def __init__(self, folder: Path, about: About):
        self._folder, self._about = folder, about
        self._classes: dict[str, int] = {}
        self._number(about.ids)
        for part in ("images", "labels"):
            prepare_output(folder / part / "train")

    def write(self, shown: Shown) -> None:
        """Raises OutputError."""
        found = ObjectIds.of(shown.ids)
        self._number(found)
        lines = [self._line(id, shown.ids == id) for id in found]
        write_whole(self._folder / "images" / "train" / f"{shown.name}.jpg", as_jpeg(shown.seen))
        write_whole(self._folder / "labels" / "train" / f"{shown.name}.txt", "".join(lines).encode())

    def _number(self, ids: Iterable[int]) -> None:
        """Gives each new name a class."""
        for id in ids:
            self._classes.setdefault(object_name(id, self._about.names), len(self._classes))

    def _line(self, id: int, mask: np.ndarray) -> str:
        """An object's class and polygon; coordinates are parts of the picture's width and height, 0..1."""
        places = as_one_polygon(mask) / (mask.shape[1], mask.shape[0])
        number = self._classes[object_name(id, self._about.names)]
        return " ".join([str(number), *(f"{one:.6f}" for one in places.ravel())]) + "\n"

    def close(self) -> None:
        """Raises OutputError."""
        # Without `path`: then readers look beside this file, wherever the folder lies. They want two sets and a class.
        names = list(self._classes) or ["object"]
        lines = ["train: images/train", "val: images/train", "names:", *(f"  - {_quoted(name)}" for name in names)]
        write_whole(self._folder / "data.yaml", ("\n".join(lines) + "\n").encode())


def _quoted(text: str) -> str:
    """A YAML scalar in ASCII: readers take the file for text in any encoding."""
    return '"' + "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else _escaped(c) for c in text) + '"'


def _escaped(character: str) -> str:
    return f"\\{character}" if character in '"\\' else f"\\U{ord(character):08x}"


def _folder(path: Path, about: About) -> AbstractContextManager[Write]:
    return closing_at_end(YoloWriter(path, about))


YOLO = Exporter(
    "yolo",
    _folder,
    "frames",
    ("data.yaml", "images/train/*.jpg", "labels/train/*.txt"),
    named=True,
    check=lambda about: need_jpeg(about.size),
    title="YOLO",
    form="polygons and JPEG, zip",
)
