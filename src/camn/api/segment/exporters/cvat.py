"""cvat-video.xml and cvat-images.xml: masks as CVAT's XML, version 1.1, has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from camn.api.segment.exporters.exporter import About, Exporter, Shown, Write
from camn.files import close_after, replacing
from camn.masks import ObjectIds
from camn.masks.row_runs import RowRuns, row_runs
from camn.masks.spill import Spill

_NEVER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold, escaped or not
_LINES = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}  # which readers would take for spaces
_NOTHING = RowRuns([1], 0, 0, 1, 1)
_TRACK_ID = (
    "<attribute><name>track_id</name><mutable>False</mutable><input_type>number</input_type>"
    "<default_value>0</default_value><values>0\n255\n1</values></attribute>"
)


@dataclass(frozen=True)
class _Written:
    """end: of what counts, in bytes. tracks: how many. first, last: frames. count: of frames. labels: those that are
    used."""

    end: int = 0
    tracks: int = 0
    first: int = 0
    last: int = 0
    count: int = 0
    labels: tuple[str, ...] = ()


class CvatWriter:
    """Takes masks frame by frame; the file is there after `close`. kind: "video" or "images".

    CVAT has no masks that run through a video. So each mask is on its own, in a video as a track of one frame, which is
    how CVAT writes them, too, and all that it reads. What belongs together is told by `group_id` and the attribute
    `track_id`: the object's id.
    """

    def __init__(self, path: Path, about: About, kind: str):
        self._path, self._about, self._kind = path, about, kind
        self._spill, self._written = Spill(path), _Written()

    def write(self, shown: Shown) -> None:
        """Raises OutputError."""
        found, was = ObjectIds.of(shown.ids), self._written
        labels = [self._about.called(id) for id in found]
        element = self._image if self._kind == "images" else self._tracks
        text = element(shown, dict(zip(found, labels)))
        (end,) = self._spill.append((was.end,), (text.encode(),))
        # In one go: a frame that was not written whole is none.
        first = was.first if was.count else shown.index
        known = tuple(dict.fromkeys((*was.labels, *labels)))
        self._written = _Written(end, was.tracks + len(found), first, shown.index, was.count + 1, known)

    def _image(self, shown: Shown, labels: dict[int, str]) -> str:
        height, width = shown.ids.shape
        masks = (
            _mask(id, row_runs(shown.ids == id), label=label, source="auto", occluded=0, group_id=id)
            for id, label in labels.items()
        )
        image = _start("image", id=shown.index, name=f"{shown.name}.png", width=width, height=height)
        return f"  {image}\n{''.join(masks)}  </image>\n"

    def _tracks(self, shown: Shown, labels: dict[int, str]) -> str:
        return "".join(
            self._track(shown, self._written.tracks + number, id, label)
            for number, (id, label) in enumerate(labels.items())
        )

    def _track(self, shown: Shown, number: int, id: int, label: str) -> str:
        there = _mask(id, row_runs(shown.ids == id), frame=shown.index, keyframe=1, outside=0, occluded=0)
        # Its end; CVAT wants none behind the video's last frame, and readers know that a track ends there.
        gone = _mask(id, _NOTHING, frame=shown.index + 1, keyframe=1, outside=1, occluded=0)
        track = _start("track", id=number, label=label, source="auto", group_id=id)
        return f"  {track}\n{there}{gone}  </track>\n"

    def close(self) -> None:
        """Write the file, whole or not at all. Raises OutputError."""
        try:
            with replacing(self._path) as part, part.open("wb") as file:
                file.write(self._head().encode())
                self._spill.copy(0, self._written.end, file)
                file.write(b"</annotations>\n")
        finally:
            self._spill.close()

    def _head(self) -> str:
        written, (height, width) = self._written, self._about.size
        labels = "".join(
            f"<label><name>{_text(label)}</name><type>mask</type><attributes>{_TRACK_ID}</attributes></label>\n"
            for label in written.labels
        )
        mode = "annotation" if self._kind == "images" else "interpolation"
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n'
            f"<name>{_text(self._about.name)}</name><size>{written.count}</size><mode>{mode}</mode>"
            f"<start_frame>{written.first}</start_frame><stop_frame>{written.last}</stop_frame>\n"
            f"<labels>\n{labels}</labels>\n"
            f"<original_size><width>{width}</width><height>{height}</height></original_size>\n"
            "    </task>\n  </meta>\n"
        )


def _mask(id: int, found: RowRuns, **attributes: object) -> str:
    rle = ", ".join(map(str, found.runs))
    box = {"left": found.left, "top": found.top, "width": found.width, "height": found.height}
    start = _start("mask", **attributes, rle=rle, **box, z_order=0)
    return f'    {start}<attribute name="track_id">{id}</attribute></mask>\n'


def _start(tag: str, **attributes: object) -> str:
    """A start tag."""
    return f"<{tag}{''.join(f' {key}={quoteattr(_known(str(value)), _LINES)}' for key, value in attributes.items())}>"


def _text(text: str) -> str:
    return escape(_known(text), {"\r": "&#13;"})


def _known(text: str) -> str:
    """Without what XML cannot hold, which is written as Python escapes it."""
    return _NEVER.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@contextmanager
def _file(kind: str, path: Path, about: About) -> Iterator[Write]:
    writer, failure = CvatWriter(path, about, kind), None
    try:
        yield writer.write
    except BaseException as error:
        failure = error
        raise
    finally:  # also after an error elsewhere: what was written is true
        close_after(writer.close, failure)


VIDEO = Exporter("cvat-video.xml", partial(_file, "video"), named=True, title="CVAT for video", form="1.1, XML")
IMAGES = Exporter("cvat-images.xml", partial(_file, "images"), named=True, title="CVAT for images", form="1.1, XML")
