"""Routes of masks and jobs, and the events."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from camn.projects.project import Project
from camn.web import schemas
from camn.web.bodies import mask_of_png, png_of_mask, read_body, read_mask_file, renumbered
from camn.web.decode import read_frame
from camn.web.drawing import from_box, from_strokes
from camn.web.problem import Problem
from camn.web.routes import RAW, FileName, Here, Index, Mine
from camn.web.studio import Studio

router = APIRouter(prefix="/api")
Jid = Annotated[str, Path(alias="job", pattern=r"^[0-9a-f]{12}$")]
FrameQuery = Annotated[int, Query(ge=0, lt=1 << 31)]
RAW_PNG = {"requestBody": {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}}


BINARY = {"schema": {"type": "string", "format": "binary"}}
PNG: dict[int | str, dict] = {200: {"content": {"image/png": BINARY}, "description": "A PNG"}}
FILE: dict[int | str, dict] = {200: {"content": {"application/octet-stream": BINARY}, "description": "The file"}}


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
    return await run_in_threadpool(lambda: here.give(mine, index, mask_of_png(data, mine.size)))


@router.delete("/projects/{project}/masks/{index}")
def clear_mask(here: Here, mine: Mine, index: Index, kind: schemas.ClearKind = "given") -> schemas.Mask:
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
    here: Here, mine: Mine, request: Request, index: Index, name: FileName = "", resize: bool = False
) -> schemas.Loaded:
    mine.need_frame(index)
    data = await read_body(request, here.limits.mask_bytes, "The mask file")
    return await run_in_threadpool(_load, here, mine, index, name, data, resize)


def _load(here: Studio, mine: Project, index: int, name: str, data: bytes, resize: bool) -> schemas.Loaded:
    here.store.need_room()
    found = read_mask_file(mine, index, name, data, resize, here.limits.mask_pixels)
    if 255 in found.ids:
        raise Problem("invalid", "The mask holds object 255, which is not taken; number the objects 1 to 254.")
    found = renumbered(mine, found)
    missing = [id for id in found.ids if id not in mine.ids]
    if len(mine.ids) + len(missing) > here.limits.objects:
        raise Problem("too_large", f"The masks hold too many objects; a project has at most {here.limits.objects}.")
    for id in missing:
        mine.restore_object(id, found.colours.get(id), here.limits.objects)
    if missing:
        here.changed(mine)
    for frame, ids in found.masks.items():
        here.give(mine, frame, ids)
    return schemas.Loaded(frames=sorted(found.masks), objects=mine.shown().objects, notes=list(found.notes))


@router.post("/projects/{project}/frames/{index}/grabcut", response_class=Response, responses=PNG)
def grabcut(mine: Mine, index: Index, body: schemas.GrabCut) -> Response:
    mine.need_frame(index)
    if body.object not in mine.ids:
        raise Problem("invalid", f"There is no object {body.object}.")
    image = read_frame(mine.frame_file(index))
    if body.box is not None:
        found = from_box(image, body.box)
    else:
        shown = mine.shown_mask(index) if body.refine else None
        found = from_strokes(image, body.strokes or [], None if shown is None else shown == body.object)
    return Response(png_of_mask(np.where(found, 255, 0).astype(np.uint8)), media_type="image/png")


@router.get("/projects/{project}/confidence")
def confidence(here: Here, mine: Mine) -> schemas.Confidence:
    return here.confidence(mine)


@router.post("/projects/{project}/propagate", status_code=202)
def propagate(here: Here, mine: Mine, body: schemas.Propagate) -> schemas.Job:
    return here.propagate(mine, body)


@router.post("/projects/{project}/exports", status_code=202)
def export(here: Here, mine: Mine, body: schemas.Export) -> schemas.Job:
    return here.export(mine, body)


@router.get("/jobs")
def jobs(here: Here) -> list[schemas.Job]:
    return here.jobs.of()


@router.get("/jobs/{job}")
def job(here: Here, job: Jid) -> schemas.Job:
    return here.jobs.shown(here.jobs.get(job))


@router.delete("/jobs/{job}")
def cancel(here: Here, job: Jid) -> schemas.Job:
    return here.cancel(job)


@router.get("/jobs/{job}/file", response_class=Response, responses=FILE)
def job_file(here: Here, job: Jid) -> Response:
    work = here.jobs.get(job)
    if work.output is None or not work.output.is_file():
        raise Problem("not_found", "There is no file of this job any more; export again.")
    return FileResponse(work.output, filename=work.file_name, media_type="application/octet-stream")


@router.websocket("/events")
async def events(
    socket: WebSocket,
    run: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[int | None, Query(ge=0)] = None,
) -> None:
    here: Studio = socket.app.state.studio
    await socket.accept()
    listener = here.events.listen(run, after)
    gone = asyncio.create_task(_until_gone(socket))
    try:
        while not gone.done():
            waiting = asyncio.create_task(listener.get())
            await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
            elif (event := waiting.result()) is None:
                await socket.close(1013)
                return
            else:
                await socket.send_text(event)
    except (WebSocketDisconnect, RuntimeError):  # the latter: sent to one that has just gone
        pass
    finally:
        here.events.leave(listener)
        gone.cancel()


async def _until_gone(socket: WebSocket) -> None:
    """A client has nothing to say: what it sends is passed over, and its going is noticed."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
