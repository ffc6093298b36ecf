"""Pictures that use a small part of their range, as of cameras of 12 bits in files of 16: what is black, what white."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from camn.errors import VideoError
from camn.media.picture import Levels, levelled, page_rgb, page_values, read_values

SAMPLES = 8  # pictures that are looked at, from all over the video: the levels are the same for all
_QUARTER = 1 << 14  # of 16 bits: what stays below is black, or nearly
_OPTION = "--picture-range LOW HIGH"
_DARK = 16  # of 255


@dataclass(frozen=True)
class Shades:
    """levels: None where each kind of picture has its own. guessed: whether these were found by looking. notes: what
    the user should know of that; they go behind the video's name."""

    levels: Levels | None = None
    guessed: bool = False
    notes: tuple[str, ...] = ()


class Shader:
    """Makes RGB of stored values, and remembers what was odd."""

    def __init__(self, shades: Shades):
        self._shades, self._outside, self._brightest = shades, 0, 0

    def rgb(self, image: Image.Image, path: str | Path) -> np.ndarray:
        """As `page_rgb`."""
        if self._shades.levels is None:
            made = page_rgb(image, path)
        else:
            values = page_values(image, path)
            self._outside += bool(values.min() < self._shades.levels.low or values.max() > self._shades.levels.high)
            made = levelled(values, self._shades.levels)
        if self._brightest < _DARK:
            self._brightest = max(self._brightest, int(made.max()))
        return made

    def warnings(self) -> Iterator[str]:
        """At the end; they go behind the video's name."""
        levels = self._shades.levels
        if levels and self._shades.guessed and self._outside:
            ends = f"{levels.low:g} to {levels.high:g}"
            yield f"{self._outside} pictures have values outside {ends}, which are cut off; {_OPTION} says otherwise"
        if 0 < self._brightest < _DARK:
            yield f"all pictures are nearly black, at most {self._brightest} of 255; {_OPTION} says what is white"


def shades_of(files: Sequence[Path], wide: Sequence[bool], levels: Levels | None) -> Shades:
    """Of pictures of one video. wide: of each whether it has 16 bits. levels: what the user says."""
    deep = [file for file, is_wide in zip(files, wide, strict=True) if is_wide]
    if levels or not deep:
        return Shades(levels)
    found = guess(_read(deep[index]) for index in spread(len(deep)))
    if found.levels is None or len(deep) == len(files):
        return found
    note = (
        f"{len(deep)} of the pictures have 16 bits, such as {deep[0].name}, and use a small part of them, while the "
        "others have 8: they may come out much darker than these; save all with 8 bits"
    )
    return Shades(notes=(note,))


def spread(count: int) -> list[int]:
    """Up to SAMPLES of so many, evenly."""
    return sorted({index * (count - 1) // max(1, SAMPLES - 1) for index in range(SAMPLES)})


def _read(file: Path) -> np.ndarray | None:
    with suppress(VideoError):  # it is told when its turn comes
        return read_values(file)


def guess(samples: Iterable[np.ndarray | None]) -> Shades:
    """Of values of 16 bits: the levels, where they use a small part of these."""
    ends = [(int(values.min()), int(values.max())) for values in samples if values is not None]
    if not ends:
        return Shades()
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    white, used = (1 << max(8, high.bit_length())) - 1, high - low
    offset = 2 * low > high and 64 <= used < min(white, _QUARTER * 2) // 4  # as of thermal cameras; less may be noise
    if low < 0 or high == 0 or high >= (1 << 16) or (high >= _QUARTER and not offset):
        return Shades()
    room = used // 8  # for what the samples do not have
    levels = Levels(max(0, low - room), high + room) if offset else Levels(0, white)
    note = (
        f"the pictures have 16 bits, but values from {low} to {high} only: {levels.low} is taken for black and "
        f"{levels.high} for white, on all frames; --picture-range says otherwise, 0 65535 as they are"
    )
    return Shades(levels, True, (note,))
