"""COCO's run-length masks and polygons."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from camn.errors import MaskError
from camn.masks.extent import extent


def _coco() -> Any:
    """pycocotools.mask, imported late: most runs read and write no COCO file."""
    try:
        from pycocotools import mask
    except ImportError as error:
        raise MaskError("COCO masks need the package pycocotools: pip install pycocotools") from error
    return mask


def encode_rle(binary: np.ndarray) -> dict[str, Any]:
    """Binary mask (H, W) bool -> {"size": [H, W], "counts": compressed str, "area": pixels, "bbox": [x, y, w, h]}."""
    coco = _coco()
    rle = coco.encode(np.asfortranarray(binary, dtype=np.uint8))
    return {
        "size": list(binary.shape),
        "counts": rle["counts"].decode("ascii"),
        "area": int(coco.area(rle)),
        "bbox": [float(side) for side in coco.toBbox(rle)],
    }


def decode_rle(counts: str | list[int], height: int, width: int) -> np.ndarray:
    """Run lengths, compressed (str) or plain (list), -> binary mask (H, W) bool; MaskError when they do not fill it.

    Decoded here rather than by pycocotools, which reads memory that is not its own when the runs end early.
    """
    runs = _uncompress(counts) if isinstance(counts, str) else counts
    return spread_runs(runs, height, width).reshape(width, height).T


class Rows(NamedTuple):
    """A mask as CVAT has it. runs: lengths of background and object in turn, row by row, the background first, 0 where
    there is none. left, top, width, height: the box that they fill, in pixels."""

    runs: list[int]
    left: int
    top: int
    width: int
    height: int


def encode_rows(binary: np.ndarray) -> Rows:
    """Binary mask (H, W) bool -> its runs within its bounding box. An empty one is a pixel of background."""
    box = extent(binary)
    if box is None:
        return Rows([1], 0, 0, 1, 1)
    inside = binary[box]
    flat = np.concatenate(([False], inside.ravel(), [not inside[-1, -1]]))
    runs = np.diff(np.flatnonzero(flat[1:] != flat[:-1]), prepend=0).tolist()
    return Rows(runs, box[1].start, box[0].start, inside.shape[1], inside.shape[0])


def decode_rows(runs: list[int], height: int, width: int) -> np.ndarray:
    """Run lengths along rows, as CVAT's are, -> binary mask (H, W) bool; MaskError when they do not fill it."""
    return spread_runs(runs, height, width).reshape(height, width)


def spread_runs(runs: list[int], height: int, width: int) -> np.ndarray:
    """Lengths of runs, the first one of background, -> bool, of all pixels one after the other. Raises MaskError."""
    if not all(type(run) is int and 0 <= run <= height * width for run in runs) or sum(runs) != height * width:
        raise MaskError(f"its RLE does not fill {width}x{height} pixels (truncated, or made for another size)")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)


def decode_label_studio(data: bytes, height: int, width: int) -> np.ndarray:
    """Label Studio's brush, which packs the bytes of a picture RGBA bit by bit -> the mask (H, W) bool of its alpha.

    By the format of @thi.ng/rle-pack: the number of words (32 bits), bits of a word less 1 (5), bits of four kinds of
    lengths less 1 (4 each); then, until all words are there: whether one word is repeated (1), the kind of length (2),
    the length less 1, and the word, or as many words as that. Raises MaskError.
    """
    bits, at = np.unpackbits(np.frombuffer(data, np.uint8)), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        if at > len(bits):
            raise MaskError("its 'rle' is cut short")
        held = int.from_bytes(data[(at - count) // 8 : (at + 7) // 8], "big")  # the bytes that hold these bits
        return held >> (-at % 8) & ((1 << count) - 1)

    count, word = take(32), take(5) + 1
    lengths = [take(4) + 1 for _ in range(4)]
    if count != 4 * height * width or word != 8:
        raise MaskError(f"its 'rle' is not of {width}x{height} pixels (truncated, or made for another size)")
    words, done = np.zeros(count, np.uint8), 0
    while done < count:
        repeated, kind = take(1), take(2)
        end = done + take(lengths[kind]) + 1
        if end > count or (not repeated and at + word * (end - done) > len(bits)):
            raise MaskError(f"its 'rle' does not fill {width}x{height} pixels")
        if repeated:
            words[done:end] = take(word)
        else:
            words[done:end] = np.packbits(bits[at : at + word * (end - done)])
            at += word * (end - done)
        done = end
    return (words[3::4] > 0).reshape(height, width)


def _uncompress(text: str) -> list[int]:
    """COCO's compressed counts: 5 bits a character, low first, sign-extended; differences from the 4th run on."""
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        digit = ord(character) - 48
        if not 0 <= digit < 64:
            raise MaskError(f"its RLE holds the character {character!r}, which compressed counts cannot")
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32 and shift < 40:
            continue  # more digits follow; no run is longer than eight of them
        if digit & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value, shift = 0, 0
    return runs if shift == 0 else []  # cut within a number: no mask


def fill_polygons(polygons: list[Any], height: int, width: int) -> np.ndarray:
    """Polygons, each [x0, y0, x1, y1, ...] in pixels, -> their union (H, W) bool; MaskError for malformed ones.

    All formats' polygons are filled here, by COCO's rule: (0, 0) is the corner of the picture, pixel (0, 0) has its
    centre at (0.5, 0.5), and is in if that is; where a polygon crosses itself, even-odd decides.
    """
    if polygons and not isinstance(polygons[0], list):
        polygons = [polygons]  # one polygon, not wrapped in a list
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise MaskError("a polygon is a list [x0, y0, x1, y1, ...] of at least three points")
        # Far-out points would have pycocotools trace edges of any length.
        limit = 10 * max(height, width)
        if not all(type(x) in (int, float) and math.isfinite(x) and abs(x) <= limit for x in polygon):
            raise MaskError(f"a polygon has points that are no numbers or lie far outside its {width}x{height} image")
    if not polygons:
        return np.zeros((height, width), dtype=bool)
    coco = _coco()
    union = coco.merge(coco.frPyObjects(polygons, height, width))
    return decode_rle(union["counts"].decode("ascii"), height, width)
