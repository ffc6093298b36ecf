"""What routes are called with: parts of the address, the studio, and the project that the address names."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from camn.projects.project import Project
from camn.projects.record import LAST_ID
from camn.web.studio import Studio

Pid = Annotated[str, Path(alias="project", pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Index = Annotated[int, Path(ge=0, lt=1 << 31)]
FileName = Annotated[str, Query(max_length=1000)]
RAW = {"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}
ObjectId = Annotated[int, Path(ge=1, le=LAST_ID)]


def studio(request: Request) -> Studio:
    return request.app.state.studio


def project(request: Request, project: Pid) -> Project:
    return studio(request).store.get(project)


Here = Annotated[Studio, Depends(studio)]
Mine = Annotated[Project, Depends(project)]
