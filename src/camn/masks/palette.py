"""Palette PNG: how masks are written."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from camn.files import write_whole
from camn.masks.ids import check_mask


def _palette() -> np.ndarray:
    """The PASCAL VOC palette, DAVIS's too: bits 3k, 3k + 1, 3k + 2 of an id are bit 7 - k of its red, green, blue."""
    ids = np.arange(256)[:, None]
    channels = np.arange(3)[None]
    colours = sum(((ids >> (3 * k + channels)) & 1) << (7 - k) for k in range(3))
    palette = np.asarray(colours, dtype=np.uint8)
    palette.setflags(write=False)
    return palette


PALETTE: np.ndarray = _palette()
"""(256, 3) uint8 RGB, read-only: the colour of each object id."""


NOTE = "camn"  # a text chunk, JSON: what is known of a mask beside its pixels


def note_of(image: Image.Image) -> dict[str, Any] | None:
    """What a mask's file says of it in its chunk `camn`; empty without one, None where it cannot be read."""
    try:
        note = json.loads(str(image.info.get(NOTE, "{}")))
    except ValueError:
        return None
    return note if isinstance(note, dict) else None


def stated_in(note: Mapping[str, Any]) -> frozenset[int] | None:
    """Ids that are just where a mask shows them, or, if it does not show them, not on its frame; None if unsaid."""
    try:
        return frozenset(int(id) for id in note["stated"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def encode_palette_png(mask: np.ndarray, notes: Mapping[str, str] | None = None) -> bytes:
    """Mask (H, W) of ids -> the bytes of an 8-bit palette PNG whose indices are the ids. notes: text chunks, by key."""
    image = Image.fromarray(np.ascontiguousarray(check_mask(mask)))
    image.putpalette(PALETTE.tobytes())
    texts, buffer = PngInfo(), io.BytesIO()
    for key, text in (notes or {}).items():
        texts.add_text(key, text)
    # Run lengths alone: ids are flat, and so these files are smaller than by a search for matches, and made in half the
    # time.
    image.save(buffer, format="PNG", pnginfo=texts, compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def write_palette_png(path: str | Path, mask: np.ndarray) -> None:
    """Write a mask (H, W) of ids as a palette PNG, whole or not at all; OutputError when it cannot be written."""
    write_whole(Path(path), encode_palette_png(mask))
