"""What users send: streamed to the disk under names made here, looked into before use."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from camn import api
from camn.errors import VideoError
from camn.files import encoded, writing
from camn.projects.problem import Problem
from camn.web.file_names import image_suffix, is_film, stem
from camn.web.limits import Limits, size
from camn.web.zips import members

ROOM = 64 << 20  # bytes between two looks at the free room
_VIDEO = re.compile(r"\.(mp4|m4v|mov|mkv|webm|avi|gif|mpg|mpeg|ts|wmv|flv|ogv|y4m|mxf)$", re.IGNORECASE)
Kind = Literal["video", "zip", "images"]


@dataclass(frozen=True)
class Sent:
    """A file that came. name: what the user calls it, used for its order and in messages alone."""

    file: Path
    name: str
    bytes: int


class Inbox:
    """What was sent to a project that is new, in source/. Not kept over a restart: an upload cut short begins anew."""

    def __init__(self, folder: Path, limits: Limits):
        self.folder, self.limits = folder, limits
        self.sent: list[Sent] = []
        self.notes: tuple[str, ...] = ()  # of what was sent, once it is settled
        self._round, self._bytes = 0, 0  # what comes in another round than it began in is late; those on the way count
        self.clear()

    def clear(self) -> None:
        """Raises OutputError."""
        self._bytes -= sum(sent.bytes for sent in self.sent)
        self._round, self.sent = self._round + 1, []
        with writing(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)

    async def take(self, name: str, length: int | None, chunks: AsyncIterator[bytes], room: Callable) -> Sent:
        """Write a body to the disk as it comes. length: as its header says. room: raises when the disk is full."""
        most, current = self.limits.file_bytes, self._round
        too_large = Problem("too_large", f"More than {size(most)}, the most that a project takes.")
        if len(self.sent) >= self.limits.frames:
            raise Problem("too_large", f"More than {self.limits.frames} files, the most that a project takes.")
        if self._bytes + (length or 0) > most:
            raise too_large
        room(length or 0)
        path, count = self.folder / f"upload-{secrets.token_hex(8)}", 0
        try:
            with writing(self.folder), path.open("xb") as file:
                async for chunk in chunks:
                    count += len(chunk)
                    self._bytes += len(chunk)
                    if self._bytes > most:
                        raise too_large
                    if count // ROOM != (count - len(chunk)) // ROOM:
                        room()
                    file.write(chunk)
            if current != self._round or not path.exists():
                raise Problem("conflict", "The upload came too late: the project has its frames, or was sent others.")
            if not count:
                raise Problem("invalid", "The file is empty; choose one with a video or images.")
        except BaseException:  # also when the client goes away
            self._bytes -= count
            path.unlink(missing_ok=True)
            raise
        sent = Sent(path, name, count)
        self.sent.append(sent)
        return sent

    def copy(self, file: Path) -> None:
        """A file of this machine, in place of one that is sent. Raises OutputError."""
        path = self.folder / f"upload-{secrets.token_hex(8)}"
        with writing(path):
            shutil.copyfile(file, path)
        self.sent.append(Sent(path, encoded(file.name).decode(), path.stat().st_size))
        self._bytes += self.sent[-1].bytes

    def settle(self) -> Kind:
        """Look into what was sent, and bring it into the order of its names. Raises Problem, CamnError."""
        self._round += 1
        if not self.sent:
            raise Problem("conflict", "Nothing was sent yet; send a video, images, or a zip of images.")
        first = self.sent[0]
        if len(self.sent) == 1 and zipfile.is_zipfile(first.file):
            self.notes = members(first.file, self.limits).notes
            os.replace(first.file, self.folder / "frames.zip")
            return "zip"
        if len(self.sent) == 1 and is_film(first.file):
            suffix = match[0].lower() if (match := _VIDEO.search(first.name)) else ".video"
            path = self.folder / f"video{suffix}"
            os.replace(first.file, path)
            self.sent = [Sent(path, first.name, first.bytes)]
            probe(path, self.limits)
            return "video"
        self._settle_images()
        return "images"

    def _settle_images(self) -> None:
        folder, moves = self.folder / "images", []
        listing = api.list_frames([sent.name for sent in self.sent])
        listing.refuse("what was sent")
        sent_frames = [sent for sent in self.sent if sent.name not in listing.beside]
        key, _ = api.frame_order([stem(sent.name) for sent in sent_frames])
        self.notes = listing.notes
        for index, sent in enumerate(sorted(sent_frames, key=lambda sent: key(stem(sent.name)))):
            suffix = image_suffix(sent.file)
            if suffix is None:
                raise Problem("invalid", f"“{sent.name}” is not an image; send one video, one zip, or images alone.")
            moves.append((sent, folder / f"{index:06d}{suffix}"))
        with writing(folder):
            folder.mkdir()
            for sent, path in moves:
                os.replace(sent.file, path)
        self.sent = [Sent(path, sent.name, sent.bytes) for sent, path in moves]
        probe(folder, self.limits)

    def known(self) -> list[tuple[Path, str]]:
        """What messages should call the files, for `plain`."""
        full = [(sent.file, f"“{sent.name}”") for sent in self.sent]
        return [*full, *((Path(path.name), name) for path, name in full)]


def probe(path: Path, limits: Limits) -> api.FrameSource:
    """The source in `path`, if it is within the limits. Raises Problem, VideoError."""
    source = api.open_source(path, limits.frame_pixels)
    if source.count and source.count > 2 * limits.frames:  # of a video it is an estimate; decoding counts
        raise VideoError(f"The video has about {source.count} frames; at most {limits.frames} are taken: cut it.")
    return source
