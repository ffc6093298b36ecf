"""davis/ and youtube-vos/: data sets of one video, with every frame and its mask."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import AbstractContextManager
from pathlib import Path

from camn.api.segment.exporters.closing import Writer, closing_at_end
from camn.api.segment.exporters.exporter import About, Exporter, Shown, Write
from camn.files import encoded, write_whole, writing
from camn.masks import ObjectIds
from camn.masks.naming import object_name
from camn.media.as_jpeg import as_jpeg, need_jpeg
from camn.media.outputs import MaskWriter, prepare_output, write_json

_NO_FOLDER = re.compile(r"[\x00-\x08\x0e-\x1f\x7f/\\]")  # what the name of a folder cannot have everywhere
_LONGEST = 200  # bytes; names of files may have 255


def frame_number(index: int) -> str:
    """How these data sets call a frame. Their readers sort frames as text."""
    return f"{index:05d}"


def sequence_name(name: str) -> str:
    """A video's name as these data sets can have it: of one folder that is not hidden, and of a line in a list."""
    plain = encoded(" ".join(_NO_FOLDER.sub("-", name).split()).lstrip(".")).decode()
    return plain.encode()[:_LONGEST].decode(errors="ignore") or "video"


class PairWriter(Writer):
    """Of each frame JPEGImages/ROOM/NUMBER.jpg and Annotations/ROOM/NUMBER.png, numbered from the video's first, 0."""

    def __init__(self, folder: Path, about: About, room: str):
        self.folder, self.about, self.name = folder, about, sequence_name(about.name)
        self._jpegs = prepare_output(folder / "JPEGImages" / room / self.name)
        self._masks = MaskWriter(folder / "Annotations" / room / self.name)
        self.frames: dict[int, list[str]] = defaultdict(list)  # on which each object is to be seen

    def write(self, shown: Shown) -> None:
        """Raises OutputError."""
        number = frame_number(shown.index)
        path = self._jpegs / f"{number}.jpg"
        with writing(path):
            write_whole(path, as_jpeg(shown.seen))
        self._masks.write(number, shown.ids)
        for id in ObjectIds.of(shown.ids):
            self.frames[id].append(number)


class DavisWriter(PairWriter):
    """The layout of DAVIS 2017, the video being all of `train` and of `val`."""

    def __init__(self, folder: Path, about: About):
        super().__init__(folder, about, "480p")  # where readers look, whatever the size
        lists = prepare_output(folder / "ImageSets" / "2017")
        for split in ("train", "val"):
            write_whole(lists / f"{split}.txt", f"{self.name}\n".encode())

    def close(self) -> None:
        """Raises OutputError."""
        names = {str(id): object_name(id, self.about.names) for id in sorted(self.frames)}
        write_json(self.folder / "davis_semantics.json", {self.name: names})


class YoutubeVosWriter(PairWriter):
    """The layout of a split of YouTube-VOS."""

    def __init__(self, folder: Path, about: About):
        super().__init__(folder, about, "")

    def close(self) -> None:
        """Raises OutputError."""
        objects = {
            str(id): {"category": object_name(id, self.about.names), "frames": frames}
            for id, frames in sorted(self.frames.items())
        }
        write_json(self.folder / "meta.json", {"videos": {self.name: {"objects": objects}}})


def _davis(path: Path, about: About) -> AbstractContextManager[Write]:
    return closing_at_end(DavisWriter(path, about))


def _youtube_vos(path: Path, about: About) -> AbstractContextManager[Write]:
    return closing_at_end(YoutubeVosWriter(path, about))


DAVIS = Exporter(
    "davis",
    _davis,
    "frames",
    ("JPEGImages/480p/*/*.jpg", "Annotations/480p/*/*.png", "ImageSets/2017/*.txt", "davis_semantics.json"),
    named=True,
    check=lambda about: need_jpeg(about.size),
    title="DAVIS",
    form="JPEG and palette PNG, zip",
)
YOUTUBE_VOS = Exporter(
    "youtube-vos",
    _youtube_vos,
    "frames",
    ("JPEGImages/*/*.jpg", "Annotations/*/*.png", "meta.json"),
    named=True,
    check=lambda about: need_jpeg(about.size),
    title="YouTube-VOS",
    form="JPEG and palette PNG, zip",
)
