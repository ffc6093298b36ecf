"""What a project cannot do, in one shape: a code and a plain sentence."""

from __future__ import annotations

from typing import Literal

from camn.errors import CamnError

Code = Literal[
    "bad_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "too_large",
    "other_size",
    "other_frames",
    "invalid",
    "internal",
    "no_room",
]


class Problem(CamnError):
    """code: what kind it is, for programs. message: a whole sentence for the user, without paths."""

    def __init__(self, code: Code, message: str):
        super().__init__(message)
        self.code: Code = code
        self.message = message
