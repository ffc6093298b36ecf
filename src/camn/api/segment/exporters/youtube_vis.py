"""youtube-vis.json: one video, and for each object its masks on all frames."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from camn.api.segment.exporters.closing import closing_at_end
from camn.api.segment.exporters.exporter import About, Exporter, Shown, Write
from camn.api.segment.exporters.vos import frame_number, sequence_name
from camn.files import encoded, replacing
from camn.masks import ObjectIds
from camn.masks.rle import encode_rle
from camn.masks.spill import Spill


class _Piece(NamedTuple):
    """An object on the frame at a place in the list of frames. start, end: where its mask waits."""

    place: int
    start: int
    end: int
    bbox: list[float]
    area: int


class YoutubeVisWriter:
    """Takes masks frame by frame; the file is there after `close`. Masks wait in a nameless file beside it."""

    def __init__(self, path: Path, about: About):
        self._path, self._about = path, about
        self._video = sequence_name(about.name)
        self._files: list[str] = []
        self._pieces: dict[int, list[_Piece]] = defaultdict(list)
        self._spill, self._end = Spill(path), 0

    def write(self, shown: Shown) -> None:
        """Raises OutputError."""
        masks = {id: encode_rle(shown.ids == id) for id in ObjectIds.of(shown.ids)}
        texts = [_compact({"size": rle["size"], "counts": rle["counts"]}) for rle in masks.values()]
        start = self._end
        (self._end,) = self._spill.append((start,), (b"".join(texts),))
        place = len(self._files)
        for (id, rle), text in zip(masks.items(), texts):
            self._pieces[id].append(_Piece(place, start, start + len(text), rle["bbox"], rle["area"]))
            start += len(text)
        self._files.append(f"{self._video}/{frame_number(shown.index)}.jpg")  # at last: a frame counts when it is whole

    def close(self) -> None:
        """Write the file, whole or not at all. Raises OutputError."""
        height, width = self._about.size
        names = {id: self._about.called(id) for id in sorted(self._pieces)}
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
                    for part_of_it in self._lists(self._pieces[id]):
                        file.write(part_of_it)
                    file.write(b"}")
                file.write(b"]}")
        finally:
            self._spill.close()

    def _lists(self, pieces: list[_Piece]) -> Iterator[bytes]:
        """The lists of an annotation, an entry for each frame, null where the object is not to be seen."""
        on = {piece.place: piece for piece in pieces}
        places = range(len(self._files))
        yield b',"areas":' + _compact([on[place].area if place in on else None for place in places])
        yield b',"bboxes":' + _compact([on[place].bbox if place in on else None for place in places])
        yield b',"segmentations":['
        for place in places:
            yield b"," * (place > 0)
            yield self._spill.read(0, on[place].start, on[place].end) if place in on else b"null"
        yield b"]"


def _compact(content: Any) -> bytes:
    return encoded(json.dumps(content, separators=(",", ":"), ensure_ascii=False))


def _file(path: Path, about: About) -> AbstractContextManager[Write]:
    return closing_at_end(YoutubeVisWriter(path, about))


YOUTUBE_VIS = Exporter("youtube-vis.json", _file, named=True, title="YouTube-VIS", form="RLE by object, JSON")
