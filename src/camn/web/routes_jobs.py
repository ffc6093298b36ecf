"""Routes of jobs: propagating, exporting, what they are at, and the files they made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from camn.projects.problem import Problem
from camn.projects.record import Propagation
from camn.web import schemas
from camn.web.backgrounds import take
from camn.web.bodies import read_body
from camn.web.parameters import RAW, FileName, Here, Mine

router = APIRouter(prefix="/api")
Jid = Annotated[str, Path(alias="job", pattern=r"^[0-9a-f]{12}$")]
BINARY = {"schema": {"type": "string", "format": "binary"}}
FILE: dict[int | str, dict] = {200: {"content": {"application/octet-stream": BINARY}, "description": "The file"}}


@router.post("/projects/{project}/propagate", status_code=202)
def propagate(here: Here, mine: Mine, body: schemas.Propagate) -> schemas.Job:
    return here.propagate(mine, Propagation(**body.model_dump()))


@router.post("/projects/{project}/backgrounds", status_code=201, openapi_extra=RAW)
async def background(here: Here, mine: Mine, request: Request, name: FileName = "") -> schemas.Background:
    data = await read_body(request, here.limits.mask_bytes, "The picture")
    await run_in_threadpool(here.store.need_room, len(data))
    return schemas.Background(background=await run_in_threadpool(take, mine, name, data, here.limits))


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
