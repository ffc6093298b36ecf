"""Names of files that users send, and what images are called: for order and messages; no path is made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from PIL import Image

from camn import api
from camn.projects.problem import Problem

_IMAGES = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "AVIF": ".avif",
    "BMP": ".bmp", "TIFF": ".tif", "JPEG2000": ".jp2", "PPM": ".ppm",
    "TGA": ".tga", "GIF": ".gif", "DIB": ".dib", "PCX": ".pcx", "QOI": ".qoi", "SGI": ".sgi", "SUN": ".ras",
}  # fmt: skip
_VIDEO = re.compile(r"\.(mp4|m4v|mov|mkv|webm|avi|gif|mpe?g|m?ts|m2ts|3gp|wmv|flv|ogv|y4m|mxf)$", re.IGNORECASE)


def readable(name: str) -> str:
    """A file's name as somebody says it, for messages and as a project's name: its last part, printable, short."""
    return "".join(letter for letter in parted(name).name if letter.isprintable())[:120] or "file"


def image_suffix(path: Path) -> str | None:
    """Of a file that is an image by its content: the end that its name should have."""
    try:
        with Image.open(path) as image:  # the header alone
            return _IMAGES.get(image.format or "")
    except Exception:  # Pillow's readers raise nearly anything on a broken file
        return None


def is_film(path: Path) -> bool:
    """Whether a file that came alone is the whole video: no image, or several of them in one. Raises VideoError."""
    return image_suffix(path) in (None, ".gif") or len(api.read_header(path).pages) > 1


def video_suffix(name: str) -> str | None:
    """The end of a name that a video may have, in small letters."""
    return match[0].lower() if (match := _VIDEO.search(name)) else None


def stem(name: str) -> str:
    return parted(name).stem


def no_two_alike(names: Iterable[str], where: str) -> None:
    """Raises Problem for two files whose names, without their ends, are one."""
    seen: dict[str, str] = {}
    for name in names:
        if stem(name) not in seen:
            seen[stem(name)] = name
            continue
        first, second = readable(seen[stem(name)]), readable(name)
        both = f"“{first}” is there twice" if first == second else f"“{first}” and “{second}” are both"
        raise Problem("invalid", f"{both} in what {where}; frames are in the order of their names: keep one of them.")


def parted(name: str) -> PurePosixPath:
    """For its parts; never opened."""
    return PurePosixPath(name.replace("\\", "/"))
