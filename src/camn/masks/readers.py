"""The formats of masks that are read, for the command line and the page alike."""

from __future__ import annotations

from pathlib import Path

from camn.masks.arrays import ARRAY_FOLDER, ARRAYS
from camn.masks.contents import head as head_of
from camn.masks.cvat import CVAT
from camn.masks.json_files import JSON
from camn.masks.labelme import LABELME_FOLDER
from camn.masks.picture_files import FOLDER, PICTURE
from camn.masks.reader import Reader
from camn.masks.vos import VOS
from camn.masks.yolo import YOLO, YOLO_FOLDER

_FOLDERS = (LABELME_FOLDER, YOLO_FOLDER, ARRAY_FOLDER, VOS, FOLDER)
READERS: tuple[Reader, ...] = (JSON, CVAT, ARRAYS, YOLO, *_FOLDERS, PICTURE)
"""The first that recognises a source reads it."""
HEAD = 4096  # bytes that a reader is shown


def reader_of(path: Path) -> Reader:
    """By content; where nobody recognises that, by suffix. Else that of pictures, which says what is wrong."""
    if path.is_dir() or path.is_file():
        head = head_of(path, HEAD)
        for reader in READERS:
            if reader.recognises(path, head):
                return reader
        for reader in READERS:
            if path.suffix.lower() in reader.suffixes:
                return reader
    return PICTURE
