"""Routes of projects, frames and objects."""

from __future__ import annotations

import dataclasses
from typing import Literal

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse

import camn
from camn import api
from camn.projects.problem import Problem
from camn.web import schemas
from camn.web.bodies import content_length, mask_files, stream
from camn.web.exports import offers
from camn.web.file_names import readable
from camn.web.parameters import RAW, FileName, Here, Index, Mine, ObjectId
from camn.web.shown import shown, shown_object
from camn.web.uploads import aside

router = APIRouter(prefix="/api")
ERRORS: dict[int | str, dict] = {
    status: {"model": schemas.ErrorBody} for status in (400, 401, 403, 404, 405, 409, 413, 415, 422, 507)
}
JPEG: dict[int | str, dict] = {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}}


@router.get("/server")
def server(here: Here) -> schemas.Server:
    return schemas.Server(
        version=camn.__version__,
        run=here.events.run,
        model=" + ".join("own weights" if one.endswith(".safetensors") else one for one in here.options.model),
        device=here.device,
        seq=here.events.seq,
        limits=schemas.LimitsShown(**dataclasses.asdict(here.limits)),
        exports=offers(),
        mask_files=mask_files(),
    )


@router.get("/projects")
def projects(here: Here) -> list[schemas.Project]:
    return [shown(item) for item in here.store.all()]


@router.post("/projects", status_code=201)
def create(here: Here, body: schemas.ProjectName) -> schemas.Project:
    return shown(here.create(body.name))


@router.post("/sample", status_code=201)
def sample(here: Here) -> schemas.Project:
    return shown(here.open_video(api.demo_files()[0]))


@router.get("/projects/{project}")
def detail(here: Here, mine: Mine) -> schemas.Detail:
    return here.detail(mine)


@router.patch("/projects/{project}")
def rename(here: Here, mine: Mine, body: schemas.ProjectName) -> schemas.Project:
    mine.change(name=body.name)
    here.changed(mine)
    return shown(mine)


@router.delete("/projects/{project}", status_code=204)
def delete(here: Here, mine: Mine) -> None:
    here.delete(mine.id)


@router.put("/projects/{project}/upload", openapi_extra=RAW)
async def upload(here: Here, mine: Mine, request: Request, name: FileName) -> schemas.Upload:
    inbox = await aside(here.opening.inbox, mine)
    sent = await inbox.take(readable(name), content_length(request), stream(request), here.store.need_room)
    return schemas.Upload(name=sent.name, bytes=sent.bytes, files=len(inbox.sent))


@router.delete("/projects/{project}/upload", status_code=204)
def forget_upload(here: Here, mine: Mine) -> None:
    here.opening.inbox(mine).clear()


@router.post("/projects/{project}/decode", status_code=202)
def decode(here: Here, mine: Mine) -> schemas.Project:
    here.opening.begin(mine)
    return shown(mine)


@router.get("/projects/{project}/frames/{index}", response_class=Response, responses=JPEG)
def frame(mine: Mine, index: Index, size: Literal["display", "full"] = "display") -> Response:
    mine.need_frame(index)
    path = mine.frame_file(index, size == "display")
    if not path.is_file():
        raise Problem("not_found", f"Frame {index} is gone from the project's folder.")
    headers = {"cache-control": "private, max-age=31536000, immutable"}
    return FileResponse(path, media_type="image/jpeg", headers=headers)


@router.post("/projects/{project}/objects", status_code=201)
def add_object(here: Here, mine: Mine, body: schemas.ObjectWish) -> schemas.Obj:
    item = mine.add_object(body.name, body.colour, here.limits.objects)
    here.changed(mine)
    return shown_object(item)


@router.put("/projects/{project}/objects/{id}")
def set_object(here: Here, mine: Mine, id: ObjectId, body: schemas.ObjectChange) -> schemas.Obj:
    item = mine.set_object(id, body.name, body.colour, here.limits.objects)
    here.changed(mine)
    return shown_object(item)


@router.delete("/projects/{project}/objects/{id}", status_code=204)
def delete_object(here: Here, mine: Mine, id: ObjectId) -> None:
    mine.delete_object(id)
    here.changed(mine)
