"""One mask file -> what it holds, before values become object ids."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from camn.errors import MaskError
from camn.masks.ids import IGNORE, MAX_ID
from camn.masks.palette import PALETTE
from camn.masks.smear import FEW, smear_reason

MAX_PIXELS = 89_478_485  # Pillow's own bound: past it a file is taken for a decompression bomb
REMEDY = (
    "Save it as PNG with antialiasing (smooth edges) off, one value or colour per object; or, if it shows one object, "
    "threshold it: everything above half is 255, all else 0."
)

Kind = Literal["palette", "grey", "colour"]


@dataclass(frozen=True)
class Picture:
    """A mask file: its kind and values (H, W), indices or greys uint8, or colours int32 as 0xRRGGBB; 0 = background."""

    path: Path
    kind: Kind
    values: np.ndarray
    notes: tuple[str, ...] = ()


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


def in_words(size: tuple[int, ...]) -> str:
    """(H, W) as people say it: 640x360."""
    return f"{size[1]}x{size[0]}"


def open_picture(path: str | Path) -> Picture:
    """Read a mask file; MaskError when it is missing, broken, too big, lossy, or not made of separate values."""
    path = Path(path)
    if not path.is_file():
        raise MaskError(f"{path}: {'is not a file' if path.exists() else 'no such mask file'}")
    image, notes = _decode(path)
    kind, layers = _values(path, image)
    if kind == "palette":
        reason = smear_reason(layers) if np.count_nonzero(np.bincount(layers.ravel())) > FEW else None
    else:
        reason = smear_reason(layers)
    if reason:
        raise MaskError(
            f"{path}: {reason}. It was antialiased, blurred or saved with lossy compression, or is no mask. {REMEDY}"
        )
    if kind == "colour":
        red, green, blue = np.moveaxis(layers.astype(np.int32), 2, 0)
        layers = red << 16 | green << 8 | blue
    return Picture(path, kind, layers, notes)


def _decode(path: Path) -> tuple[Image.Image, tuple[str, ...]]:
    """The file's (first) image, fully read, and notes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound below speaks for itself
            image = Image.open(path)
    except Image.DecompressionBombError as error:
        raise MaskError(f"{path}: the mask has more than {MAX_PIXELS} pixels; no frame is that large") from error
    except Exception as error:  # Pillow's readers raise nearly anything on a broken file
        empty = path.stat().st_size == 0
        raise MaskError(f"{path}: {'the file is empty' if empty else 'not an image that can be read'}") from error
    with image:
        if image.width * image.height > MAX_PIXELS:
            raise MaskError(f"{path}: the mask has more than {MAX_PIXELS} pixels; no frame is that large")
        if image.format in ("JPEG", "MPO", "JPEG2000"):
            raise MaskError(
                f"{path}: {image.format} blurs the edges of objects, so which pixel is whose is lost. {REMEDY}"
            )
        several = getattr(image, "n_frames", 1) > 1
        try:
            image.load()
        except Exception as error:
            raise MaskError(f"{path}: the image is truncated or corrupt ({error}); save or copy it again") from error
        return image.copy(), (f"{path}: holds several images; the first is used.",) if several else ()


def _values(path: Path, image: Image.Image) -> tuple[Kind, np.ndarray]:
    """Kind and values, (H, W) or, for colours, (H, W, 3), uint8."""
    if image.mode == "P":
        return "palette", np.array(image)
    if image.mode in ("1", "L"):
        return "grey", np.array(image.convert("L"))
    if image.mode.startswith("I"):
        return "grey", _deep(path, np.array(image))
    if image.mode in ("LA", "PA", "RGBA"):
        return _flatten(np.array(image.convert("RGBA")))
    if image.mode == "RGB":
        return "colour", np.array(image)
    raise MaskError(f"{path}: images of mode {image.mode} are no masks; save it as palette, grey or RGB PNG")


def _deep(path: Path, values: np.ndarray) -> np.ndarray:
    """16-bit or 32-bit greys as uint8: ids up to 255, or one value for one object."""
    if values.min() >= 0 and values.max() <= MAX_ID:
        return values.astype(np.uint8)
    present = np.unique(values)
    if len(present[present != 0]) == 1:
        return np.where(values != 0, MAX_ID, 0).astype(np.uint8)
    raise MaskError(
        f"{path}: {len(present)} grey values in {present[0]}..{present[-1]}; object ids are 1..255. "
        f"Number the objects from 1, or save it with 8 bits. {REMEDY}"
    )


def _flatten(rgba: np.ndarray) -> tuple[Kind, np.ndarray]:
    """RGBA (H, W, 4): transparent is background. One shade of grey throughout: the alpha itself is the mask."""
    colour, alpha = rgba[..., :3], rgba[..., 3]
    seen = colour[alpha > 0]
    if alpha.min() < 255 and len(seen) and (seen == seen[0, 0]).all():
        return "grey", alpha
    # Half-transparent pixels are darkened, so that soft edges are seen for what they are.
    return "colour", (colour.astype(np.uint16) * alpha[..., None] // 255).astype(np.uint8)


def to_ids(pictures: Sequence[Picture]) -> tuple[list[np.ndarray], dict[int, tuple[int, int, int]], list[str]]:
    """Values of all the pictures of a source -> masks (H, W) uint8 of ids, {id: colour} for RGB sources, notes.

    Judged together, so that an object has one id in all: the same value or colour is the same object everywhere.
    MaskError when the pictures are of different kinds.
    """
    pictures = [_as_grey(picture) for picture in pictures] if _all_grey(pictures) else list(pictures)
    kinds = {picture.kind: picture.path for picture in pictures}
    if len(kinds) > 1:
        which = ", ".join(f"{path.name} is {kind}" for kind, path in kinds.items())
        raise MaskError(f"masks of different kinds in one source ({which}); save all of them alike")
    notes = [note for picture in pictures for note in picture.notes]
    values = [picture.values for picture in pictures]
    if "colour" in kinds:
        masks, colours, more = _colour_ids(values)
        return masks, colours, notes + more
    present = sorted(set().union(*(np.unique(value).tolist() for value in values)) - {0})
    if "grey" in kinds and len(present) == 1 and present[0] > 127:
        return [(value > 0).astype(np.uint8) for value in values], {}, notes
    if IGNORE in present and len(present) > 1:
        if "palette" in kinds:
            notes.append("Index 255 means 'ignore' beside other ids in a palette mask: read as background.")
            return [np.where(value == IGNORE, 0, value).astype(np.uint8) for value in values], {}, notes
        notes.append("Grey value 255 is read as object 255; in a palette PNG it would mean 'ignore'.")
    return values, {}, notes


def _all_grey(pictures: Sequence[Picture]) -> bool:
    """Whether no picture has a colour that is not a shade of grey."""
    return all(
        picture.kind == "grey"
        or (picture.kind == "colour" and (picture.values == (picture.values & 255) * 0x10101).all())
        for picture in pictures
    )


def _as_grey(picture: Picture) -> Picture:
    return Picture(picture.path, "grey", (picture.values & 255).astype(np.uint8), picture.notes)


def _colour_ids(
    values: Sequence[np.ndarray],
) -> tuple[list[np.ndarray], dict[int, tuple[int, int, int]], list[str]]:
    """Colours (H, W) 0xRRGGBB -> ids: a palette's colours their index, others 1, 2, ... by appearance, then value."""
    codes = list(dict.fromkeys(code for value in values for code in np.unique(value).tolist() if code))
    palette = {int(red) << 16 | int(green) << 8 | int(blue): id for id, (red, green, blue) in enumerate(PALETTE)}
    if len(codes) > MAX_ID:
        raise MaskError(f"{len(codes)} colours, each an object; at most {MAX_ID} objects can be told apart")
    known = all(code in palette for code in codes)
    ids = {code: palette[code] if known else n for n, code in enumerate(codes, start=1)}
    ids = dict(sorted(ids.items(), key=lambda item: item[1]))
    masks = []
    for value in values:
        mask = np.zeros(value.shape, dtype=np.uint8)
        for code, id in ids.items():
            mask[value == code] = id
        masks.append(mask)
    colours = {id: (code >> 16, code >> 8 & 255, code & 255) for code, id in ids.items()}
    return masks, colours, [f"Object {id} is the colour #{code:06x} of the mask." for code, id in ids.items()]
