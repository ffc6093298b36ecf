"""All projects of a server: a folder with one folder for each."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from camn.errors import CamnError, DataError
from camn.files import LOCK, held, leftovers, sync, writing
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.record import RECORD, Record

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # what a folder may be called; own ones are 12 hex digits
_SENT = ".load-"  # how names of folders begin with what is only looked at


class Store:
    """Projects by id. The folder belongs to one process at a time. Raises OutputError if it cannot be had.

    most: projects that it takes. free_bytes: room that is left on the disk."""

    def __init__(self, folder: Path, most: int, free_bytes: int):
        self.folder = folder.resolve()  # whole, so that messages can be cleared of it
        self._most, self._free_bytes = most, free_bytes
        with writing(folder):
            folder.mkdir(0o700, parents=True, exist_ok=True)  # one that is there keeps what its owner set
        self._holding = _hold(folder)
        self._projects: dict[str, Project] = {}
        self._creating = threading.Lock()
        for path in sorted(self.folder.glob(f"*/{RECORD}")):
            if _ID.fullmatch(path.parent.name):
                try:
                    self._projects[path.parent.name] = Project(path.parent)
                except DataError as error:
                    print(f"warning: {error}", file=sys.stderr)
        for gone in self.folder.glob(".deleted-*"):
            shutil.rmtree(gone, ignore_errors=True)

    def all(self) -> list[Project]:
        """Newest first."""
        return sorted(self._projects.values(), key=lambda project: (project.record.created, project.id), reverse=True)

    def get(self, id: str) -> Project:
        """Raises Problem. The id is looked up, it never becomes part of a path."""
        project = self._projects.get(id)
        if project is None:
            raise Problem("not_found", "There is no such project; it may have been deleted.")
        return project

    def create(self, name: str) -> Project:
        """Raises Problem, OutputError."""
        self.need_room()
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
        folder = self.folder / secrets.token_hex(6)
        with self._creating:  # else several at once would be counted as one
            if len(self._projects) >= self._most:
                raise Problem("too_large", f"There are {self._most} projects, the most that fit; delete some.")
            try:
                project = self._projects[folder.name] = Project(folder, Record(name, created))
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        return project

    def delete(self, id: str) -> None:
        """First out of sight, then from the disk, so that a kill in between leaves no half project."""
        project = self.get(id)
        hidden = self.folder / f".deleted-{id}-{secrets.token_hex(4)}"
        with writing(project.folder), project.lock:
            os.replace(project.folder, hidden)
            del self._projects[id]
            sync(self.folder)
        shutil.rmtree(hidden, ignore_errors=True)

    def need_room(self, count: int = 0) -> None:
        """Raises Problem when fewer than `count` bytes and the reserve are free."""
        if shutil.disk_usage(self.folder).free < self._free_bytes + count:
            raise full()

    def close(self) -> None:
        self._holding.close()


def full() -> Problem:
    return Problem("no_room", "The disk is nearly full; free some space, or delete projects.")


@contextmanager
def sent(project: Project, name: str, data: bytes) -> Iterator[Path]:
    """What a user sends, for as long as it is looked at: a file of this name, alone in a folder. Raises OutputError."""
    path = project.folder / f"{_SENT}{secrets.token_hex(8)}" / name
    try:
        with writing(path):
            path.parent.mkdir()
            path.write_bytes(data)
        yield path
    finally:
        shutil.rmtree(path.parent, ignore_errors=True)


def tidy(project: Project) -> None:
    """Remove what a server that was killed had not done with: uploads, half exports, half frames and masks."""
    record = project.record
    if record.state == "new":
        shutil.rmtree(project.source, ignore_errors=True)
    if record.state == "ready":
        (project.source / "frames.zip").unlink(missing_ok=True)
    folders = [".", "exports", "given"]
    folders += ["frames", "small"] if record.state == "decoding" else []
    folders += ["masks"] if record.propagation else []
    for name in folders:
        for pattern in (f"{_SENT}*", leftovers("*.*")):
            for path in (project.folder / name).glob(pattern):
                with suppress(OSError):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _hold(folder: Path) -> ExitStack:
    """What holds the folder of projects until it is closed, or the process ends. Raises OutputError."""
    with ExitStack() as undo:
        undo.enter_context(held(folder / LOCK, f"{folder}: another camn has these projects open"))
        return undo.pop_all()


def open_project(folder: Path) -> tuple[Project, ExitStack]:
    """One project for this process alone, and what holds it. Raises CamnError."""
    if not (folder / RECORD).is_file():
        raise CamnError(f"{folder}: no project (no {RECORD}); give a folder that camn serve made")
    holding = _hold(folder.resolve().parent)
    return Project(folder), holding
