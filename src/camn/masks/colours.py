"""Colours of pictures: as numbers, on black, and the ids that they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from camn.errors import MaskError
from camn.masks.ids import MAX_ID
from camn.masks.palette import PALETTE

KNOWN: Mapping[int, int] = {int(r) << 16 | int(g) << 8 | int(b): id for id, (r, g, b) in enumerate(PALETTE.tolist())}
"""0xRRGGBB of the palette in which masks are written -> id."""

_HALF = 128  # alpha of a pixel that is half the object's


def numbered(colours: Iterable[int], own: Mapping[int, int] | None = None) -> dict[int, int]:
    """Colours 0xRRGGBB, in the order in which they appear, -> ids: those of `own`; without any DAVIS's, if all colours
    are DAVIS's; else 1, 2, ... Raises MaskError for too many."""
    codes, own = list(dict.fromkeys(colours)), own or {}
    if len(codes) > MAX_ID:
        raise MaskError(f"{len(codes)} colours, each an object; at most {MAX_ID} objects can be told apart")
    if not own and all(code in KNOWN for code in codes):
        return {code: KNOWN[code] for code in codes}
    free = (id for id in range(1, MAX_ID + 1) if id not in own.values())
    return {code: own[code] if code in own else next(free) for code in codes}


def is_grey(code: int) -> bool:
    """Whether 0xRRGGBB is a shade of grey."""
    return code == (code & 255) * 0x10101


def pack(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (H, W) int32 0xRRGGBB."""
    red, green, blue = np.moveaxis(rgb.astype(np.int32), 2, 0)
    return red << 16 | green << 8 | blue


def unpack(code: int) -> tuple[int, int, int]:
    """0xRRGGBB -> (red, green, blue)."""
    return code >> 16, code >> 8 & 255, code & 255


def to_hex(colour: Iterable[int]) -> str:
    """(red, green, blue) -> #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def from_hex(text: str) -> tuple[int, ...]:
    """ "#rrggbb" -> (red, green, blue). Raises ValueError for other digits, and does not count them."""
    return tuple(bytes.fromhex(text[1:]))


def flatten(rgba: np.ndarray) -> tuple[Literal["grey", "colour"], np.ndarray]:
    """RGBA (H, W, 4) -> ("colour", (H, W, 3)) or ("grey", (H, W)): transparent is background. One shade of grey
    throughout: the alpha itself is the mask."""
    colour, alpha = rgba[..., :3], rgba[..., 3]
    seen = colour[alpha > 0]
    if alpha.min() < 255 and len(seen) and (seen == seen[0, 0]).all():
        return "grey", alpha
    # Half-transparent pixels are darkened, so that soft edges are seen for what they are.
    return "colour", (colour.astype(np.uint16) * alpha[..., None] // 255).astype(np.uint8)


def is_cut_out(rgba: np.ndarray) -> bool:
    """Whether RGBA (H, W, 4) is a part of a photograph, cut out along its alpha, rather than a mask of flat colours:
    by how often neighbours that are both opaque differ."""
    opaque = rgba[..., 3] >= _HALF
    if opaque.all() or not opaque.any():
        return False
    codes = pack(rgba[..., :3])
    found = len(np.unique(codes[opaque]))
    if found < 3:
        return False
    pairs = differ = 0
    for one, two in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        both = opaque[one] & opaque[two]
        pairs += np.count_nonzero(both)
        differ += np.count_nonzero(both & (codes[one] != codes[two]))
    return bool(differ * (3 if found > 8 else 2) > pairs)


def solid(rgba: np.ndarray) -> np.ndarray:
    """The mask of a cut-out (H, W, 4): 255 where it is half opaque or more, else 0."""
    return np.where(rgba[..., 3] >= _HALF, np.uint8(255), np.uint8(0))
