"""Routes of masks."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from camn.errors import MaskError
from camn.projects.change import Before
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.record import LAST_ID
from camn.web import schemas
from camn.web.answers import refused
from camn.web.bodies import (
    MaskFile,
    change_of_png,
    mask_of_png,
    mask_of_text,
    png_of_mask,
    read_body,
    read_mask_file,
    renumbered,
    text_of_part,
)
from camn.web.parameters import RAW, FileName, Here, Index, Mine
from camn.web.question import Question
from camn.web.shown import shown, shown_frame, shown_step
from camn.web.studio import Studio

router = APIRouter(prefix="/api")
FrameQuery = Annotated[int, Query(ge=0, lt=1 << 31)]
Ids = Annotated[list[schemas.Id], Query(max_length=LAST_ID)]
UNDONE = 32  # frames of a mask file of which it is told what has changed
GONE = 0.2  # seconds between two looks at whether a client is still there
RAW_PNG = {"requestBody": {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}}


BINARY = {"schema": {"type": "string", "format": "binary"}}
PNG: dict[int | str, dict] = {200: {"content": {"image/png": BINARY}, "description": "A PNG"}}


@router.get("/projects/{project}/masks/{index}", response_class=Response, responses=PNG)
def mask(mine: Mine, request: Request, index: Index, kind: schemas.MaskKind = "shown") -> Response:
    mine.need_frame(index)
    headers = {"etag": f'"{mine.masks.etag(index)}-{hash(tuple(mine.ids)) & 0xFFFFFFFF:x}-{kind}"'}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    found = mine.shown_mask(index, kind)
    if found is None:
        raise Problem("not_found", f"Frame {index} has no mask.")
    return Response(png_of_mask(found), headers=headers, media_type="image/png")


@router.put("/projects/{project}/masks/{index}", openapi_extra=RAW_PNG)
async def put_mask(here: Here, mine: Mine, request: Request, index: Index) -> schemas.Mask:
    mine.need_frame(index)
    data = await read_body(request, here.limits.mask_bytes, "The mask")
    await run_in_threadpool(lambda: here.give(mine, index, mask_of_png(data, mine)))
    return shown_frame(mine, index)


@router.patch("/projects/{project}/masks/{index}", openapi_extra=RAW_PNG)
async def change_mask(
    here: Here,
    mine: Mine,
    request: Request,
    index: Index,
    x: FrameQuery = 0,
    y: FrameQuery = 0,
    undo: bool = False,
    given: bool = True,
    absent: Ids = [],  # noqa: B006 - as FastAPI reads it
    said: Ids = [],  # noqa: B006
) -> schemas.Changed:
    mine.need_frame(index)
    data = await read_body(request, here.limits.mask_bytes, "The change")
    back = Before(given, frozenset(absent)) if undo else None
    change = partial(here.change, mine, index, undo=back, said=frozenset(said))
    return await run_in_threadpool(lambda: change(change_of_png(data, y, x, mine.size)))


@router.delete("/projects/{project}/masks/{index}")
def clear_mask(here: Here, mine: Mine, index: Index, kind: schemas.ClearKind = "given") -> schemas.Changed:
    return here.clear(mine, index, kind)


@router.delete("/projects/{project}/masks", status_code=204)
def clear_masks(
    here: Here, mine: Mine, first: FrameQuery, last: FrameQuery, kind: schemas.ClearKind = "predicted"
) -> None:
    if last < first:
        raise Problem("invalid", "The first frame lies behind the last one.")
    here.clear_all(mine, first, last, kind)


@router.post("/projects/{project}/masks/{index}/load", openapi_extra=RAW)
async def load_mask(
    here: Here,
    mine: Mine,
    request: Request,
    index: Index,
    name: FileName = "",
    resize: bool = False,
    first_frame: FrameQuery | None = None,
) -> schemas.Loaded:
    mine.need_frame(index)
    data = await read_body(request, here.limits.mask_bytes, "The mask file")
    return await run_in_threadpool(_load, here, mine, index, MaskFile(name, data, resize, first_frame))


def _load(here: Studio, mine: Project, index: int, file: MaskFile) -> schemas.Loaded:
    here.store.need_room()
    found, numbered = read_mask_file(mine, index, file, here.limits.mask_pixels)
    if 255 in found.ids:
        raise Problem("invalid", "The mask holds object 255, which is not taken; number the objects 1 to 254.")
    found = renumbered(mine, found)
    missing = [id for id in found.ids if id not in mine.ids]
    if len(mine.ids) + len(missing) > here.limits.objects:
        raise Problem("too_large", f"The masks hold too many objects; a project has at most {here.limits.objects}.")
    for id in missing:
        mine.restore_object(id, found.colours.get(id), here.limits.objects, found.names.get(id))
    if missing:
        here.changed(mine)
    steps = {}
    for frame, ids in found.masks.items():
        step = here.give(mine, frame, ids, found.absent.get(frame, frozenset()) & {*mine.ids})
        if len(found.masks) <= UNDONE:
            steps[frame] = shown_step(step)
    return schemas.Loaded(
        frames=sorted(found.masks),
        steps=steps or None,
        objects=shown(mine).objects,
        notes=list(found.notes),
        numbered=numbered,
    )


@router.post("/projects/{project}/frames/{index}/look")
async def look(here: Here, mine: Mine, request: Request, index: Index) -> schemas.Looked:
    """Answers when the frame was looked at, or will not be; one whose client goes away meanwhile need not be."""
    mine.need_frame(index)
    looking = here.clicking.look(mine, index)
    ended = asyncio.wrap_future(looking)
    while not (await asyncio.wait([ended], timeout=GONE))[0]:
        if await request.is_disconnected():
            looking.cancel()
    return schemas.Looked(ready=not ended.cancelled() and ended.result())


@router.post("/projects/{project}/frames/{index}/clicks")
def clicks(here: Here, mine: Mine, index: Index, body: schemas.Clicks) -> schemas.Found:
    """Nothing is stored."""
    mine.need_frame(index)
    mask = None if body.mask is None else mask_of_text(body.mask, mine)
    said = tuple((click.x, click.y, click.positive) for click in body.clicks)
    try:
        answer = here.clicking.ask(mine, index, Question(said, body.box, mask, body.candidate, body.rough))
    except MaskError as error:
        raise refused(error) from None
    candidates = [schemas.Candidate(score=one.score, **text_of_part(one.mask)) for one in answer.candidates]
    return schemas.Found(candidates=candidates)


@router.get("/projects/{project}/confidence")
def confidence(here: Here, mine: Mine) -> schemas.Confidence:
    return here.confidence(mine)
