"""What users send: streamed to the disk under names made here, looked into before use, unpacked within bounds."""

from __future__ import annotations

import io
import os
import re
import secrets
import shutil
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from PIL import Image

from camn import api
from camn.errors import VideoError
from camn.files import writing
from camn.web.limits import Limits, size
from camn.web.problem import Problem

CHUNK = 1 << 20
ROOM = 64 << 20  # bytes between two looks at the free room
_VIDEO = re.compile(r"\.(mp4|m4v|mov|mkv|webm|avi|gif|mpg|mpeg|ts|wmv|flv|ogv|y4m|mxf)$", re.IGNORECASE)
_IMAGES = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "AVIF": ".avif",
    "BMP": ".bmp", "TIFF": ".tif", "JPEG2000": ".jp2", "PPM": ".ppm",
}  # fmt: skip
ENDS = {*_IMAGES.values(), ".jpeg", ".tiff", ".pgm"}
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
        self.sent.append(Sent(path, file.name, path.stat().st_size))
        self._bytes += self.sent[-1].bytes

    def settle(self) -> Kind:
        """Look into what was sent, and bring it into the order of its names. Raises Problem, CamnError."""
        self._round += 1
        if not self.sent:
            raise Problem("conflict", "Nothing was sent yet; send a video, images, or a zip of images.")
        first = self.sent[0]
        if len(self.sent) == 1 and zipfile.is_zipfile(first.file):
            _members(first.file, self.limits)
            os.replace(first.file, self.folder / "frames.zip")
            return "zip"
        if len(self.sent) == 1 and image_suffix(first.file) is None:
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
        for index, sent in enumerate(sorted(self.sent, key=lambda sent: api.natural_key(_stem(sent.name)))):
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


def readable(name: str) -> str:
    """A file's name as somebody says it, for messages and as a project's name: its last part, printable, short."""
    return "".join(letter for letter in _path(name).name if letter.isprintable())[:120] or "file"


def image_suffix(path: Path) -> str | None:
    """Of a file that is an image by its content: the end that its name should have."""
    try:
        with Image.open(path) as image:  # the header alone
            return _IMAGES.get(image.format or "")
    except Exception:  # Pillow's readers raise nearly anything on a broken file
        return None


def unpack(archive: Path, folder: Path, limits: Limits, check: Callable[[int], None]) -> None:
    """The images of a zip -> `folder`/NNNNNN.EXT in the natural order of their names; those there already are kept.

    Read member by member, each under a name made here; what it says of its sizes is not relied upon. check: called with
    the images done. Raises Problem, OutputError.
    """
    left, part = limits.file_bytes, folder / ".member"
    with writing(folder), _open_zip(archive, limits) as file:
        folder.mkdir(exist_ok=True)
        there = {path.stem: path for path in folder.glob("[0-9]*")}
        for index, member in enumerate(_members(archive, limits)):
            if f"{index:06d}" in there:
                left -= there[f"{index:06d}"].stat().st_size
                continue
            try:
                left -= _extract(file, member, part, min(left, limits.member_bytes))
                suffix = image_suffix(part)
                if suffix is None:
                    raise Problem(
                        "invalid", f"“{readable(member.filename)}” in the zip is not an image that can be read."
                    )
                os.replace(part, folder / f"{index:06d}{suffix}")
            finally:
                part.unlink(missing_ok=True)
            check(index + 1)


class _Bounded(io.FileIO):
    """Of which no more is read at once than `most` bytes."""

    most = CHUNK

    def read(self, count: int | None = -1, /) -> bytes:
        asked = self.most + 1 if count is None or count < 0 else count
        data = super().read(min(asked, self.most + 1))
        if len(data) > self.most:
            raise Problem("too_large", f"The zip's list of its files has more than {size(self.most)}, the most taken.")
        return data


@contextmanager
def _open_zip(archive: Path, limits: Limits) -> Iterator[zipfile.ZipFile]:
    """The list of members is read whole, before anything can be said of their number: it must be of a sane size."""
    with _Bounded(archive) as raw:
        raw.most = limits.zip_list
        with zipfile.ZipFile(raw) as file:
            yield file


def _members(archive: Path, limits: Limits) -> list[zipfile.ZipInfo]:
    """The images of a zip by their names' ends, in order. Raises Problem."""
    try:
        with _open_zip(archive, limits) as file:
            found = file.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Problem("invalid", "The zip file is damaged; make it again.") from error
    if len(found) > limits.zip_members:
        raise Problem("too_large", f"The zip has {len(found)} entries; at most {limits.zip_members} are taken.")
    images = [member for member in found if _is_image(member)]
    if not images:
        raise Problem("invalid", "The zip holds no images; put the frames of one video in it.")
    if len(images) > limits.frames:
        raise Problem("too_large", f"The zip has {len(images)} images; at most {limits.frames} are taken.")
    if any(member.flag_bits & 1 for member in images):
        raise Problem("invalid", "The zip is encrypted; make it without a password.")
    if sum(member.file_size for member in images) > limits.file_bytes:
        raise Problem("too_large", f"The zip unpacks to more than {size(limits.file_bytes)}, the most that is taken.")
    if len({_path(member.filename).parent for member in images}) > 1:
        raise Problem("invalid", "The zip holds several folders of images; put the frames of one video in it.")
    return sorted(images, key=lambda member: api.natural_key(_stem(member.filename)))


def _is_image(member: zipfile.ZipInfo) -> bool:
    path = _path(member.filename)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return not member.is_dir() and not hidden and path.suffix.lower() in ENDS


def _extract(file: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, most: int) -> int:
    """Bytes written. Raises Problem."""
    count = 0
    try:
        with file.open(member) as packed, path.open("wb") as unpacked:
            for chunk in _chunks(packed):
                count += len(chunk)
                if count > most:
                    raise Problem(
                        "too_large", f"“{readable(member.filename)}” in the zip unpacks to more than is taken."
                    )
                unpacked.write(chunk)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _bad(member, "is damaged; make the zip again") from error
    except Exception as error:
        if type(error).__module__ in ("zlib", "lzma", "_lzma", "bz2"):
            raise Problem(
                "invalid", f"“{readable(member.filename)}” in the zip is damaged; make the zip again."
            ) from error
        raise
    return count


def _bad(member: zipfile.ZipInfo, what: str, code: str = "invalid") -> Problem:
    return Problem(code, f"“{readable(member.filename)}” in the zip {what}.")


def _chunks(file) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _stem(name: str) -> str:
    return _path(name).stem


def _path(name: str) -> PurePosixPath:
    """For its parts; never opened."""
    return PurePosixPath(name.replace("\\", "/"))


def probe(path: Path, limits: Limits) -> api.FrameSource:
    """The source in `path`, if it is within the limits. Raises Problem, VideoError."""
    source = api.open_source(path, limits.frame_pixels)
    if source.count and source.count > 2 * limits.frames:  # of a video it is an estimate; decoding counts
        raise VideoError(f"The video has about {source.count} frames; at most {limits.frames} are taken: cut it.")
    return source
