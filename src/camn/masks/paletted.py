"""Pictures with a palette: whether an index says which object a pixel is, or its colour.

Programs that make masks number the entries of a palette by id. Programs that make pictures smaller, and editors, order
them as they like, in each file anew: then only the colours are the objects, as in an RGB picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from camn.errors import MaskError
from camn.masks.colours import KNOWN, flatten, is_grey, numbered, pack
from camn.masks.ids import IGNORE
from camn.masks.palette import PALETTE

_RAMP = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


@dataclass(frozen=True)
class Palette:
    """The palette of one picture, as far as it is used.

    codes: {index: 0xRRGGBB on black}, 0 where it is transparent. clear: indices that are transparent. corners: the
    indices at the picture's corners. usual: each index has DAVIS's colour, or is the grey of its value. distinct: no
    two indices share a colour. known: all colours, also those that are not used, are DAVIS's.
    """

    codes: Mapping[int, int]
    clear: frozenset[int]
    corners: frozenset[int]
    usual: bool
    distinct: bool
    known: bool

    @classmethod
    def of(cls, image: Image.Image, indices: np.ndarray) -> Palette:
        """Of an image of mode P with these indices (H, W)."""
        stored = stored_palette(image)
        rgba = np.zeros((256, 4), np.uint8)
        rgba[:, 3] = 255
        rgba[: len(stored)] = stored
        used = np.flatnonzero(np.bincount(indices.ravel(), minlength=256))
        ours, seen = rgba[used, :3], rgba[used][rgba[used, 3] > 0]
        clear = frozenset(used[rgba[used, 3] == 0].tolist())
        kind, layers = flatten(rgba[used][None])
        layers = np.repeat(layers[..., None], 3, axis=2) if kind == "grey" else layers
        return cls(
            codes=dict(zip(used.tolist(), pack(layers)[0].tolist(), strict=True)),
            clear=clear,
            corners=frozenset(indices[[0, 0, -1, -1], [0, -1, 0, -1]].tolist()),
            usual=clear <= {0} and any((ours == order[used]).all() for order in (PALETTE, _RAMP)),
            distinct=len(np.unique(seen, axis=0)) == len(seen),
            known=_known(stored),
        )

    def paint(self) -> np.ndarray:
        """(256,) int32: the colour of each index that is used."""
        table = np.zeros(256, np.int32)
        table[list(self.codes)] = list(self.codes.values())
        return table


@dataclass(frozen=True)
class Verdict:
    """What tells the objects of some pictures apart: the index or the colour. ground: the background's colour. known:
    whether colours are DAVIS's. note: a sentence for the user, empty where all is as usual."""

    by_index: bool
    ground: int = 0
    known: bool = False
    note: str = ""

    def lut(self, palette: Palette, ids: Mapping[int, int] | None = None) -> np.ndarray:
        """(256,) uint8: the id of each index of a picture. ids: of its colours, where these tell."""
        table = np.arange(256, dtype=np.uint8)
        table[list(palette.clear)] = 0
        if not self.by_index:
            table[list(palette.codes)] = [(ids or {}).get(code, 0) for code in palette.codes.values()]
        return table

    def colours(self, palettes: Iterable[Palette]) -> list[int]:
        """0xRRGGBB of the objects in pictures, by appearance, then value."""
        found = (code for palette in palettes for code in sorted(palette.codes.values()))
        return [code for code in dict.fromkeys(found) if code not in (0, self.ground)]

    def own_ids(self, palettes: Iterable[Palette]) -> dict[int, int]:
        """{0xRRGGBB: index} of colours whose index can be their id: in the first palette that holds them with the
        background at index 0; and index 255, which stays *ignore*. None of DAVIS's colours, which have ids."""
        ids: dict[int, int] = {}
        for palette in () if self.known else palettes:
            begins = palette.codes.get(0, 0) in (0, self.ground)
            for index, code in palette.codes.items():
                if code not in (0, self.ground) and (begins or index == IGNORE) and index not in ids.values():
                    ids.setdefault(code, index)
        return ids


def judge(palettes: Sequence[Palette], like: Mapping[int, int] | None = None) -> Verdict:
    """What tells the objects in pictures that belong together. like: {0xRRGGBB: id} of other masks of the same objects.

    Indices do where each has DAVIS's colour or its own grey, where two share a colour, and where all files agree; but
    only if index 0 can be the background. Else colours do, black or transparent being the background. Raises MaskError
    where nothing says which is the background.
    """
    zero = {palette.codes[0] for palette in palettes if 0 in palette.codes}
    dark = any(0 in palette.codes.values() for palette in palettes)
    shared = not all(palette.distinct for palette in palettes) and (zero <= {0} or not dark)
    if shared or all(palette.usual for palette in palettes):
        return Verdict(True)
    around = all(palette.corners == {0} for palette in palettes)
    agree = _agree(palettes)
    objects = {code for palette in palettes for code in palette.codes.values() if code}
    known = all(palette.known for palette in palettes) and not all(map(is_grey, objects))
    if known and (len(objects) > 1 or not agree):  # one object may have any colour
        return Verdict(
            False, known=True, note="The palette has the usual colours in another order: objects are told by colour."
        )
    if zero <= {0} and (zero or not dark) and agree and not _other(palettes, like or {}):
        return Verdict(True)
    if agree and len(zero) == 1 and 0 not in zero and (around or not dark):
        if not around and not any(0 in palette.corners for palette in palettes):
            _refuse_ground(palettes)
        return Verdict(True, note=_ground_note(*zero) if dark else "")
    if not dark and len(zero) == 1:
        return Verdict(False, ground=next(iter(zero)), note=_order_note(len(palettes)))
    if not dark and len(zero) > 1:
        raise MaskError(
            "palettes that differ by file, none of them with black or transparent: nothing says which colour is the "
            "background; make it black, or save with one palette whose index 0 it is"
        )
    return Verdict(False, note=_order_note(len(palettes)))


def colour_ids(verdict: Verdict, palettes: Sequence[Palette], like: Mapping[int, int] | None = None) -> dict[int, int]:
    """{0xRRGGBB: id} of pictures in which colours tell the objects; shades of grey that no index numbers are ids.
    like: see `judge`; taken where it has all colours."""
    codes = verdict.colours(palettes)
    if like and all(code in like for code in codes):
        return {code: like[code] for code in codes}
    own = verdict.own_ids(palettes)
    if not own and not verdict.known and all(map(is_grey, codes)):
        return {code: code & 255 for code in codes}
    return numbered(codes, own)


def ids_alone(image: Image.Image, indices: np.ndarray) -> np.ndarray:
    """The ids (H, W) uint8 of a picture of mode P that is judged by itself. Raises MaskError."""
    if is_usual(stored_palette(image)):
        return indices
    palette = Palette.of(image, indices)
    verdict = judge([palette])
    return verdict.lut(palette, {} if verdict.by_index else colour_ids(verdict, [palette]))[indices]


def stored_palette(image: Image.Image) -> np.ndarray:
    """(N, 4) uint8 RGBA of the entries that a file of mode P has; without any, greys. A PNG is not decoded for it."""
    raw = image.palette
    plain = raw is not None and raw.mode == "RGB" and raw.rawmode is None
    rgb = bytes(raw.palette if raw and plain else image.getpalette("RGB") or _RAMP.tobytes())
    colours = np.frombuffer(rgb, np.uint8).reshape(-1, 3)
    alpha, clear = np.full((len(colours), 1), 255, np.uint8), image.info.get("transparency")
    if isinstance(clear, bytes):
        alpha[: len(clear), 0] = np.frombuffer(clear[: len(colours)], np.uint8)
    elif isinstance(clear, int) and clear < len(colours):
        alpha[clear] = 0
    return np.concatenate([colours, alpha], axis=1)


def is_usual(stored: np.ndarray) -> bool:
    """Whether a palette (N, 4) is DAVIS's, or the greys in their order; and nothing is transparent."""
    orders = (order[: len(stored)] for order in (PALETTE, _RAMP))
    return bool((stored[:, 3] == 255).all()) and any((stored[:, :3] == order).all() for order in orders)


def alike_by_index(palettes: Sequence[np.ndarray]) -> bool:
    """Whether palettes (N, 4) as they are stored are one, index 0 being black and nothing transparent; not those that
    may be DAVIS's in another order. Then `judge` says by index, whatever the pictures use of them."""
    longest = max(palettes, key=len)
    same = all((one == longest[: len(one)]).all() for one in palettes)
    begins = not longest[0, :3].any() and bool((longest[:, 3] == 255).all())
    return same and begins and not _known(longest)


def _known(stored: np.ndarray) -> bool:
    """Whether all colours of a palette (N, 4) are DAVIS's."""
    return set(pack(stored[None, :, :3])[0].tolist()) <= KNOWN.keys()


def _agree(palettes: Sequence[Palette]) -> bool:
    """Whether an index has one colour in all, and a colour one index."""
    pairs = {pair for palette in palettes for pair in palette.codes.items() if pair[0] not in palette.clear}
    return len({index for index, _ in pairs}) == len(pairs) == len({code for _, code in pairs})


def _other(palettes: Sequence[Palette], like: Mapping[int, int]) -> bool:
    """Whether all colours are those of `like`, at other indices."""
    pairs = {pair for palette in palettes for pair in palette.codes.items() if pair[1]}
    return all(code in like for _, code in pairs) and any(like[code] != index for index, code in pairs)


def _order_note(files: int) -> str:
    differ = "the palettes differ by file" if files > 1 else "index 0 of the palette is not the background"
    return f"{differ[0].upper()}{differ[1:]}: objects are told by colour, black or transparent is the background."


def _ground_note(code: int) -> str:
    return (
        f"Index 0 of the palette, #{code:06x}, has all corners and is taken for the background, black for an object; "
        "if it is not so, make the background black."
    )


def _refuse_ground(palettes: Sequence[Palette]) -> None:
    """Raises MaskError where another index has all corners."""
    corners = frozenset[int]().union(*(palette.corners for palette in palettes))
    if len(corners) > 1:
        return
    code = next(palette.codes[index] for palette in palettes for index in corners)
    zero = next(palette.codes[0] for palette in palettes if 0 in palette.codes)
    raise MaskError(
        f"no colour is black or transparent; index 0 of the palette, #{zero:06x}, would be the background, but "
        f"#{code:06x} has all corners. Make the background black"
    )
