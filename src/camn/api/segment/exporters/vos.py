"""davis/ and youtube-vos/: data sets of one video, with every frame and its mask."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from camn.api.segment.exporters.exporter import About, Exporter, Shown, Write
from camn.files import encoded, write_whole
from camn.masks import ObjectIds
from camn.media.outputs import MaskWriter, prepare_output, write_jpeg, write_json


def frame_number(index: int) -> str:
    """How these data sets call a frame. Their readers sort frames as text."""
    return f"{index:05d}"


def sequence_name(name: str) -> str:
    """A video's name as these data sets can have it: a visible folder's, and a line of a list."""
    return encoded(" ".join(name.split()).lstrip(".")).decode() or "video"


class PairWriter:
    """JPEGS/00000.jpg and MASKS/00000.png of each frame, numbered from the video's first, 0."""

    def __init__(self, jpegs: Path, masks: Path):
        self._jpegs, self._masks = prepare_output(jpegs), MaskWriter(masks)

    def write(self, shown: Shown) -> None:
        """Raises OutputError."""
        name = frame_number(shown.index)
        write_jpeg(self._jpegs / f"{name}.jpg", shown.seen.image)
        self._masks.write(name, shown.ids)


@contextmanager
def _davis(path: Path, about: About) -> Iterator[Write]:
    name = sequence_name(about.name)
    pairs = PairWriter(path / "JPEGImages" / "480p" / name, path / "Annotations" / "480p" / name)
    for split in ("train", "val"):
        write_whole(prepare_output(path / "ImageSets" / "2017") / f"{split}.txt", f"{name}\n".encode())
    seen: set[int] = set()

    def write(shown: Shown) -> None:
        pairs.write(shown)
        seen.update(ObjectIds.of(shown.ids))

    try:
        yield write
    finally:  # also after an error elsewhere: what was written is true
        write_json(path / "davis_semantics.json", {name: {str(id): about.called(id) for id in sorted(seen)}})


@contextmanager
def _youtube_vos(path: Path, about: About) -> Iterator[Write]:
    name = sequence_name(about.name)
    pairs = PairWriter(path / "JPEGImages" / name, path / "Annotations" / name)
    frames: dict[int, list[str]] = defaultdict(list)

    def write(shown: Shown) -> None:
        pairs.write(shown)
        for id in ObjectIds.of(shown.ids):
            frames[id].append(frame_number(shown.index))

    try:
        yield write
    finally:
        objects: dict[str, Any] = {
            str(id): {"category": about.called(id), "frames": frames[id]} for id in sorted(frames)
        }
        write_json(path / "meta.json", {"videos": {name: {"objects": objects}}})


DAVIS = Exporter(
    "davis",
    _davis,
    "frames",
    ("JPEGImages/480p/*/*.jpg", "Annotations/480p/*/*.png", "ImageSets/2017/*.txt", "davis_semantics.json"),
    named=True,
    title="DAVIS",
    form="JPEG and palette PNG, zip",
)
YOUTUBE_VOS = Exporter(
    "youtube-vos",
    _youtube_vos,
    "frames",
    ("JPEGImages/*/*.jpg", "Annotations/*/*.png", "meta.json"),
    named=True,
    title="YouTube-VOS",
    form="JPEG and palette PNG, zip",
)
