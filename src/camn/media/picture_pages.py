"""One file of several pictures, as TIFF stacks and animated WebP are, as a frame source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from camn.errors import VideoError, words_of
from camn.media.folder_files import HEIC, UNREAD, picture_kind
from camn.media.levels import Shader, Shades, guess, spread
from camn.media.picture import Levels, open_picture, page_values, read_header, read_page
from camn.media.source import Frame, FrameSource, check_pixels

Times = tuple[tuple[tuple[Fraction, Fraction], ...] | None, Fraction | None]
_KINDS = ("TIFF", "WebP", "AVIF")  # of which FFmpeg has the first picture only, or none; nor has it MPO, such JPEG
_MILLISECOND = Fraction(1, 1000)


@dataclass(frozen=True)
class PagesSource(FrameSource):
    """The pictures of one file as frames, named by six-digit numbers; see FrameSource.

    pages: their numbers in the file. times: of each its start and duration in seconds, where the file states these.
    """

    path: Path
    pages: tuple[int, ...]
    size: tuple[int, int]
    times: tuple[tuple[Fraction, Fraction], ...] | None
    fps: Fraction | None
    shades: Shades
    notes: tuple[str, ...]
    time_base: Fraction | None = None
    kind: str = "video"
    names: tuple[str, ...] | None = None
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path, max_pixels: int | None = None, levels: Levels | None = None) -> PagesSource:
        """Raises VideoError for a file that cannot be read."""
        header = read_header(path)
        check_pixels(path, header.size, max_pixels)
        pages = header.pages
        if not pages:
            raise VideoError(f"{path}: holds previews alone, as raw files do; convert it to PNG or JPEG")
        shades = Shades(levels)
        if header.wide and not levels:
            shades = guess(read_page(path, _reader(pages[index])) for index in spread(len(pages)))
        times, fps = read_page(path, partial(_times, pages=pages))
        notes = tuple(f"{path}: {note}" for note in shades.notes)
        return cls(path, pages, header.size, times, fps, shades, notes, _MILLISECOND if times else None)

    @property
    def count(self) -> int:
        return len(self.pages)

    def __iter__(self) -> Iterator[Frame]:
        self.warnings[:] = self.notes
        shader = Shader(self.shades)
        with open_picture(self.path) as image:
            for index, page in enumerate(self.pages):
                rgb = self._read(image, page, shader)
                yield Frame(index, f"{index:06d}", rgb, *(self.times[index] if self.times else ()))
        self.warnings.extend(f"{self.path}: {said}" for said in shader.warnings())

    def _read(self, image: Image.Image, page: int, shader: Shader) -> np.ndarray:
        try:
            image.seek(page)
            rgb = shader.rgb(image, self.path)
        except (MemoryError, VideoError):
            raise
        except Exception as error:  # decoders of broken files raise nearly anything
            which = f"picture {page + 1} of {len(self.pages)}"
            raise VideoError(f"{self.path}: {which} cannot be read ({words_of(error)}); save the file again") from error
        if rgb.shape[:2] != self.size:
            (h, w), (first_h, first_w) = rgb.shape[:2], self.size
            raise VideoError(
                f"{self.path}: its picture {page + 1} has {w}x{h} pixels, the first {first_w}x{first_h}; frames must "
                "have one size: save those of the video alone"
            )
        return rgb


def holds_pages(path: Path) -> bool:
    """Whether a file is a picture of a kind that is read here: of HEIC FFmpeg would give a tile for the whole. Raises
    VideoError for photos of which Pillow would give a preview."""
    kind = picture_kind(path)
    if kind in _KINDS and path.suffix.lower() in UNREAD:
        raise VideoError(
            f"{path}: pictures of this kind ({path.suffix or kind}) are not read; convert it to PNG or JPEG"
        )
    return kind in (*_KINDS, *HEIC) or (kind == "JPEG" and read_page(path, lambda image, _: image.format) == "MPO")


def _reader(page: int) -> Callable[[Image.Image, str | Path], np.ndarray]:
    def read(image: Image.Image, path: str | Path) -> np.ndarray:
        image.seek(page)
        return page_values(image, path)

    return read


def _times(image: Image.Image, path: str | Path, pages: tuple[int, ...]) -> Times:
    """(starts and durations, mean frames per second) where the file states them. All are decoded: Pillow wants that."""
    if image.format == "TIFF" or len(pages) == 1:
        return None, None
    times, now = [], Fraction(0)
    for page in pages:
        image.seek(page)
        image.load()
        times.append((now, Fraction(image.info.get("duration", 0)) * _MILLISECOND))
        now += times[-1][1]
    if now <= 0 or len({start for start, _ in times}) < len(times):
        return None, None
    return tuple(times), len(times) / now
