"""Images out of a zip, member by member, within bounds: what it says of itself is not relied upon."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from camn import api
from camn.files import sync, writing
from camn.projects.problem import Code, Problem
from camn.web.file_names import image_suffix, no_two_alike, parted, readable, video_suffix
from camn.web.limits import Limits, size

CHUNK = 1 << 20
LONGEST = 1000  # letters of a member's name, as of an upload's
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # with members, without any, one of several parts
_OTHERS = {b"Rar!\x1a\x07": "RAR", b"7z\xbc\xaf\x27\x1c": "7z", b"\x1f\x8b": "gzip", b"BZh": "bzip2",
           b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "Zstandard"}  # fmt: skip
_TAR = 257, b"ustar"  # where it stands


def is_zip(file: Path) -> bool:
    """By its content; one that is damaged or cut short is one, too."""
    return _head(file).startswith(_ZIP) or zipfile.is_zipfile(file)


def need_no_archive(file: Path, name: str) -> None:
    """Raises Problem for what was meant as an archive of images, and cannot be read as one."""
    head = _head(file)
    kind = next((kind for magic, kind in _OTHERS.items() if head.startswith(magic)), None)
    if kind or head[_TAR[0] :].startswith(_TAR[1]):
        raise Problem("invalid", f"“{name}” is a {kind or 'tar'} archive, which is not read; send a zip of the images.")
    if name.lower().endswith(".zip"):
        raise _damaged()


def _damaged() -> Problem:
    return Problem("invalid", "The zip file is damaged or cut short; send it again, or make it anew.")


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(512)


def unpack(archive: Path, folder: Path, limits: Limits, check: Callable[[int], None]) -> None:
    """The images of a zip -> `folder`/NNNNNN.EXT in the natural order of their names; those there already are kept.

    Each is written under a name made here. check: called with the number of images done. Raises Problem, OutputError.
    """
    images, left, part = members(archive, limits).images, limits.file_bytes, folder / ".member"
    with writing(folder), _open_zip(archive, limits) as file:
        folder.mkdir(exist_ok=True)
        there = {path.stem: path for path in folder.glob("[0-9]*")}
        for index, member in enumerate(images):
            if f"{index:06d}" in there:
                left -= there[f"{index:06d}"].stat().st_size
                continue
            try:
                left -= _extract(file, member, part, min(left, limits.member_bytes))
                suffix = image_suffix(part)
                if suffix is None:
                    raise _bad(member, "is not an image that can be read")
                sync(part)  # of the zip nothing is left in the end
                os.replace(part, folder / f"{index:06d}{suffix}")
            finally:
                part.unlink(missing_ok=True)
            check(index + 1)
        sync(folder, folder.parent)


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


class Members(NamedTuple):
    """images: in order. notes: what the user should know of that, and of pictures that are left out."""

    images: list[zipfile.ZipInfo]
    notes: tuple[str, ...]


def members(archive: Path, limits: Limits) -> Members:
    """The images of a zip by their names, as of a folder. Raises Problem, VideoError."""
    try:
        with _open_zip(archive, limits) as file:
            found = file.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _damaged() from error
    if len(found) > limits.zip_members:
        raise Problem("too_large", f"The zip has {len(found)} entries; at most {limits.zip_members} are taken.")
    if long := [member for member in found if len(member.filename) > LONGEST]:  # numbers in names are read below
        raise _bad(long[0], f"has a name of more than {LONGEST} letters; give it a shorter one")
    images, listing = _frames(found)
    if not images and any(video_suffix(member.filename) for member in found):
        raise Problem("invalid", "The zip holds a video; send that itself, unpacked.")
    if not images:
        raise Problem("invalid", "The zip holds no images; put the frames of one video in it.")
    if len(images) > limits.frames:
        raise Problem("too_large", f"The zip has {len(images)} images; at most {limits.frames} are taken.")
    if any(member.flag_bits & 1 for member in images):
        raise Problem("invalid", "The zip is encrypted; make it without a password.")
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in images):
        raise Problem("invalid", "The zip is packed in an unusual way; make it with the usual one (deflate).")
    if sum(member.file_size for member in images) > limits.file_bytes:
        raise Problem("too_large", f"The zip unpacks to more than {size(limits.file_bytes)}, the most that is taken.")
    if len({parted(member.filename).parent for member in images}) > 1:
        raise Problem("invalid", "The zip holds several folders of images; put the frames of one video in it.")
    no_two_alike([member.filename for member in images], "the zip holds")
    listing.refuse("the zip")
    return Members(images, listing.notes)


def _frames(found: list[zipfile.ZipInfo]) -> tuple[list[zipfile.ZipInfo], api.Listing]:
    """The images in order, and what is said of all that the zip holds."""
    named = [(str(parted(member.filename)), member) for member in found if _is_seen(member)]
    listing = api.list_frames([name for name, _ in named])
    places = {name: place for place, name in enumerate(listing.frames)}
    frames = [(places[name], member) for name, member in named if name in places]
    return [member for _, member in sorted(frames, key=lambda frame: frame[0])], listing


def _is_seen(member: zipfile.ZipInfo) -> bool:
    path = parted(member.filename)
    return not member.is_dir() and not path.name.startswith(".") and "__MACOSX" not in path.parts


def _extract(file: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, most: int) -> int:
    """Bytes written. Raises Problem."""
    count = 0
    try:
        with file.open(member) as packed, path.open("wb") as unpacked:
            for chunk in _chunks(packed):
                count += len(chunk)
                if count > most:
                    raise _bad(member, "unpacks to more than is taken", "too_large")
                unpacked.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _bad(member, "is damaged; make the zip again") from error
    return count


def _bad(member: zipfile.ZipInfo, what: str, code: Code = "invalid") -> Problem:
    return Problem(code, f"“{readable(member.filename)}” in the zip {what}.")


def _chunks(file) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
