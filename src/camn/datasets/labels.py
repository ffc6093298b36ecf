"""Mask files of a data set -> labels: grey values; indices of palettes, or colours where the order says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from camn.errors import DataError, MaskError
from camn.masks.colours import KNOWN, pack
from camn.masks.paletted import Palette, Verdict, alike_by_index, colour_ids, is_usual, judge, stored_palette
from camn.masks.pictures import LOSSY, upright


@dataclass(frozen=True, eq=False)
class LabelFiles:
    """Masks that belong together, as those of a video: in all of them an object has one id, whatever the order of their
    palettes (see `camn.masks.paletted`). like: {0xRRGGBB: id} of other masks of the same objects, whose ids are meant
    where the colours are theirs.
    """

    files: tuple[Path, ...]
    like: Mapping[int, int] = field(default_factory=dict)

    def read(self, path: Path) -> np.ndarray:
        """One of the files, (H, W) uint8: 0 background, 255 ignore. Raises DataError."""
        image, values = _open(path)
        if image.mode != "P" or is_usual(stored_palette(image)) or (self._plain and not self.like):
            return values
        verdict, ids = self._verdict
        return verdict.lut(Palette.of(image, values), ids)[values]

    def colours(self) -> dict[int, int]:
        """{0xRRGGBB: id} as far as palettes tell; of grey masks none."""
        codes = [pack(stored[None, :, :3])[0].tolist() for stored in self._stored]
        if codes and all(is_usual(stored) for stored in self._stored):
            return {code: id for code, id in KNOWN.items() if id}
        if self._plain:
            return {code: index for index, code in enumerate(max(codes, key=len)) if code}
        return dict(self._verdict[1])

    @property
    def note(self) -> str:
        """A sentence where colours, not indices, tell the objects, or the background was guessed; else empty."""
        usual = all(is_usual(stored) for stored in self._stored)
        return "" if usual or (self._plain and not self.like) else self._verdict[0].note

    @cached_property
    def _stored(self) -> list[np.ndarray]:
        """The palettes as they are stored, of the files that have one and can be read."""
        found = []
        for path in self.files:
            try:
                with Image.open(path) as image:
                    found += [stored_palette(image)] if image.mode == "P" else []
            except (OSError, SyntaxError, ValueError):  # who reads it will say so
                continue
        return found

    @cached_property
    def _plain(self) -> bool:
        return bool(self._stored) and alike_by_index(self._stored)

    @cached_property
    def _verdict(self) -> tuple[Verdict, Mapping[int, int]]:
        """What tells objects apart, and the ids of colours. Reads all the files. Raises DataError."""
        palettes = list(self._palettes())
        try:
            verdict = judge(palettes, self.like)
            return verdict, {} if verdict.by_index else colour_ids(verdict, palettes, self.like)
        except MaskError as error:
            raise DataError(f"{self.files[0].parent}: {error}") from error

    def _palettes(self) -> Iterator[Palette]:
        for path in self.files:
            try:
                image, values = _open(path)
            except DataError:  # who reads it will say so
                continue
            if image.mode == "P":
                yield Palette.of(image, values)


def _open(path: Path) -> tuple[Image.Image, np.ndarray]:
    """A palette or grey PNG and its stored values, (H, W) uint8. Raises DataError."""
    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L", "1"):
                deep = f" with values up to {np.array(image).max()}" if image.mode.startswith("I") else ""
                raise DataError(
                    f"{path}: mode {image.mode}{deep}, but labels need a palette (P) or grey (L) PNG of ids 1..254; "
                    "convert it"
                )
            if image.format in LOSSY:
                raise DataError(f"{path}: a {image.format} by its content, which blurs ids; make it again as PNG")
            image = upright(image)
            return image, np.array(image, dtype=np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as labels ({error}); fetch it again or take it out") from error
