"""One mask file -> what it holds, before values become object ids."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from camn.errors import MaskError, words_of
from camn.masks.colours import flatten, is_cut_out, numbered, pack, solid, to_hex, unpack
from camn.masks.deep import numbered_anew, ranks, to_greys
from camn.masks.ids import IGNORE
from camn.masks.palette import PALETTE, note_of, stated_in
from camn.masks.paletted import Palette, Verdict, judge
from camn.masks.smear import FEW, smear_reason
from camn.pillow import whole_files

MAX_PIXELS = 89_478_485  # Pillow's own bound: past it a file is taken for a decompression bomb
LOSSY = ("JPEG", "MPO", "JPEG2000")
REMEDY = (
    "Save it as PNG with antialiasing (smooth edges) off, one value or colour per object; or, if it shows one object, "
    "threshold it: everything above half is 255, all else 0."
)

ANNOTATIONS = (".xml", ".json", ".txt", ".zip", ".npz", ".npy")

_VIDEOS = frozenset(
    [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".ogv", ".3gp"]
)

Kind = Literal["palette", "grey", "colour", "cut-out"]


@dataclass(frozen=True)
class Picture:
    """A mask file: its kind and values (H, W), indices or greys uint8 (int32 over 255), or colours int32 as 0xRRGGBB;
    0 = background, but of a palette, which says what that is; a cut-out is 255 where half opaque. stated: see
    `stated_in`."""

    path: Path
    kind: Kind
    values: np.ndarray
    notes: tuple[str, ...] = ()
    palette: Palette | None = None
    stated: frozenset[int] | None = None


def is_picture(path: Path) -> bool:
    """Whether a file is an image by its content."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            Image.open(path).close()
    except Image.DecompressionBombError:
        return True
    except Exception:  # Pillow's readers raise nearly anything on a broken file
        return False
    return True


def open_picture(path: str | Path) -> Picture:
    """Read a mask file; MaskError when it is missing, broken, too big, lossy, or not made of separate values."""
    path = Path(path)
    if not path.is_file():
        raise MaskError(f"{path}: {'is not a file' if path.exists() else 'no such mask file'}")
    return picture_of(*_decode(path), path)


def picture_of(image: Image.Image, notes: tuple[str, ...], path: Path) -> Picture:
    """The same of an image in memory. path: what messages call it."""
    kind, layers = _values(path, image)
    palette = Palette.of(image, layers) if kind == "palette" else None
    few = palette and len(palette.codes) <= FEW  # few are judged by their colours, once it is known what they mean
    _check_smear(path, None if few else smear_reason(ranks(layers)))
    values = pack(layers) if kind == "colour" else layers
    return Picture(path, kind, values, notes, palette, stated_in(note_of(image) or {}))


def _check_smear(path: Path, reason: str | None) -> None:
    if reason:
        raise MaskError(
            f"{path}: {reason}. It was antialiased, blurred or saved with lossy compression, or is no mask. {REMEDY}"
        )


def _decode(path: Path) -> tuple[Image.Image, tuple[str, ...]]:
    """The file's (first) image, fully read, and notes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound below speaks for itself
            image = Image.open(path)
    except Image.DecompressionBombError as error:
        raise MaskError(f"{path}: the mask has more than {MAX_PIXELS} pixels; no frame is that large") from error
    except Exception as error:  # Pillow's readers raise nearly anything on a broken file
        why = "not an image that can be read"
        if path.suffix.lower() in _VIDEOS:
            why = "a video, or named so, but masks are pictures or annotations; are the video and its masks exchanged?"
        if path.suffix.lower() in ANNOTATIONS:
            why = "no picture; of files of annotations or arrays give one, or their folder"
        raise MaskError(f"{path}: {why if path.stat().st_size else 'the file is empty'}") from error
    with image:
        if image.width * image.height > MAX_PIXELS:
            raise MaskError(f"{path}: the mask has more than {MAX_PIXELS} pixels; no frame is that large")
        if image.format in LOSSY:
            raise MaskError(
                f"{path}: {image.format} blurs the edges of objects, so which pixel is whose is lost. {REMEDY}"
            )
        several = getattr(image, "n_frames", 1) > 1
        try:
            with whole_files():
                image.load()
        except Exception as error:
            said = words_of(error)
            raise MaskError(f"{path}: the image is truncated or corrupt ({said}); save or copy it again") from error
        return upright(image), (f"{path}: holds several images; the first is used.",) if several else ()


def upright(image: Image.Image) -> Image.Image:
    """A copy, turned as its EXIF data say, as frames are. Raises what Pillow does."""
    try:
        return ImageOps.exif_transpose(image)
    except (ValueError, SyntaxError, TypeError, KeyError, struct.error):  # damaged EXIF data say nothing
        return image.copy()


def _values(path: Path, image: Image.Image) -> tuple[Kind, np.ndarray]:
    """Kind and values, (H, W) or, for colours, (H, W, 3), uint8."""
    if image.mode == "P":
        return "palette", np.array(image)
    if image.mode in ("1", "L", "RGB") and image.info.get("transparency", 0) not in (0, (0, 0, 0)):
        return flatten(np.array(image.convert("RGBA")))  # another shade than black is transparent
    if image.mode in ("1", "L"):
        return "grey", np.array(image.convert("L"))
    if image.mode.startswith("I"):
        return "grey", to_greys(path, np.array(image))
    if image.mode in ("LA", "PA", "RGBA"):
        rgba = np.array(image.convert("RGBA"))
        return ("cut-out", solid(rgba)) if is_cut_out(rgba) else flatten(rgba)
    if image.mode == "RGB":
        return "colour", np.array(image)
    raise MaskError(f"{path}: images of mode {image.mode} are no masks; save it as palette, grey or RGB PNG")


def to_ids(pictures: Sequence[Picture]) -> tuple[list[np.ndarray], dict[int, tuple[int, int, int]], list[str]]:
    """Values of all the pictures of a source -> masks (H, W) uint8 of ids, {id: colour} for colours, notes.

    Judged together, so that an object has one id in all: the same value or colour is the same object everywhere. What
    palettes mean is told in `camn.masks.paletted`. MaskError when the pictures are of different kinds.
    """
    notes = [note for picture in pictures for note in picture.notes]
    if cut := [picture.path for picture in pictures if picture.kind == "cut-out"]:
        which = f"{cut[0]}{f' and {len(cut) - 1} more' if cut[1:] else ''}"
        notes.append(f"{which}: cut out along alpha; the object is what is half opaque or more.")
        pictures = [replace(one, kind="grey") if one.kind == "cut-out" else one for one in pictures]
    pictures, own, more = _without_palettes(pictures)
    notes += more
    if any(picture.kind == "grey" and picture.values.dtype != np.uint8 for picture in pictures):
        pictures, more = _without_deep(pictures)
        notes += more
    pictures = [_as_grey(picture) for picture in pictures] if not own and _all_grey(pictures) else pictures
    kinds = {picture.kind: picture.path for picture in pictures if picture.values.any()}  # an empty one is of any kind
    if len(kinds) > 1:
        which = ", ".join(f"{path.name} is {kind}" for kind, path in kinds.items())
        raise MaskError(f"masks of different kinds in one source ({which}); save all of them alike")
    values, colours = [picture.values for picture in pictures], {}
    if "colour" in kinds:
        values, colours = _colour_ids(values, own)
    values = [value.astype(np.uint8, copy=False) for value in values]
    present = sorted(set().union(*(np.unique(value).tolist() for value in values)) - {0})
    if "grey" in kinds and len(present) == 1 and present[0] > 127:
        return [(value > 0).astype(np.uint8) for value in values], {}, notes
    if IGNORE in present and len(present) > 1:
        if "palette" in kinds or IGNORE in own.values() or colours.get(IGNORE) == tuple(PALETTE[IGNORE].tolist()):
            notes.append("Index 255 means 'ignore' beside other ids in a palette mask: read as background.")
            values = [np.where(value == IGNORE, 0, value).astype(np.uint8) for value in values]
            colours.pop(IGNORE, None)
        elif "grey" in kinds:
            notes.append("Grey value 255 is read as object 255; in a palette PNG it would mean 'ignore'.")
    notes += [f"Object {id} is the colour {to_hex(colour)} of the mask." for id, colour in colours.items()]
    return values, colours, notes


def _without_palettes(pictures: Sequence[Picture]) -> tuple[list[Picture], dict[int, int], list[str]]:
    """The same pictures, those with a palette as indices, 0 being the background, or as colours; {0xRRGGBB: id} as far
    as palettes say it; notes."""
    palettes = [picture.palette for picture in pictures if picture.palette]
    if not palettes:
        return list(pictures), {}, []
    first = next(picture.path for picture in pictures if picture.palette)
    try:
        verdict = judge(palettes)
    except MaskError as error:
        raise MaskError(f"{first}: {error}") from error
    if verdict.by_index and any(picture.kind == "colour" and picture.values.any() for picture in pictures):
        verdict = Verdict(False)  # among pictures that have nothing but colours
    read = [_read_palette(picture, verdict) if picture.palette else picture for picture in pictures]
    return (
        read,
        {} if verdict.by_index else verdict.own_ids(palettes),
        [f"{first}: {verdict.note}"] * bool(verdict.note),
    )


def _without_deep(pictures: Sequence[Picture]) -> tuple[list[Picture], list[str]]:
    """The same pictures, all greys with ids up to 255; and notes."""
    greys = [picture for picture in pictures if picture.kind == "grey"]
    masks, notes = numbered_anew(greys[0].path, [picture.values for picture in greys])
    found = iter(masks)
    return [replace(one, values=next(found)) if one.kind == "grey" else one for one in pictures], notes


def _read_palette(picture: Picture, verdict: Verdict) -> Picture:
    palette = picture.palette
    assert palette
    codes = palette.paint()[picture.values]
    if not (verdict.by_index and (palette.usual or not palette.distinct)):
        rgb = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=2).astype(np.uint8)
        _check_smear(picture.path, smear_reason(rgb, lenient=verdict.by_index))
    if verdict.by_index:
        return replace(picture, values=verdict.lut(palette)[picture.values])
    return replace(picture, kind="colour", values=np.where(codes == verdict.ground, 0, codes))


def _all_grey(pictures: Sequence[Picture]) -> bool:
    """Whether no picture has a colour that is not a shade of grey."""
    return all(
        picture.kind == "grey"
        or (picture.kind == "colour" and (picture.values == (picture.values & 255) * 0x10101).all())
        for picture in pictures
    )


def _as_grey(picture: Picture) -> Picture:
    return replace(picture, kind="grey", values=(picture.values & 255).astype(np.uint8))


def _colour_ids(
    values: Sequence[np.ndarray], own: Mapping[int, int]
) -> tuple[list[np.ndarray], dict[int, tuple[int, int, int]]]:
    """Colours (H, W) 0xRRGGBB -> ids (H, W), {id: colour}; see `numbered`, to which colours come by appearance, then
    value."""
    ids = numbered((code for value in values for code in np.unique(value).tolist() if code), own)
    masks = [np.zeros(value.shape, dtype=np.uint8) for value in values]
    for mask, value in zip(masks, values, strict=True):
        for code, id in ids.items():
            mask[value == code] = id
    return masks, {id: unpack(code) for code, id in sorted(ids.items(), key=lambda item: item[1])}
