"""What the server answers when it cannot: one shape, plain sentences, never a path."""

from __future__ import annotations

import re
from pathlib import Path

from camn.errors import CamnError, words_of
from camn.files import encoded
from camn.projects.problem import Code, Problem

STATUS: dict[Code, int] = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "other_size": 422,
    "other_frames": 422,
    "invalid": 422,
    "internal": 500,
    "no_room": 507,
}
CODES: dict[int, Code] = {status: code for code, status in STATUS.items()}
CODES |= {405: "bad_request", 411: "bad_request", 415: "bad_request"}
_PATH = re.compile(r"(?:file:)?(?<![\w.<])(?:~|\.{1,2})?(?:/[^\s/:;,'\")]+){2,}/?|[A-Za-z]:\\[^\s:;,'\")]+")


def body(problem: Problem) -> dict[str, dict[str, str]]:
    """The answer's JSON."""
    return {"error": {"code": problem.code, "message": problem.message}}


def plain(error: BaseException, *known: tuple[Path, str]) -> str:
    """An error's own words without paths. known: (path, what the user calls it), the longest path first."""
    text = str(error) or words_of(error)
    for path, name in known:
        text = text.replace(str(path), name)
    text = encoded(_PATH.sub("a file", text).strip()).decode()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")


def refused(error: CamnError, *known: tuple[Path, str]) -> Problem:
    """What the user sent cannot be used: the error's words, by the names that he knows."""
    return Problem("invalid", plain(error, *known))
