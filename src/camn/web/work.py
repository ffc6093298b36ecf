"""One piece of work that takes long: how far it is, and whether it is to stop."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from camn.projects.record import Propagation
from camn.projects.watch import Cancelled
from camn.web.schemas import Export, JobState, Stage

Kind = Literal["decode", "propagate", "export"]
Wish = Propagation | Export
Done = Callable[["Work"], Path | None]
EVERY = 0.1  # seconds between two events of one job's progress


class Work:
    """One job, as a `Watch` of what it does: that calls `tell` after each frame; by that it is shown, and stopped."""

    def __init__(self, project: str, kind: Kind, do: Done, asked: Wish | None, known: tuple, total: int):
        self.id, self.project, self.asked = secrets.token_hex(6), project, asked
        self.kind: Kind = kind
        self.stage: Stage | None = None
        self.state: JobState = "queued"
        self.done, self.total, self.frame = 0, total, asked.reached if isinstance(asked, Propagation) else None
        self.error: str | None = None
        self.output: Path | None = None
        self.file_name: str | None = None
        self.notes: list[str] = []
        self.do, self.known = do, known
        self.stop = threading.Event()
        self.server_ends = False
        self.announce: Callable[[], None] = lambda: None
        self._began, self._first, self._said = 0.0, 0, 0.0

    def enter(self, stage: Stage) -> None:
        """What is at work before the first frame. Raises Cancelled when the job is to stop."""
        self.stage = stage
        self.announce()
        self.check()

    def tell(self, done: int, total: int | None = None, frame: int | None = None) -> None:
        """So many frames are done. Raises Cancelled when the job is to stop."""
        now = time.monotonic()
        if not self._began:  # what comes before the first frame, such as loading a network, says nothing of its rate
            self._began, self._first = now, done
        self.stage = None
        self.done, self.frame = done, self.frame if frame is None else frame
        self.total = self.total if total is None else total
        if now - self._said >= EVERY or done == self.total:
            self._said = now
            self.announce()
        self.check()

    def check(self) -> None:
        if self.stop.is_set():
            raise Cancelled

    @property
    def rate(self) -> float:
        """Frames per second."""
        seconds = time.monotonic() - self._began if self._began and self.state == "running" else 0.0
        return (self.done - self._first) / seconds if seconds > 0 else 0.0

    @property
    def ended(self) -> bool:
        return self.state not in ("queued", "running")
