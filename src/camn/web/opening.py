"""How a project comes to its frames: what was sent to it, or lies on this machine, and the job that reads it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from camn.errors import CamnError
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.store import Store
from camn.web.answers import plain, refused
from camn.web.decode import decode
from camn.web.jobs import Jobs
from camn.web.limits import Limits
from camn.web.uploads import Inbox, Kind


class Opening:
    """changed: told of each change of a project."""

    def __init__(self, store: Store, jobs: Jobs, limits: Limits, changed: Callable[[Project], None]):
        self._store, self._jobs, self._limits, self._changed = store, jobs, limits, changed
        self._inboxes: dict[str, Inbox] = {}
        self._taking = threading.Lock()

    def forget(self, id: str) -> None:
        """Of a project that is gone."""
        self._inboxes.pop(id, None)

    def inbox(self, project: Project) -> Inbox:
        """Where uploads to a new project go. Raises Problem."""
        if project.record.state != "new":
            raise Problem("conflict", "The project has its video already; make a new project for another one.")
        with self._taking:  # two uploads may come at once, and a new inbox is empty
            if project.id not in self._inboxes:
                self._inboxes[project.id] = Inbox(project.source, self._limits)
            return self._inboxes[project.id]

    def begin(self, project: Project, notes: Sequence[str] = ()) -> None:
        """Of what was sent; where reading failed, of the same again, from where it stopped. notes: on that.

        Raises Problem, and then the project takes another upload."""
        with project.lock:
            kind, known, notes = project.record.kind, [], (*project.record.notes, *notes)
            if project.record.state != "failed":
                kind, known, more = self._settled(project)
                notes = (*notes, *more)
            project.change(state="decoding", error=None, kind=kind, notes=tuple(dict.fromkeys(notes)))
            self.go_on(project, known)
            self._changed(project)

    def _settled(self, project: Project) -> tuple[Kind, list[tuple[Path, str]], list[str]]:
        """What was sent, looked into, what messages should call its files, and notes on it."""
        inbox = self.inbox(project)
        try:
            kind = inbox.settle()
        except Problem:
            inbox.clear()
            raise
        except CamnError as error:
            problem = refused(error, *inbox.known(), (project.folder, "the project"))
            inbox.clear()
            raise problem from None
        del self._inboxes[project.id]
        return kind, inbox.known()[: len(inbox.sent)], [plain(UserWarning(note)) for note in inbox.notes]

    def go_on(self, project: Project, known: Sequence[tuple[Path, str]] = ()) -> None:
        """Read the frames that are not there yet. known: as for `plain`."""
        folders = (project.source / "images", "frames"), (project.source, "the upload"), (project.folder, "the project")
        self._jobs.submit(
            project.id,
            "decode",
            lambda work: decode(project, work, self._limits, self._store.need_room, self._changed),
            known=(*known, *folders),
            total=project.record.total or 0,
        )
