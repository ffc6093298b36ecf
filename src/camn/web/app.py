"""The application: routes, errors in one shape, the page's files, and the guard around all."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse
from starlette.staticfiles import StaticFiles

import camn
from camn.errors import CamnError, NoRoomError
from camn.projects.problem import Problem
from camn.web import routes, routes_events, routes_jobs, routes_masks
from camn.web.answers import CODES, STATUS, body, plain
from camn.web.bodies import content_length
from camn.web.guard import App, Door, Guard, Receive, Scope, Send
from camn.web.limits import Limits, size
from camn.web.studio import Studio

STATIC = Path(__file__).parent / "static"
_FILES = re.compile(
    r"/api/projects/[^/]+/(upload|backgrounds|masks/[^/]+|masks/[^/]+/load)"
)  # whose routes count for themselves
_CLICKS = re.compile(r"/api/projects/[^/]+/frames/[^/]+/clicks")  # which bring a mask in their JSON
_SAID = {404: "There is nothing at this address.", 405: "This address does not take such a request."}


def create_app(studio: Studio, door: Door) -> App:
    """An ASGI application; when it ends, the studio is closed."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(studio.close)

    app = FastAPI(
        title="camn",
        version=camn.__version__,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        responses=routes.ERRORS,
    )
    app.state.studio = studio
    _answer_errors(app)
    for part in (routes, routes_masks, routes_jobs, routes_events):
        app.include_router(part.router)

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC))
    return Guard(_bounded(app, studio.limits), door)  # type: ignore[arg-type]


def _bounded(app: App, limits: Limits) -> App:
    """Refuses long bodies, which the framework would read whole; routes of files count for themselves."""

    async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
        answer = None
        if scope["type"] == "http" and not _FILES.fullmatch(scope["path"]):
            request = Request(scope)
            most = limits.json_bytes + (2 * limits.mask_bytes if _CLICKS.fullmatch(scope["path"]) else 0)
            if "transfer-encoding" in request.headers:
                answer = _error(Problem("bad_request", "Say how long the body is (Content-Length)."), 411)
            elif (content_length(request) or 0) > most:
                answer = _error(
                    Problem("too_large", f"The request is larger than {size(most)}, the most that is taken.")
                )
        await (answer or app)(scope, receive, send)

    return bounded


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    def problem(request: Request, error: Problem) -> JSONResponse:
        return _error(error)

    @app.exception_handler(CamnError)
    def camn_error(request: Request, error: CamnError) -> JSONResponse:
        said = plain(error, (request.app.state.studio.store.folder, "the projects"))
        return _error(Problem("no_room" if isinstance(error, NoRoomError) else "conflict", said))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:] if isinstance(part, (str, int)))[:80]
        said = str(first["msg"]).removeprefix("Value error, ")
        return _error(Problem("invalid", f"{where}: {said}." if where else f"{said}."))

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        code = CODES.get(error.status_code, "bad_request")
        answer = _error(Problem(code, _SAID.get(error.status_code, "The request cannot be read.")), error.status_code)
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    def internal(request: Request, error: Exception) -> JSONResponse:
        traceback.print_exception(error, file=sys.stderr)
        said = "Something went wrong in the server; the terminal it runs in says what."
        return _error(Problem("internal", said))


def _error(problem: Problem, status: int | None = None) -> JSONResponse:
    return JSONResponse(body(problem), status or STATUS[problem.code])
