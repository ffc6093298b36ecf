"""Reading what a request brings: bodies within bounds, masks as pictures."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
from fastapi import Request
from PIL import Image
from starlette.requests import ClientDisconnect

from camn.errors import MaskError, MaskFrameError, MaskSizeError, MaskTurnedError
from camn.masks import MaskSet, ObjectIds, read_masks
from camn.masks.extent import extent
from camn.masks.frame_names import NumberNote
from camn.masks.paletted import ids_alone
from camn.masks.readers import READERS
from camn.projects.change import LEAVE, Change
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.record import LAST_ID
from camn.projects.store import sent
from camn.web.answers import plain
from camn.web.limits import size
from camn.web.schemas import MaskFileKind, Pixels

PNG = b"\x89PNG\r\n\x1a\n"
_END = re.compile(r"\.[A-Za-z0-9]{1,12}$")


def content_length(request: Request) -> int | None:
    """As the header says; None without."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 30 else None


async def stream(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises Problem when the client goes away."""
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect:
        raise Problem("bad_request", "The upload broke off.") from None


async def read_body(request: Request, most: int, what: str) -> bytes:
    """A whole body of at most so many bytes. Raises Problem."""
    too_large = Problem("too_large", f"{what} is larger than {size(most)}, the most that is taken.")
    if (content_length(request) or 0) > most:
        raise too_large
    parts, count = [], 0
    async for chunk in stream(request):
        count += len(chunk)
        if count > most:
            raise too_large
        parts.append(chunk)
    return b"".join(parts)


def mask_of_png(data: bytes, project: Project) -> np.ndarray:
    """A PNG of ids -> (H, W) uint8: indices, or colours where the order of a palette says nothing, grey values, or of a
    colour PNG the red channel. Raises Problem.

    The size is looked at before the picture is unpacked: it must be that of the frames."""
    pixels = _pixels(data, project.need_size, ("L", "P", "RGB", "RGBA", "1"), "grey, palette or colour")
    ids = pixels[..., 0] if pixels.ndim == 3 else pixels
    return np.ascontiguousarray(ids).astype(np.uint8)


def change_of_png(data: bytes, top: int, left: int, frame: tuple[int, int]) -> Change:
    """A PNG of a part of a frame (H, W): grey is the new id, alpha the id that it replaces. Raises Problem."""

    def fits(size: tuple[int, int]) -> None:
        if top + size[0] > frame[0] or left + size[1] > frame[1]:
            lies = f"{size[1]}x{size[0]} pixels at {left}, {top}"
            raise Problem("invalid", f"The change has {lies}, the frames have {frame[1]}x{frame[0]}.")

    pixels = _pixels(data, fits, ("L", "LA"), "grey, or grey and alpha")
    if pixels.ndim == 2:
        return Change(pixels, np.full_like(pixels, LEAVE), top, left)
    return Change(pixels[..., 0], pixels[..., 1], top, left)


def _pixels(data: bytes, fits: Callable[[tuple[int, int]], None], modes: tuple[str, ...], said: str) -> np.ndarray:
    """A PNG's pixels. fits: raises Problem for a size (H, W) that does not. Raises Problem."""
    if not data.startswith(PNG):
        raise Problem("invalid", "A mask is sent as a PNG.")
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            fits((image.height, image.width))
            if image.mode not in modes:
                raise Problem("invalid", f"The mask's PNG must have 8 bits: {said}.")
            pixels = np.array(image)
            return ids_alone(image, pixels) if image.mode == "P" else pixels
    except Problem:
        raise
    except MaskError as error:
        raise Problem("invalid", plain(error)) from error
    except Exception as error:  # Pillow's readers raise nearly anything on a broken file
        raise Problem("invalid", "The mask's PNG is damaged.") from error


def renumbered(project: Project, found: MaskSet) -> MaskSet:
    """Objects of a mask file with ids of deleted objects that masks still hold get new ones, else those would be seen
    again under their names. Raises Problem when no ids are left."""
    old = [id for id in found.ids if id not in project.ids and project.masks.mentions(id)]
    last = max([project.record.last_id, *found.ids])
    if last + len(old) > LAST_ID:
        raise Problem("conflict", f"All ids up to {LAST_ID} were used; make a new project for more objects.")
    new = {id: last + 1 + n for n, id in enumerate(old)}
    if not new:
        return found
    table = np.arange(256, dtype=np.uint8)
    table[list(new)] = list(new.values())
    masks = {frame: table[mask] for frame, mask in found.masks.items()}
    ids = ObjectIds(tuple(sorted(new.get(id, id) for id in found.ids)))
    colours = {new.get(id, id): colour for id, colour in found.colours.items()}
    names = {new.get(id, id): name for id, name in found.names.items()}
    notes = [f"Object {id} of the file is object {to} here: {id} was deleted." for id, to in new.items()]
    absent = {frame: frozenset(new.get(id, id) for id in gone) for frame, gone in found.absent.items()}
    notes = (*found.notes, *notes)
    return replace(found, masks=masks, ids=ids, colours=colours, notes=notes, names=names, absent=absent)


def png_of_mask(ids: np.ndarray) -> bytes:
    """ids (H, W) uint8 -> a grey PNG whose values they are; (H, W, 2): grey and alpha."""
    buffer = io.BytesIO()
    Image.fromarray(ids).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def text_of_change(change: Change) -> Pixels:
    """As `change_of_png` reads it."""
    png = png_of_mask(np.dstack([change.ids, change.over]))
    return Pixels(x=change.left, y=change.top, png=base64.b64encode(png).decode())


def mask_of_text(text: str, project: Project) -> bytes:
    """A PNG in Base64 -> a byte for each pixel, row by row: 1 where it is not 0. Raises Problem."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Problem("invalid", "The mask is no Base64.") from None
    return (mask_of_png(data, project) > 0).tobytes()


class Part(TypedDict):
    x: int
    y: int
    mask: str | None


def text_of_part(mask: np.ndarray) -> Part:
    """(H, W) bool -> its part that is not empty, as a PNG in Base64, and where that lies."""
    found = extent(mask)
    if found is None:
        return Part(x=0, y=0, mask=None)
    rows, columns = found
    part = np.where(mask[found], 255, 0).astype(np.uint8)
    return Part(x=columns.start, y=rows.start, mask=base64.b64encode(png_of_mask(part)).decode())


class MaskFile(NamedTuple):
    """What a user sends. name: of the file, of which the suffix tells what the content does not. resize: it is scaled.
    first_frame: the number that the video's first frame bears in it, where that is said."""

    name: str
    data: bytes
    resize: bool = False
    first_frame: int | None = None


def read_mask_file(project: Project, index: int, file: MaskFile, most: int) -> tuple[MaskSet, bool]:
    """A mask file of any format that `camn segment` takes, and whether another `first_frame` may be meant. One mask
    that names no frame is of frame `index`. most: pixels of all its masks. Raises Problem."""
    end = match[0] if (match := _END.search(file.name)) else ""
    with sent(project, f"masks{end}", file.data) as path:  # a number in its name would be a frame's
        try:
            found = read_masks(
                path,
                None,
                project.size,
                file.resize,
                most,
                count=project.count,
                first_frame=file.first_frame,
                whole=None,
                video=project.record.name,
                around=False,
            )
        except MaskError as error:
            raise _refused(error, path) from None
    said = [note.fact if isinstance(note, NumberNote) else note for note in found.notes]
    notes = tuple(plain(UserWarning(note), (path, "the mask file")) for note in said)
    masks = {index if found.unplaced else frame: mask for frame, mask in found.masks.items()}
    absent = {index if found.unplaced else frame: gone for frame, gone in found.absent.items()}
    if late := [frame for frame in masks if frame >= project.count]:
        raise Problem("invalid", f"The mask file has a mask of frame {late[0]}; the frames are 0..{project.count - 1}.")
    numbered = any(isinstance(note, NumberNote) for note in found.notes)
    return MaskSet(masks, found.ids, found.colours, notes, names=found.names, absent=absent), numbered


def _refused(error: MaskError, path: Path) -> Problem:
    known = path, "the mask file"
    if isinstance(error, MaskFrameError):
        return Problem("other_frames", plain(UserWarning(error.fact), known))
    scalable = isinstance(error, MaskSizeError) and not isinstance(error, MaskTurnedError)
    text = plain(error, known).replace("give --resize-masks to scale it, or make", "have it scaled, or make")
    return Problem("other_size" if scalable else "invalid", text)


def mask_files() -> list[MaskFileKind]:
    """What the page lets the user choose."""
    return [MaskFileKind(accept=list(one.accept), several=one.several) for one in READERS if one.accept]
