"""Image folders as frame sources, and reading one image as RGB."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from camn.errors import VideoError
from camn.media.source import Frame, FrameSource, check_pixels

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".jp2", ".ppm", ".pgm"})
_ORIENTATION = 0x0112  # the EXIF tag; values 5 to 8 swap height and width


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Sorting key in which numbers count as numbers: frame2 before frame10."""
    parts = re.split(r"([0-9]+)", name)
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def list_images(folder: Path) -> list[Path]:
    """The image files right in a folder, in natural order of their stems; hidden files are left out."""
    found = (p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and not p.name.startswith("."))
    return sorted((p for p in found if p.is_file()), key=lambda p: natural_key(p.stem))


def read_image(path: str | Path) -> np.ndarray:
    """An image file, upright by its EXIF orientation, as (H, W, 3) uint8 RGB.

    Grey becomes equal channels, 16 bits become 8, a palette its colours; transparency is dropped (the colours below it
    stay). Raises VideoError for what cannot be read.
    """
    try:
        with Image.open(path) as image:
            return _to_rgb(ImageOps.exif_transpose(image), path)
    except (MemoryError, VideoError):
        raise
    except Exception as error:  # decoders of broken files raise nearly anything
        raise _unreadable(path, error) from error


def image_size(path: str | Path) -> tuple[int, int]:
    """(H, W) that read_image will give, from the file's header alone."""
    try:
        with Image.open(path) as image:
            # PNG's getexif() would decode the whole picture to look for a chunk behind it
            known = image.format != "PNG" or "exif" in image.info
            turned = known and image.getexif().get(_ORIENTATION, 1) >= 5
            if turned and image.format == "TIFF":  # whether Pillow has turned it already depends on its version
                image, turned = ImageOps.exif_transpose(image), False
            return (image.width, image.height) if turned else (image.height, image.width)
    except MemoryError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str | Path, error: Exception) -> VideoError:
    reason = "the file is empty" if Path(path).is_file() and Path(path).stat().st_size == 0 else error
    return VideoError(f"{path}: cannot be read as an image ({reason}); remove it or replace it by an intact copy")


def _to_rgb(image: Image.Image, path: str | Path) -> np.ndarray:
    if image.mode.startswith("I"):  # 16 bits, which Pillow also holds in 32
        return _grey_to_rgb(np.asarray(image), 65535, path)
    if image.mode == "F":
        return _grey_to_rgb(np.asarray(image), 1, path)
    if image.mode == "P":
        image = image.convert("RGBA")  # straight to RGB, Pillow warns about transparent palettes
    return np.array(image.convert("RGB"))


def _grey_to_rgb(grey: np.ndarray, white: int, path: str | Path) -> np.ndarray:
    low, high = grey.min(), grey.max()
    if not (low >= 0 and high <= white):
        raise VideoError(
            f"{path}: {grey.dtype} grey values from {low} to {high}, expected 0 to {white}; save it with 8 or 16 bits"
        )
    return np.repeat(np.rint(grey * (255 / white)).astype(np.uint8)[..., None], 3, axis=2)


@dataclass(frozen=True)
class FolderSource(FrameSource):
    """A folder of images as frames, named by their stems, in natural order; see FrameSource."""

    path: Path
    files: tuple[Path, ...]
    size: tuple[int, int]
    kind: str = "folder"
    fps: Fraction | None = None
    time_base: Fraction | None = None
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path, max_pixels: int | None = None) -> FolderSource:
        """Raises VideoError: no images, an unreadable one, two with one stem, sizes that differ or are too large."""
        files = list_images(path)
        if not files:
            raise VideoError(_no_images(path))
        _check_names(files)
        size = image_size(files[0])
        check_pixels(files[0], size, max_pixels)
        for file in files[1:]:
            _check_size(file, image_size(file), files[0], size)
        return cls(path, tuple(files), size)

    @property
    def count(self) -> int:
        return len(self.files)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(file.stem for file in self.files)

    def __iter__(self) -> Iterator[Frame]:
        self.warnings.clear()
        for index, file in enumerate(self.files):
            image = read_image(file)
            _check_size(file, image.shape[:2], self.files[0], self.size)
            yield Frame(index, file.stem, image)


def _check_names(files: list[Path]) -> None:
    seen: dict[str, Path] = {}
    for file in files:
        if file.stem in seen:
            raise VideoError(
                f"{file.parent}: {seen[file.stem].name} and {file.name} share the name {file.stem!r}, and outputs are "
                "named by it; rename one or move it away"
            )
        seen[file.stem] = file


def _check_size(file: Path, size: tuple[int, ...], first: Path, wanted: tuple[int, int]) -> None:
    if tuple(size) != wanted:
        (h, w), (first_h, first_w) = size, wanted
        raise VideoError(
            f"{file}: {w}x{h} pixels, but {first.name} has {first_w}x{first_h}; "
            "all frames of a folder must have the same size: resize them or put other pictures elsewhere"
        )


def _no_images(folder: Path) -> str:
    wanted = ", ".join(sorted(EXTENSIONS))
    entries = sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: natural_key(p.name))
    inner = [p.name for p in entries if p.is_dir()]
    if inner:
        shown = ", ".join(inner[:5]) + (", ..." if len(inner) > 5 else "")
        return f"{folder}: holds no images but the folders {shown}; give the folder with one video's frames ({wanted})"
    if entries:
        return f"{folder}: holds no images ({wanted}) among {len(entries)} files; give a folder of frames or a video"
    return f"{folder}: the folder is empty; give a folder of frames ({wanted}) or a video file"
