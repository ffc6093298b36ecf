"""cvat-video.xml and cvat-images.xml: masks as CVAT's XML, version 1.1, has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from camn.api.segment.exporters.closing import Writer, closing_at_end
from camn.api.segment.exporters.exporter import About, Exporter, Shown, Write
from camn.files import replacing
from camn.masks import ObjectIds
from camn.masks.naming import object_name
from camn.masks.rle import Rows, encode_rows
from camn.masks.spill import Spill

# What XML 1.0 cannot hold, escaped or not.
_NEVER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOTHING = Rows([1], 0, 0, 1, 1)
_TRACK_ID = (
    "<attribute><name>track_id</name><mutable>False</mutable><input_type>number</input_type>"
    "<default_value>0</default_value><values>0\n255\n1</values></attribute>"
)


@dataclass(frozen=True)
class _Written:
    """end: of what counts, in bytes. open: tracks of the last frame, whose end is not written yet. tracks: how many.
    first, last: frames. count: of frames. labels: of all objects."""

    end: int = 0
    open: tuple[str, ...] = ()
    tracks: int = 0
    first: int = 0
    last: int = 0
    count: int = 0
    labels: tuple[str, ...] = ()


class CvatWriter(Writer):
    """Takes masks frame by frame; the file is there after `close`. kind: "video" or "images".

    CVAT has no masks that run through a video. So each mask is on its own, in a video as a track of one frame, which is
    how CVAT writes them, too, and all that it reads. What belongs together is told by `group_id` and the attribute
    `track_id`: the object's id.
    """

    def __init__(self, path: Path, about: About, kind: str):
        self._path, self._about, self._kind = path, about, kind
        self._spill = Spill(path)
        self._written = _Written(labels=tuple(dict.fromkeys(object_name(id, about.names) for id in about.ids)))

    def write(self, shown: Shown) -> None:
        """Raises OutputError."""
        found, was = ObjectIds.of(shown.ids), self._written
        labels = {id: object_name(id, self._about.names) for id in found}
        if self._kind == "images":
            text, tracks = _image(shown, labels), ()
        else:
            text, tracks = _ended(was.open, was.last + 1), _tracks(shown, labels, was.tracks)
        (end,) = self._spill.append((was.end,), (text.encode(),))
        # In one go: a frame that was not written whole is none.
        first = was.first if was.count else shown.index
        known = tuple(dict.fromkeys((*was.labels, *labels.values())))
        self._written = _Written(end, tracks, was.tracks + len(found), first, shown.index, was.count + 1, known)

    def close(self) -> None:
        """Write the file, whole or not at all. Raises OutputError."""
        try:
            with replacing(self._path) as part, part.open("wb") as file:
                file.write(self._head().encode())
                self._spill.copy(0, self._written.end, file)
                file.write(_ended(self._written.open).encode() + b"</annotations>\n")
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


def _image(shown: Shown, labels: Mapping[int, str]) -> str:
    """A frame with its masks."""
    height, width = shown.ids.shape
    masks = (
        _mask(id, encode_rows(shown.ids == id), label=label, source="auto", occluded=0, group_id=id)
        for id, label in labels.items()
    )
    image = _start("image", id=shown.index, name=f"{shown.name}.png", width=width, height=height)
    return f"  {image}\n{''.join(masks)}  </image>\n"


def _tracks(shown: Shown, labels: Mapping[int, str], number: int) -> tuple[str, ...]:
    """A track for each mask of a frame, without its end. number: of the first."""
    return tuple(
        f"  {_start('track', id=place, label=label, source='auto', group_id=id)}\n"
        f"{_mask(id, encode_rows(shown.ids == id), frame=shown.index, keyframe=1, outside=0, occluded=0)}"
        for place, (id, label) in enumerate(labels.items(), number)
    )


def _ended(tracks: Iterable[str], frame: int | None = None) -> str:
    """Tracks with their end. frame: from which on they are gone; None behind the last, for which CVAT writes none."""
    gone = ""
    if frame is not None:
        gone = f"    {_start('mask', frame=frame, keyframe=1, outside=1, occluded=0, **_shape(_NOTHING))}</mask>\n"
    return "".join(f"{track}{gone}  </track>\n" for track in tracks)


def _mask(id: int, found: Rows, **attributes: object) -> str:
    start = _start("mask", **attributes, **_shape(found))
    return f'    {start}<attribute name="track_id">{id}</attribute></mask>\n'


def _shape(found: Rows) -> dict[str, object]:
    runs, left, top, width, height = found
    return {"rle": ", ".join(map(str, runs)), "left": left, "top": top, "width": width, "height": height, "z_order": 0}


def _start(tag: str, **attributes: object) -> str:
    """A start tag."""
    return f"<{tag}{''.join(f' {key}={quoteattr(_known(str(value)))}' for key, value in attributes.items())}>"


def _text(text: str) -> str:
    return escape(_known(text), {"\r": "&#13;"})


def _known(text: str) -> str:
    """Without what XML cannot hold, which is written as Python escapes it."""
    return _NEVER.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _file(kind: str, path: Path, about: About) -> AbstractContextManager[Write]:
    return closing_at_end(CvatWriter(path, about, kind))


VIDEO = Exporter("cvat-video.xml", partial(_file, "video"), named=True, title="CVAT for video", form="1.1, XML")
IMAGES = Exporter("cvat-images.xml", partial(_file, "images"), named=True, title="CVAT for images", form="1.1, XML")
