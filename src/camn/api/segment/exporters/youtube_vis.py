"""youtube-vis.json: one video, and for each object its masks on all frames."""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from camn.api.segment.exporters.closing import Writer, closing_at_end
from camn.api.segment.exporters.exporter import About, Exporter, Shown, Write
from camn.api.segment.exporters.vos import frame_number, sequence_name
from camn.files import encoded, replacing
from camn.masks import ObjectIds
from camn.masks.naming import object_name
from camn.masks.rle import encode_rle
from camn.masks.spill import Spill

_WORDS = 5  # that are known of an object on a frame: its place among the frames, where its texts start, where they end


class YoutubeVisWriter(Writer):
    """Takes masks frame by frame; the file is there after `close`. What is said of an object on a frame, its area, box
    and mask, waits in a nameless file beside it; in memory are 40 bytes of it."""

    def __init__(self, path: Path, about: About):
        self._path, self._about = path, about
        self._video = sequence_name(about.name)
        self._files: list[str] = []
        self._pieces: dict[int, array[int]] = defaultdict(lambda: array("q"))
        self._spill, self._end = Spill(path), 0

    def write(self, shown: Shown) -> None:
        """Raises OutputError."""
        said = {id: _texts(shown.ids == id) for id in ObjectIds.of(shown.ids)}
        start = self._end
        (self._end,) = self._spill.append((start,), (b"".join(map(b"".join, said.values())),))
        for id, texts in said.items():
            *starts, end = accumulate(map(len, texts), initial=start)
            self._pieces[id].extend((len(self._files), *starts, end))
            start = end
        self._files.append(f"{self._video}/{frame_number(shown.index)}.jpg")  # at last: a frame counts when it is whole

    def close(self) -> None:
        """Write the file, whole or not at all. Raises OutputError."""
        height, width = self._about.size
        names = {id: object_name(id, self._about.names) for id in sorted(self._pieces)}
        categories = {name: number for number, name in enumerate(dict.fromkeys(names.values()), 1)}
        length = len(self._files)
        video = {"id": 1, "width": width, "height": height, "length": length, "file_names": self._files}
        listed = [{"id": number, "name": name} for name, number in categories.items()]
        head = {"info": {"description": self._video}, "videos": [video], "categories": listed}
        about: dict[str, Any] = {"video_id": 1, "iscrowd": 0, "width": width, "height": height, "length": length}
        try:
            with replacing(self._path) as part, part.open("wb") as file:
                file.write(_compact(head)[:-1] + b',"annotations":[')
                for number, (id, name) in enumerate(names.items()):
                    own = {"id": id, "category_id": categories[name]} | about
                    file.write(b"," * (number > 0) + _compact(own)[:-1])
                    for which, title in enumerate(("areas", "bboxes", "segmentations")):
                        file.write(b"," + _compact(title) + b":[")
                        file.writelines(self._entries(self._pieces[id], which))
                        file.write(b"]")
                    file.write(b"}")
                file.write(b"]}")
        finally:
            self._spill.close()

    def _entries(self, pieces: array[int], which: int) -> Iterator[bytes]:
        """A list of an annotation: an entry for each frame, null where the object is not to be seen. which: of the
        texts that it is of."""
        at = 0
        for place in range(len(self._files)):
            yield b"," * (place > 0)
            if pieces[at : at + 1].tolist() == [place]:
                yield self._spill.read(0, pieces[at + 1 + which], pieces[at + 2 + which])
                at += _WORDS
            else:
                yield b"null"


def _texts(binary: np.ndarray) -> tuple[bytes, bytes, bytes]:
    """Area, box and mask."""
    rle = encode_rle(binary)
    return _compact(rle["area"]), _compact(rle["bbox"]), _compact({"size": rle["size"], "counts": rle["counts"]})


def _compact(content: Any) -> bytes:
    return encoded(json.dumps(content, separators=(",", ":"), ensure_ascii=False))


def _file(path: Path, about: About) -> AbstractContextManager[Write]:
    return closing_at_end(YoutubeVisWriter(path, about))


YOUTUBE_VIS = Exporter("youtube-vis.json", _file, named=True, title="YouTube-VIS", form="RLE by object, JSON")
