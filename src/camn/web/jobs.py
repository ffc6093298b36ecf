"""Work that takes long: in lanes, each with a queue and one thread, so that a network has one job at a time."""

from __future__ import annotations

import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from camn.errors import CamnError
from camn.projects.problem import Problem
from camn.projects.record import Propagation
from camn.projects.watch import Cancelled
from camn.web.answers import plain
from camn.web.events import Events
from camn.web.schemas import Export, Job, JobState, Propagate
from camn.web.work import Done, Kind, Wish, Work

PATIENCE = 20.0  # seconds that a project's jobs may take to stop before its deletion is refused


class Jobs:
    """All jobs of a server, by id, and the lanes they run in: one decodes, one has the network, one exports."""

    def __init__(self, events: Events, most: int, need: Callable[[str], object] = lambda project: None):
        """most: jobs that have not ended; and so many that have ended, and made no file, are known. need: raises
        Problem for a project that is gone."""
        self._events, self._most, self._need = events, most, need
        self._leaving: set[str] = set()
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
        """Queue do(work), which returns the file it made, if any. known: as for `plain`. Raises Problem when full, and
        within `none_of` the project."""
        work = Work(project, kind, do, asked, known, total)
        with self._change:
            if project in self._leaving:
                raise Problem("not_found", "The project is being deleted.")
            self._need(project)  # it may just have been
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

    @contextmanager
    def none_of(self, project: str) -> Iterator[None]:
        """All jobs of a project are cancelled and have ended, and no new one is taken meanwhile; then they are
        forgotten. Raises Problem where one does not end in time: nothing is taken away under a job."""
        with self._change:
            self._leaving.add(project)
            mine = [work for work in self._works.values() if work.project == project and not work.ended]
        try:
            for work in mine:
                self.cancel(work.id)
            with self._change:
                if not self._change.wait_for(lambda: all(work.ended for work in mine), timeout=PATIENCE):
                    raise Problem("conflict", "A job of this project is still at work. It was told to stop, and will "
                                  "after its frame: delete the project then.")  # fmt: skip
            yield
            with self._change:
                self._works = {id: work for id, work in self._works.items() if work.project != project}
        finally:
            with self._change:
                self._leaving.discard(project)

    def busy(self, project: str | None, kind: Kind) -> bool:
        """Whether such a job waits or runs; project None: of any."""
        with self._change:
            works = [work for work in self._works.values() if project in (None, work.project)]
            return any(work.kind == kind and not work.ended for work in works)

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
            stage=work.stage if work.state == "running" else None,
            error=work.error,
            asked=Propagate(**asdict(work.asked)) if isinstance(work.asked, Propagation) else work.asked,
            file=f"/api/jobs/{work.id}/file" if done else None,
            file_name=work.file_name if done else None,
            notes=[plain(UserWarning(note), *work.known) for note in work.notes],
        )

    def _announce(self, work: Work) -> None:
        with self._change:  # what is told later is never older
            self._events.job(self.shown(work))

    def _forget(self) -> None:
        """Of ended jobs without a file, or whose file gave way to later ones, the last few are kept."""
        ended = [w for w in self._works.values() if w.ended and w.state != "interrupted"]
        ended = [w for w in ended if w.output is None or not w.output.exists()]
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
        except CamnError as error:
            work.error = plain(error, *work.known)
        except BaseException as error:  # the thread goes on with the next job
            traceback.print_exception(error, file=sys.stderr)
            work.error = "Something went wrong in the server; the terminal it runs in says what."
        return "failed"

    def _moved(self, kind: str) -> None:
        """Those behind have another place now."""
        for work in list(self._waiting[kind]):
            work.announce()
