"""Reading one picture as RGB, of any depth."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from camn.errors import VideoError, words_of
from camn.media.folder_files import HEIC, picture_kind
from camn.pillow import whole_files

Read = TypeVar("Read")
_ORIENTATION = 0x0112  # the EXIF tag; values 5 to 8 swap height and width
_WIDE = re.compile(r";16|\b65535\b")  # in how Pillow decodes colours of 16 bits, of which it keeps the upper 8
_DESCRIPTION = 270  # TIFF's tag for words
_SUBFILE, _OLD_SUBFILE = 254, 255  # TIFF's tags for previews (1) and transparency masks (4); for previews (2)
_IMAGEJ = re.compile(r"ImageJ=.*\bimages=([0-9]+)", re.DOTALL)


class Levels(NamedTuple):
    """What is black and what is white, of the values as they are stored."""

    low: float
    high: float


class Header(NamedTuple):
    """What a file says of its picture. size: (H, W), upright. pages: the numbers of its pictures, but for previews.
    wide: whether values have more than 8 bits."""

    size: tuple[int, int]
    pages: tuple[int, ...]
    wide: bool


def read_image(path: str | Path) -> np.ndarray:
    """An image file, upright by its EXIF orientation, as (H, W, 3) uint8 RGB; of several pictures the first.

    Grey becomes equal channels, 16 bits become 8, a palette its colours; transparency is dropped (the colours below it
    stay). Raises VideoError for what cannot be read.
    """
    return read_page(path, page_rgb)


def read_values(path: str | Path) -> np.ndarray:
    """The values as they are stored: (H, W), or (H, W, 3) of colours, upright. Raises VideoError."""
    return read_page(path, page_values)


def read_page(path: str | Path, read: Callable[[Image.Image, str | Path], Read]) -> Read:
    """What `read` makes of an image file. Raises VideoError."""
    try:
        with open_picture(path) as image, whole_files():
            return read(image, path)
    except (MemoryError, VideoError):
        raise
    except Exception as error:  # decoders of broken files raise nearly anything
        raise unreadable(path, error) from error


def open_picture(path: str | Path) -> Image.Image:
    """By Pillow, which reads HEIC where a package for that is there. Raises VideoError where it is not, and what Pillow
    raises."""
    try:
        return Image.open(path)
    except UnidentifiedImageError:
        if picture_kind(Path(path)) not in HEIC:
            raise
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        kind = Path(path).suffix or "HEIC"
        raise VideoError(
            f"{path}: pictures of this kind ({kind}) are not read without the package pillow-heif: pip install "
            "'camn[heic]', or convert it to PNG or JPEG"
        ) from error
    register_heif_opener()
    return Image.open(path)


def read_header(path: str | Path) -> Header:
    """Nothing is decoded. Raises VideoError."""
    return read_page(path, _header)


def _header(image: Image.Image, path: str | Path) -> Header:
    wide, pages = is_wide(image), _pages(image, path)
    # PNG's getexif() would decode the whole picture to look for a chunk behind it
    known = image.format != "PNG" or "exif" in image.info
    turned = known and image.getexif().get(_ORIENTATION, 1) >= 5
    if turned and image.format == "TIFF":  # whether Pillow has turned it already depends on its version
        image, turned = ImageOps.exif_transpose(image), False
    return Header((image.width, image.height) if turned else (image.height, image.width), pages, wide)


def unreadable(path: str | Path, error: Exception) -> VideoError:
    reason = "the file is empty" if Path(path).is_file() and Path(path).stat().st_size == 0 else words_of(error)
    return VideoError(f"{path}: cannot be read as an image ({reason}); remove it or replace it by an intact copy")


def _pages(image: Image.Image, path: str | Path) -> tuple[int, ...]:
    """Of a photo, which may have a preview or a depth map behind it (MPO), the first. Leaves the first page open."""
    if image.format == "MPO":
        return (0,)
    count = getattr(image, "n_frames", 1)
    if not isinstance(image, TiffImageFile):
        return tuple(range(count))
    described = _IMAGEJ.match(str(image.tag_v2.get(_DESCRIPTION, "")))
    if described and int(described[1]) > count:
        raise VideoError(
            f"{path}: ImageJ wrote {described[1]} pictures into it, in a way that hides all but {count}; save them as "
            "single files (in ImageJ: Save As, Image Sequence)"
        )
    pages = []
    for page in range(count):
        image.seek(page)
        if not int(image.tag_v2.get(_SUBFILE, 0)) & 5 and image.tag_v2.get(_OLD_SUBFILE) != 2:
            pages.append(page)
    image.seek(0)
    return tuple(pages) if count > 1 else (0,)


def is_wide(image: Image.Image) -> bool:
    tiles = image.tile if isinstance(image, ImageFile) else []
    return image.mode.startswith("I") or any(_WIDE.search(str(tile.args)) for tile in tiles[:1])


def page_rgb(image: Image.Image, path: str | Path) -> np.ndarray:
    """As `read_image`, of the page that is open."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits, which Pillow also holds in 32
        return _grey_to_rgb(np.asarray(image), 65535, path)
    if image.mode == "F":
        return _grey_to_rgb(np.asarray(image), 1, path)
    if image.mode == "P":
        image = image.convert("RGBA")  # straight to RGB, Pillow warns about transparent palettes
    return np.array(image.convert("RGB"))


def levelled(values: np.ndarray, levels: Levels) -> np.ndarray:
    """Stored values -> (H, W, 3) uint8: `low` and below black, `high` and above white."""
    shares = (values.astype(np.float32) - levels.low) * np.float32(255 / (levels.high - levels.low))
    shades = np.rint(np.clip(np.nan_to_num(shares), 0, 255)).astype(np.uint8)
    return np.repeat(shades[..., None], 3, axis=2) if shades.ndim == 2 else shades


def page_values(image: Image.Image, path: str | Path) -> np.ndarray:
    """As `read_values`, of the page that is open."""
    if image.mode.startswith("I") or image.mode == "F":
        return np.asarray(ImageOps.exif_transpose(image))
    if is_wide(image) and getattr(image, "n_frames", 1) == 1:  # Pillow would give the upper bits only
        stored = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        if stored is not None and stored.shape[:2] == (image.height, image.width):
            return _upright(stored, image.getexif().get(_ORIENTATION, 1))
    return page_rgb(image, path)


def _upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """BGR(A) or grey as OpenCV has it -> RGB or grey."""
    colours = stored[..., 2::-1] if stored.ndim == 3 and stored.shape[2] >= 3 else stored
    if orientation >= 5:
        colours = colours.swapaxes(0, 1)
    rows, columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(colours[:: -1 if rows else 1, :: -1 if columns else 1])


def _grey_to_rgb(grey: np.ndarray, white: int, path: str | Path) -> np.ndarray:
    low, high = grey.min(), grey.max()
    if not (low >= 0 and high <= white):
        raise VideoError(
            f"{path}: {grey.dtype} grey values from {low} to {high}, expected 0 to {white}; save it with 8 or 16 bits, "
            "or say which values are black and white (--picture-range LOW HIGH)"
        )
    return np.repeat(np.rint(grey * (255 / white)).astype(np.uint8)[..., None], 3, axis=2)
