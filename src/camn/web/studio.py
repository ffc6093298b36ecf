"""What one server holds, and what its routes do: projects, jobs, events, the network."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from camn import api
from camn.errors import CamnError
from camn.projects.problem import Problem
from camn.projects.project import Project, stretches
from camn.projects.propagate import check, propagate, reached, runs_of
from camn.projects.record import Propagation
from camn.projects.store import Store, tidy
from camn.web import schemas
from camn.web.answers import plain, refused
from camn.web.decode import decode
from camn.web.events import Events
from camn.web.exports import chosen, export, exported, file_name
from camn.web.file_names import readable
from camn.web.jobs import Jobs, Work
from camn.web.limits import Limits
from camn.web.shown import shown, shown_frame
from camn.web.uploads import Inbox, Kind

DOUBTFUL = 0.8  # confidence below it is worth a look


class Studio:
    """options: of the network, which is loaded when it is first needed. Raises CamnError."""

    def __init__(self, folder: Path, options: api.SegmentOptions, limits: Limits | None = None):
        self.limits, self.options = limits or Limits(), options
        self.events = Events()
        self.store = Store(folder, self.limits.projects, self.limits.free_bytes)
        self.jobs = Jobs(self.events, self.limits.jobs)
        self._inboxes: dict[str, Inbox] = {}
        self._model: api.Model | None = None
        self._loading, self._opening = threading.Lock(), threading.Lock()
        for project in self.store.all():
            self._take_up(project)

    def close(self) -> None:
        self.jobs.close()
        self.store.close()

    def _take_up(self, project: Project) -> None:
        """What another run of the server left undone."""
        tidy(project)
        for job, path, made in exported(project):
            self.jobs.add_exported(project.id, job, made, path, file_name(project, made))
        if project.record.state == "decoding":
            self._decode(project)
        elif asked := project.record.asked:
            job = str((project.record.propagation or {}).get("job", ""))
            frame = reached(project, asked, job)
            if runs_of(project, replace(asked, reached=frame)):
                self.jobs.add_interrupted(project.id, asked, frame)
            else:  # it had just come to its end
                project.change(propagation=None)

    @property
    def device(self) -> str | None:
        return str(self._model.segmenter().device) if self._model else None

    def segmenter(self) -> api.AnySegmenter:
        """A fresh one. Raises CamnError when the network cannot be loaded."""
        with self._loading:
            self._model = self._model or api.open_model(self.options)
        return self._model.segmenter()

    # --- projects ----------------------------------------------------------------------------------------------------

    def create(self, name: str) -> Project:
        project = self.store.create(name)
        self.changed(project)
        return project

    def open_video(self, path: Path) -> Project:
        """A project of a video or a folder of images on this machine, as the command line names it; it is copied.

        One that there is already, of the same file, is taken. Raises CamnError where it cannot be read."""
        try:
            return self._open_video(path)
        except Problem as error:
            raise CamnError(f"{path}: {error.message}") from error

    def _open_video(self, path: Path) -> Project:
        api.open_source(path, self.limits.frame_pixels)  # what is wrong with it is told before anything is made
        state = path.stat()
        origin = f"{path.resolve()} {state.st_size} {state.st_mtime_ns}"
        if known := [project for project in self.store.all() if project.record.origin == origin]:
            return known[0]
        listing = api.list_folder(path) if path.is_dir() else None
        files = [path / name for name in listing.frames] if listing else [path]
        self.store.need_room(sum(file.stat().st_size for file in files))
        project = self.create(readable(path.resolve().name))
        inbox = self.inbox(project)
        try:
            for file in files:
                inbox.copy(file)
            self.start_decoding(project, [plain(UserWarning(note)) for note in (listing.notes if listing else ())])
            project.change(origin=origin)
        except BaseException:
            self.delete(project.id)
            raise
        return project

    def delete(self, id: str) -> None:
        self.store.get(id)
        self.jobs.cancel_all(id)
        self.store.delete(id)
        self._inboxes.pop(id, None)
        self.events.project_deleted(id)

    def changed(self, project: Project) -> None:
        with project.lock:  # what is told later is never older
            self.events.project(shown(project))

    def inbox(self, project: Project) -> Inbox:
        """Where uploads to a new project go. Raises Problem."""
        if project.record.state != "new":
            raise Problem("conflict", "The project has its video already; make a new project for another one.")
        with self._opening:  # two uploads may come at once, and a new inbox is empty
            if project.id not in self._inboxes:
                self._inboxes[project.id] = Inbox(project.source, self.limits)
            return self._inboxes[project.id]

    def start_decoding(self, project: Project, notes: Sequence[str] = ()) -> None:
        """Of what was sent; where reading failed, of the same again, from where it stopped. notes: on that.

        Raises Problem, and then the project takes another upload."""
        with project.lock:
            kind, known, notes = project.record.kind, [], (*project.record.notes, *notes)
            if project.record.state != "failed":
                kind, known, more = self._settled(project)
                notes = (*notes, *more)
            project.change(state="decoding", error=None, kind=kind, notes=tuple(dict.fromkeys(notes)))
            self._decode(project, known)
            self.changed(project)

    def _settled(self, project: Project) -> tuple[Kind, list[tuple[Path, str]], list[str]]:
        """What was sent, looked into, what messages should call its files, and notes on it."""
        inbox = self.inbox(project)
        try:
            kind = inbox.settle()
        except CamnError as error:
            problem = refused(error, *inbox.known(), (project.folder, "the project"))
            inbox.clear()
            raise problem from None
        except Problem:
            inbox.clear()
            raise
        del self._inboxes[project.id]
        return kind, inbox.known()[: len(inbox.sent)], [plain(UserWarning(note)) for note in inbox.notes]

    def _decode(self, project: Project, known: Sequence[tuple[Path, str]] = ()) -> None:
        folders = (project.source / "images", "frames"), (project.source, "the upload"), (project.folder, "the project")
        self.jobs.submit(
            project.id,
            "decode",
            lambda work: decode(project, work, self.limits, self.store.need_room, self.changed),
            known=(*known, *folders),
            total=project.record.total or 0,
        )

    def detail(self, project: Project) -> schemas.Detail:
        masks = project.masks if project.record.width else None
        return schemas.Detail(
            **shown(project).model_dump(),
            given=sorted(masks.given) if masks else [],
            predicted=list(stretches(sorted(masks.predicted))) if masks else [],
            jobs=self.jobs.of(project.id),
        )

    # --- masks -------------------------------------------------------------------------------------------------------

    def give(self, project: Project, index: int, mask: np.ndarray) -> schemas.Mask:
        """mask (H, W) uint8 ids. Raises Problem, OutputError."""
        project.need_frame(index)
        if mask.shape != project.size:
            wide, wanted = (f"{size[1]}x{size[0]}" for size in (mask.shape, project.size))
            raise Problem("other_size", f"The mask has {wide} pixels, the frames have {wanted}.")
        if unknown := sorted({int(id) for id in np.unique(mask)} - {0, *project.ids}):
            raise Problem("invalid", f"The mask holds id {unknown[0]}, which is no object of the project.")
        self.store.need_room()
        project.masks.give(index, mask)
        return self._tell(project, index)

    def clear(self, project: Project, index: int, kind: str) -> schemas.Mask:
        project.need_frame(index)
        project.masks.clear([index], kind)
        return self._tell(project, index)

    def clear_all(self, project: Project, first: int, last: int, kind: str) -> None:
        project.need_frame(first)
        project.need_frame(last)
        project.masks.clear(range(first, last + 1), kind)
        self.events.masks_cleared(project.id, first, last, kind)

    def _tell(self, project: Project, index: int) -> schemas.Mask:
        with project.lock:
            mask = shown_frame(project, index)
            self.events.mask(project.id, mask)
        return mask

    def confidence(self, project: Project) -> schemas.Confidence:
        """Strips of all objects. Raises Problem."""
        masks = project.masks
        known = {
            index: masks.known(index, project.ids) for index in sorted({*list(masks.given), *list(masks.predicted)})
        }
        return schemas.Confidence(objects={id: _strip(id, known, project.count) for id in project.ids})

    # --- jobs --------------------------------------------------------------------------------------------------------

    def propagate(self, project: Project, asked: Propagation) -> schemas.Job:
        """Raises Problem, also while one of this project waits or runs: what was asked for is kept until it is done."""
        total = check(project, asked)
        self.store.need_room()

        def run(work: Work) -> None:
            with api.cpu_threads(self.options.threads):
                propagate(project, asked, self.segmenter, work, lambda index: self._seen(project, index))

        known = ((project.folder, "the project"),)
        with project.lock:
            if self.jobs.busy(project.id, "propagate"):
                raise Problem("conflict", "A propagation of this project is at work; wait for it, or cancel it first.")
            before = project.record.propagation
            project.change(propagation=asdict(asked))  # remembered, should the server be killed while it waits
            try:
                return self.jobs.submit(project.id, "propagate", run, asked, known, total)
            except Problem:
                project.change(propagation=before)
                raise

    def cancel(self, id: str) -> schemas.Job:
        """Raises Problem for one that decodes."""
        work = self.jobs.get(id)
        if work.kind == "decode" and not work.ended:
            raise Problem("conflict", "Reading frames cannot be cancelled; delete the project instead.")
        project = self.store.get(work.project)
        with project.lock:  # else another propagation that begins meanwhile would be forgotten
            waits = work.kind == "propagate" and work.state in ("interrupted", "queued")
            job = self.jobs.cancel(id)
            if waits and not self.jobs.busy(project.id, "propagate"):
                project.change(propagation=None)
        return job

    def _seen(self, project: Project, index: int) -> None:
        self._tell(project, index)
        if index % 64 == 0:
            self.store.need_room()

    def export(self, project: Project, asked: schemas.Export) -> schemas.Job:
        chosen(project, asked)
        self.store.need_room()

        def run(work: Work) -> Path:
            work.file_name = file_name(project, asked)
            return export(project, asked, work, self.limits.exports)

        known: tuple[tuple[Path, str], ...] = ((project.folder, "the project"),)
        return self.jobs.submit(project.id, "export", run, asked, known, project.count)


Known = dict[int, tuple[dict[int, float], list[int]]]


def _strip(id: int, known: Known, count: int) -> schemas.Strip:
    values: list[float | None] = [known[index][0].get(id) if index in known else None for index in range(count)]
    lost = [index for index, (_, gone) in known.items() if id in gone]
    gone = set(lost)
    doubtful = [i for i, value in enumerate(values) if value is not None and value < DOUBTFUL and i not in gone]
    return schemas.Strip(confidence=values, lost=list(stretches(lost)), doubtful=list(stretches(doubtful)))
