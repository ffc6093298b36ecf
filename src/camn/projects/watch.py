"""Who looks on while work is done on a project: it is told of each frame, and may stop the work."""

from __future__ import annotations

from typing import Protocol

from camn.errors import CamnError


class Cancelled(CamnError):
    """Raised within work that is to stop."""


class Watch(Protocol):
    """id: of the work, kept with the masks that it makes. server_ends: whether it stops since the program does, so that
    it is to go on when that starts again."""

    id: str
    server_ends: bool

    def check(self) -> None:
        """Raises Cancelled when the work is to stop."""

    def tell(self, done: int, total: int | None = None, frame: int | None = None) -> None:
        """So many frames are done, this one last. Raises Cancelled when the work is to stop."""
