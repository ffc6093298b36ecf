"""Which files of a folder are its frames, and which pictures beside them are left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from camn.errors import VideoError
from camn.media.name_order import frame_order, natural_key, shape

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".jp2", ".ppm", ".pgm"})
# Frames where a folder has none of the above: beside them they are rather an overview or a texture.
RARE = frozenset({
    ".tga", ".gif", ".jfif", ".jpe", ".j2k", ".jpx", ".jpf", ".mpo", ".apng", ".avifs", ".pnm", ".pbm", ".dib", ".pcx",
    ".qoi", ".sgi", ".rgb", ".bw", ".ras", ".heic", ".heif", ".hif",
})  # fmt: skip
UNREAD = frozenset({
    ".heics", ".jxl", ".jxr", ".wdp", ".hdp", ".exr", ".hdr", ".dpx", ".cin", ".psd", ".psb",
    ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf", ".pef", ".srw",
    ".x3f", ".3fr", ".erf", ".kdc", ".mrw", ".rwl", ".iiq", ".dcr", ".pfm", ".fits", ".fit", ".dds", ".bpg", ".flif",
    ".dcm", ".nrrd", ".mha", ".nii", ".czi", ".lif", ".nd2",
})  # fmt: skip
_STARTS = {
    b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"II+\0": "TIFF",
    b"v/1\x01": "OpenEXR", b"SDPX": "DPX", b"XPDS": "DPX", b"8BPS": "PSD", b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL", b"\0\0\0\x0cjP  ": "JPEG 2000",
}  # fmt: skip
# Of still pictures in boxes like a video's; the first that a file claims, if it begins with one.
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF"}
HEIC = ("HEIC", "HEIF")  # kinds that Pillow reads with a package of its own
_SHOWN = 5


@dataclass(frozen=True)
class Listing:
    """frames: the names of those that are read, in order. between: of pictures that are not read although their names
    stand in the frames' sequence. beside: of others that are not. notes: what the user should know; they go behind the
    folder's name."""

    frames: tuple[str, ...]
    between: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def refuse(self, where: object) -> None:
        """Raises VideoError where the sequence would have holes."""
        if self.between:
            many = len(self.between) > 1
            raise VideoError(
                f"{where}: {_some(self.between)} {'stand' if many else 'stands'} among the frames by "
                f"{'their names' if many else 'its name'}, but cannot be read as {'frames' if many else 'a frame'}; "
                "convert to PNG or JPEG (with that suffix), or move elsewhere"
            )


def list_frames(names: Collection[str], kind: Callable[[str], str | None] = lambda name: None) -> Listing:
    """The frames among the files of a folder, by their names; hidden files do not count, nor do those that share a
    frame's name, as the raw file of a photo.

    kind: what picture a file is by its content, asked where the suffix tells nothing but the name is like a frame's.
    """
    seen = [name for name in names if not PurePath(name).name.startswith(".")]
    frames = [name for name in seen if _suffix(name) in EXTENSIONS] or [name for name in seen if _suffix(name) in RARE]
    stems = list(map(stem, frames))
    own, shapes = set(stems), {shape(name) for name in stems}
    between, beside = [], []
    for name in sorted(set(seen) - set(frames), key=natural_key):
        if own & (roots := _roots(name)):
            continue
        alike = any(shape(root) in shapes for root in roots)
        if _suffix(name) in UNREAD or _suffix(name) in RARE or (alike and kind(name)):
            (between if alike else beside).append(name)
    key, doubt = frame_order(stems)
    notes = [doubt] if doubt else []
    if beside:
        notes.append(
            f"pictures that are not read as frames: {_some(beside)}; convert them to PNG or JPEG if they are some"
        )
    ordered = sorted(frames, key=lambda name: key(stem(name)))
    return Listing(tuple(ordered), tuple(between), tuple(beside), tuple(notes))


def list_folder(folder: Path, fits: Callable[[str], object] | None = None) -> Listing:
    """The frames right in a folder; if given, those alone whose names fit. A link to nothing is a picture that cannot
    be read. Raises VideoError."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((one for one in entries if not fits or fits(one.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise VideoError(f"{folder}: cannot be read ({error.strerror}); change its permissions") from error
    gone = {entry.name for entry in found if entry.is_symlink() and not os.path.exists(entry.path)}
    inner = [entry.name for entry in found if entry.is_dir() and not entry.name.startswith((".", "_", "@"))]
    files = [entry.name for entry in found if entry.is_file()]
    listing = list_frames(files, lambda name: picture_kind(folder / name))
    lost = tuple(name for name in gone if not name.startswith(".") and _suffix(name) in EXTENSIONS)
    deeper = _deeper(folder, inner, listing.frames)
    return replace(listing, between=(*listing.between, *sorted(lost)), notes=(*listing.notes, *deeper))


def list_images(folder: Path) -> list[Path]:
    """The frames right in a folder, in order. Raises VideoError where pictures among them cannot be read."""
    listing = list_folder(folder)
    listing.refuse(folder)
    return [folder / name for name in listing.frames]


def picture_kind(path: Path) -> str | None:
    """What kind of picture a file is by its first bytes; None if of none that is known."""
    head = b""
    with suppress(OSError):
        if path.is_file():  # from a pipe nothing may ever come
            with path.open("rb") as file:
                head = file.read(64)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        brands = [head[i : i + 4] for i in range(8, min(64, int.from_bytes(head[:4])), 4)]
        return next((_BRANDS[brand] for brand in _BRANDS if brand in brands and brands[0] in _BRANDS), None)
    return next((kind for start, kind in _STARTS.items() if head.startswith(start)), None)


def stem(name: str) -> str:
    return PurePath(name).stem


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _roots(name: str) -> set[str]:
    """What the file could be the frame of: IMG_1.heic, IMG_1.png.part -> IMG_1."""
    inner = stem(name)
    return {name, inner, *([stem(inner)] if _suffix(inner) in EXTENSIONS else [])}


def _deeper(folder: Path, inner: Iterable[str], frames: Sequence[str]) -> list[str]:
    """Of folders within that hold further frames; masks and thumbnails are called like the frames that are there."""
    own = {stem(name) for name in frames}
    shapes, more = {shape(name) for name in own}, []
    for name in inner:
        with suppress(OSError):
            stems = {stem(file) for file in os.listdir(folder / name) if _suffix(file) in EXTENSIONS}
            if any(shape(one) in shapes for one in stems - own):
                more.append(name)
    many = f"folders {_some(more)} in it hold" if len(more) > 1 else f"folder {_some(more)} in it holds"
    return [f"the {many} more pictures with names like the frames': not read"] if more else []


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
