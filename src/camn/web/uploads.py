"""What users send: streamed to the disk under names made here, looked into before use."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

from camn import api
from camn.errors import NoRoomError, VideoError
from camn.files import encoded, sync, writing
from camn.projects.problem import Problem
from camn.projects.store import full
from camn.web.file_names import image_suffix, is_film, no_two_alike, stem, video_suffix
from camn.web.limits import Limits, size
from camn.web.zips import is_zip, members, need_no_archive

PIECE = 1 << 20  # bytes of an upload that are in memory before they are written
_WRITERS = ThreadPoolExecutor(4, "camn-upload")
Kind = Literal["video", "zip", "images"]
T = TypeVar("T")


async def aside(do: Callable[..., T], *with_: Any) -> T:
    """Done in a thread for uploads alone: a slow disk holds up other uploads, and nothing else."""
    return await asyncio.get_running_loop().run_in_executor(_WRITERS, do, *with_)


@dataclass(frozen=True)
class Sent:
    """A file that came. name: what the user calls it, used for its order and in messages alone."""

    file: Path
    name: str
    bytes: int


class Inbox:
    """What was sent to a project that is new, in source/. Not kept over a restart: an upload cut short begins anew.
    Any thread may call."""

    def __init__(self, folder: Path, limits: Limits):
        self.folder, self.limits = folder, limits
        self.sent: list[Sent] = []
        self.notes: tuple[str, ...] = ()  # of what was sent, once it is settled
        self._round, self._bytes = 0, 0  # what comes in another round than it began in is late; those on the way count
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Raises OutputError."""
        with self._lock:
            self._bytes -= sum(sent.bytes for sent in self.sent)
            self._round, self.sent = self._round + 1, []
        with writing(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir()

    async def take(self, name: str, length: int | None, chunks: AsyncIterator[bytes], room: Callable) -> Sent:
        """Write a body to the disk as it comes: no more is asked for while a piece is being written.

        length: as its header says. room: raises when the disk is full. Raises Problem, OutputError; then nothing of it
        is left."""
        if len(self.sent) >= self.limits.frames:
            raise Problem("too_large", f"More than {self.limits.frames} files, the most that a project takes.")
        path, current, count, held = self.folder / f"upload-{secrets.token_hex(8)}", self._round, 0, bytearray()
        try:
            with writing(self.folder):
                self._need(length or 0)
                file = await aside(_opened, path, room, length or 0)
                try:
                    async for chunk in chunks:
                        count += len(chunk)
                        try:
                            self._add(len(chunk))
                        except Problem:  # what is refused counts no more from this moment, for those beside it
                            self._add(-count)
                            count = 0
                            raise
                        held += chunk
                        if len(held) >= PIECE:
                            await aside(_write, file, held, room)
                    await aside(_write, file, held, room, True)
                finally:
                    await aside(file.close)
            if not count:
                raise Problem("invalid", "The file is empty; choose one with a video or images.")
            return self._arrived(Sent(path, name, count), current)
        except BaseException as error:  # also when the client goes away
            self._add(-count)
            await aside(path.unlink, True)
            if isinstance(error, NoRoomError):
                raise full() from error
            raise

    def _need(self, more: int) -> None:
        """Raises Problem when so many bytes more are too many."""
        most = self.limits.file_bytes
        if self._bytes + more > most:
            raise Problem("too_large", f"More than {size(most)}, the most that a project takes.")

    def _add(self, count: int) -> None:
        with self._lock:
            self._bytes += count
        if count > 0:
            self._need(0)

    def _arrived(self, sent: Sent, current: int) -> Sent:
        with self._lock:
            if current != self._round or not sent.file.exists():
                raise Problem("conflict", "The upload came too late: the project has its frames, or was sent others.")
            self.sent.append(sent)
            return sent

    def copy(self, file: Path) -> None:
        """A file of this machine, in place of one that is sent. Raises OutputError."""
        path = self.folder / f"upload-{secrets.token_hex(8)}"
        with writing(path):
            shutil.copyfile(file, path)
            sync(path)
        sent = Sent(path, encoded(file.name).decode(), path.stat().st_size)
        self._add(sent.bytes)
        self._arrived(sent, self._round)

    def settle(self) -> Kind:
        """Look into what was sent, and bring it into the order of its names. Raises Problem, CamnError."""
        with self._lock:
            self._round += 1
        if not self.sent:
            raise Problem("conflict", "Nothing was sent yet; send a video, images, or a zip of images.")
        kind = self._settle()
        with writing(self.folder):
            sync(*(path for path in self.folder.iterdir() if path.is_dir()), self.folder, self.folder.parent)
        return kind

    def _settle(self) -> Kind:
        first = self.sent[0]
        if len(self.sent) == 1 and is_zip(first.file):
            self.notes = members(first.file, self.limits).notes
            os.replace(first.file, self.folder / "frames.zip")
            return "zip"
        if len(self.sent) == 1 and is_film(first.file):
            self._settle_video(first)
            return "video"
        self._settle_images()
        return "images"

    def _settle_video(self, sent: Sent) -> None:
        path = self.folder / f"video{video_suffix(sent.name) or '.video'}"
        os.replace(sent.file, path)
        self.sent = [Sent(path, sent.name, sent.bytes)]
        try:
            probe(path, self.limits)
        except VideoError:
            need_no_archive(path, sent.name)
            raise

    def _settle_images(self) -> None:
        folder, moves = self.folder / "images", []
        listing = api.list_frames([sent.name for sent in self.sent])
        listing.refuse("what was sent")
        frames = [sent for sent in self.sent if sent.name not in listing.beside]
        no_two_alike([sent.name for sent in frames], "you sent")
        key, _ = api.frame_order([stem(sent.name) for sent in frames])
        self.notes = listing.notes
        for index, sent in enumerate(sorted(frames, key=lambda sent: key(stem(sent.name)))):
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


def _opened(path: Path, room: Callable, length: int) -> BinaryIO:
    room(length)
    return path.open("xb")


def _write(file: BinaryIO, held: bytearray, room: Callable, last: bool = False) -> None:
    """What is held, which is none then. last: it is on the disk itself when this returns."""
    room()
    file.write(held)
    held.clear()
    if last:
        file.flush()
        sync(Path(file.name))


def probe(path: Path, limits: Limits) -> api.FrameSource:
    """The source in `path`, if it is within the limits. Raises Problem, VideoError."""
    source = api.open_source(path, limits.frame_pixels)
    if source.count and source.count > 2 * limits.frames:  # of a video it is an estimate; decoding counts
        raise VideoError(f"The video has about {source.count} frames; at most {limits.frames} are taken: cut it.")
    return source
