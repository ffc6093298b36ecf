"""Work that takes long: in lanes, each with a queue and one thread, so that a network has one job at a time."""

from __future__ import annotations

import secrets
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from camn.errors import CamnError
from camn.projects.problem import Problem
from camn.projects.record import Propagation
from camn.projects.watch import Cancelled
from camn.web.answers import plain
from camn.web.events import Events
from camn.web.schemas import Export, Job, JobState, Propagate

Kind = Literal["decode", "propagate", "export"]
Wish = Propagation | Export
Done = Callable[["Work"], Path | None]
EVERY = 0.1  # seconds between two events of one job's progress


class Work:
    """One job, as a `Watch` of what it does: that calls `tell` after each frame; by that it is shown, and stopped."""

    def __init__(self, project: str, kind: Kind, do: Done, asked: Wish | None, known: tuple, total: int):
        self.id, self.project, self.asked = secrets.token_hex(6), project, asked
        self.kind: Kind = kind
        self.state: JobState = "queued"
        self.done, self.total, self.frame = 0, total, asked.reached if isinstance(asked, Propagation) else None
        self.error: str | None = None
        self.output: Path | None = None
        self.file_name: str | None = None
        self.do, self.known = do, known
        self.stop = threading.Event()
        self.server_ends = False
        self.announce: Callable[[], None] = lambda: None
        self._began, self._first, self._said = 0.0, 0, 0.0

    def tell(self, done: int, total: int | None = None, frame: int | None = None) -> None:
        """So many frames are done. Raises Cancelled when the job is to stop."""
        now = time.monotonic()
        if not self._began:  # what comes before the first frame, such as loading a network, says nothing of its rate
            self._began, self._first = now, done
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


class Jobs:
    """All jobs of a server, by id, and the lanes they run in: one decodes, one has the network, one exports."""

    def __init__(self, events: Events, most: int):
        self._events, self._most = events, most
        self._works: dict[str, Work] = {}
        self._waiting: dict[str, deque[Work]] = {kind: deque() for kind in ("decode", "propagate", "export")}
        self._change = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, args=(kind,), name=f"camn-{kind}", daemon=True) for kind in self._waiting
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        project: str,
        kind: Kind,
        do: Done,
        asked: Wish | None = None,
        known: tuple = (),
        total: int = 0,
    ) -> Job:
        """Queue do(work), which returns the file it made, if any. known: as for `plain`. Raises Problem when full."""
        work = Work(project, kind, do, asked, known, total)
        with self._change:
            # Reading frames is bounded by the number of projects, and must not be refused halfway.
            if kind != "decode" and sum(not other.ended for other in self._works.values()) >= self._most:
                raise Problem("conflict", f"{self._most} jobs wait already; cancel some, or wait.")
            self._forget()
            left = [other for other in self._works.values() if other.state == "interrupted" and kind == "propagate"]
            self._add(work)
            self._waiting[kind].append(work)
            self._change.notify_all()
        work.announce()
        for other in left:
            if other.project == project:
                self.cancel(other.id)
        return self.shown(work)

    def add_interrupted(self, project: str, asked: Propagation, frame: int | None) -> None:
        """A propagation that another run of the server did not end."""
        work = Work(project, "propagate", lambda work: None, asked, (), 0)
        work.state, work.frame = "interrupted", frame
        self._add(work)

    def add_exported(self, project: str, id: str, asked: Export, output: Path, file_name: str) -> None:
        """A file that another run of the server made. id: of its job."""
        work = Work(project, "export", lambda work: None, asked, (), 0)
        work.id, work.state, work.output, work.file_name = id, "done", output, file_name
        self._add(work)

    def _add(self, work: Work) -> None:
        work.announce = lambda: self._announce(work)
        with self._change:
            self._works[work.id] = work

    def get(self, id: str) -> Work:
        """Raises Problem."""
        work = self._works.get(id)
        if work is None:
            raise Problem("not_found", "There is no such job.")
        return work

    def of(self, project: str | None = None) -> list[Job]:
        """Running, queued, then ended ones, newest first."""
        with self._change:
            works = [work for work in self._works.values() if project in (None, work.project)]
        order = {"running": 0, "queued": 1}
        shown = [self.shown(work) for work in reversed(works)]
        return sorted(shown, key=lambda job: (order.get(job.state, 2), job.place))

    def cancel(self, id: str) -> Job:
        """A queued job ends at once, a running one after its frame; an interrupted one does not go on."""
        work = self.get(id)
        with self._change:
            work.stop.set()
            if work.state == "interrupted":
                work.state = "cancelled"
            if work.state == "queued":
                self._waiting[work.kind].remove(work)
                work.state = "cancelled"
        work.announce()
        self._moved(work.kind)
        return self.shown(work)

    def cancel_all(self, project: str) -> None:
        """Of one project; returns when none of them runs any more."""
        with self._change:
            mine = [work for work in self._works.values() if work.project == project and not work.ended]
        for work in mine:
            self.cancel(work.id)
        with self._change:
            self._change.wait_for(lambda: all(work.ended for work in mine), timeout=60)
            self._works = {id: work for id, work in self._works.items() if work.project != project}

    def busy(self, project: str, kind: Kind) -> bool:
        with self._change:
            return any(w.project == project and w.kind == kind and not w.ended for w in self._works.values())

    def close(self) -> None:
        """Stop all; a running job ends after its frame."""
        with self._change:
            self._closed = True
            for work in self._works.values():
                work.server_ends = True
                work.stop.set()
            self._change.notify_all()
        for thread in self._threads:
            thread.join(timeout=30)

    def shown(self, work: Work) -> Job:
        rate = work.rate
        left = (work.total - work.done) / rate if rate and work.total else None
        with self._change:
            queue = list(self._waiting[work.kind])
        done = work.state == "done" and work.output is not None and work.output.is_file()
        return Job(
            id=work.id,
            project=work.project,
            kind=work.kind,
            state=work.state,
            place=queue.index(work) + 1 if work in queue else 0,
            done=work.done,
            total=work.total,
            frame=work.frame,
            rate=round(rate, 3),
            left=None if left is None else round(max(0.0, left), 1),
            error=work.error,
            asked=Propagate(**asdict(work.asked)) if isinstance(work.asked, Propagation) else work.asked,
            file=f"/api/jobs/{work.id}/file" if done else None,
            file_name=work.file_name if done else None,
        )

    def _announce(self, work: Work) -> None:
        with self._change:  # what is told later is never older
            self._events.job(self.shown(work))

    def _forget(self) -> None:
        """Of ended jobs that made no file the last few are kept."""
        ended = [w for w in self._works.values() if w.ended and w.output is None and w.state != "interrupted"]
        for work in ended[: -self._most]:
            del self._works[work.id]

    def _run(self, kind: str) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._waiting[kind])
                if self._closed:
                    return
                work = self._waiting[kind].popleft()
                work.state = "running"
            work.announce()
            self._moved(kind)
            state = self._do(work)
            with self._change:
                work.state = state
                self._change.notify_all()
            work.announce()

    def _do(self, work: Work) -> JobState:
        try:
            work.output = work.do(work)
            return "done"
        except Cancelled:
            return "cancelled"
        except (CamnError, Problem) as error:
            work.error = plain(error, *work.known)
        except BaseException as error:  # the thread goes on with the next job
            traceback.print_exception(error, file=sys.stderr)
            work.error = "Something went wrong in the server; the terminal it runs in says what."
        return "failed"

    def _moved(self, kind: str) -> None:
        """Those behind have another place now."""
        for work in list(self._waiting[kind]):
            work.announce()
