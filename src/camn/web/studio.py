"""What one server holds, and what its routes do: projects, jobs, events, the network."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from camn import api
from camn.errors import CamnError
from camn.projects.change import LEAVE, Before, Change, Step
from camn.projects.problem import Problem
from camn.projects.project import Project, stretches
from camn.projects.propagate import check, propagate, reached, runs_of
from camn.projects.record import Propagation
from camn.projects.store import Store, tidy
from camn.web import schemas
from camn.web.answers import plain
from camn.web.clicking import Clicking
from camn.web.events import Events
from camn.web.exports import chosen, export, exported, file_name, need_masks
from camn.web.file_names import readable
from camn.web.jobs import Jobs
from camn.web.limits import Limits
from camn.web.network import LazyNetwork
from camn.web.opening import Opening
from camn.web.shown import changed, shown, shown_frame
from camn.web.work import Work

DOUBTFUL = 0.8  # confidence below it is worth a look


class Studio:
    """options: of the network, which is loaded when it is first needed. Raises CamnError."""

    def __init__(self, folder: Path, options: api.SegmentOptions, limits: Limits | None = None):
        self.limits, self.options = limits or Limits(), options
        self.events = Events()
        self.store = Store(folder, self.limits.projects, self.limits.free_bytes)
        self.jobs = Jobs(self.events, self.limits.jobs, self.store.get)
        self.opening = Opening(self.store, self.jobs, self.limits, self.changed)
        self._network, self._copying = LazyNetwork(options), threading.Lock()
        self.clicking = Clicking(options, lambda: self.jobs.busy(None, "propagate"), self.store.get)
        for project in self.store.all():
            self._take_up(project)

    def close(self) -> None:
        self.clicking.close()
        self.jobs.close()
        self.store.close()

    def _take_up(self, project: Project) -> None:
        """What another run of the server left undone."""
        tidy(project)
        for job, path, made in exported(project):
            self.jobs.add_exported(project.id, job, made, path, file_name(project, made))
        if project.record.state == "decoding":
            self.opening.go_on(project)
        elif asked := project.record.asked:
            job = str((project.record.propagation or {}).get("job", ""))
            frame = reached(project, asked, job)
            if runs_of(project, replace(asked, reached=frame)):
                self.jobs.add_interrupted(project.id, asked, frame)
            else:  # it had just come to its end
                project.change(propagation=None)

    @property
    def device(self) -> str | None:
        return str(model.segmenter().device) if (model := self._network.model) else None

    # --- projects ----------------------------------------------------------------------------------------------------

    def create(self, name: str) -> Project:
        project = self.store.create(name)
        self.changed(project)
        return project

    def open_video(self, path: Path) -> Project:
        """A project of a video or a folder of images on this machine, as the command line names it; it is copied.

        One that there is already, of the same file, is taken. Raises CamnError where it cannot be read."""
        try:
            with self._copying:  # two at once would not know of each other
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
        inbox = self.opening.inbox(project)
        try:
            for file in files:
                inbox.copy(file)
            self.opening.begin(project, [plain(UserWarning(note)) for note in (listing.notes if listing else ())])
            project.change(origin=origin)
        except BaseException:
            self.delete(project.id)
            raise
        return project

    def delete(self, id: str) -> None:
        """Raises Problem, also where a job of it does not stop soon."""
        self.store.get(id)
        with self.jobs.none_of(id):
            self.store.delete(id)
        self.clicking.forget(id)
        self.opening.forget(id)
        self.events.project_deleted(id)

    def changed(self, project: Project) -> None:
        with project.lock:  # what is told later is never older
            self.events.project(shown(project))

    def detail(self, project: Project) -> schemas.Detail:
        masks = project.masks if project.record.width else None
        return schemas.Detail(
            **shown(project).model_dump(),
            given=sorted(masks.given) if masks else [],
            predicted=list(stretches(sorted(masks.predicted))) if masks else [],
            jobs=self.jobs.of(project.id),
        )

    # --- masks -------------------------------------------------------------------------------------------------------

    def give(self, project: Project, index: int, mask: np.ndarray, absent: Iterable[int] = ()) -> Step:
        """mask (H, W) uint8 ids. absent: ids that are not on the frame. Raises Problem, OutputError."""
        project.need_frame(index)
        project.need_size(mask.shape)
        if unknown := sorted({int(id) for id in np.unique(mask)} - {0, *project.ids}):
            raise Problem("invalid", f"The mask holds id {unknown[0]}, which is no object of the project.")
        self.store.need_room()
        step = project.masks.give(index, mask, project.ids, absent)
        self._tell(project, index)
        return step

    def change(
        self, project: Project, index: int, change: Change, undo: Before | None, said: frozenset[int]
    ) -> schemas.Changed:
        """Some pixels of a frame. Raises Problem, OutputError."""
        project.need_frame(index)
        # What is taken back may be of objects that were deleted since: their pixels come back with them.
        known = {0, LEAVE, *(range(1, project.record.last_id + 1) if undo else project.ids)}
        if unknown := sorted({int(id) for id in np.unique(change.ids)} - known):
            raise Problem("invalid", f"The change holds id {unknown[0]}, which is no object of the project.")
        self.store.need_room()
        step = project.masks.change(index, change, undo, said)
        return changed(self._tell(project, index), step)

    def clear(self, project: Project, index: int, kind: str) -> schemas.Changed:
        project.need_frame(index)
        step = project.masks.remove(index, kind)
        return changed(self._tell(project, index), step)

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
            def segmenter() -> api.AnySegmenter:
                return self._network.segmenter(work)

            def seen(index: int) -> None:
                self._seen(project, index)

            with api.cpu_threads(self.options.threads):
                propagate(project, asked, segmenter, work, seen, self.options.reference_frames)

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
        need_masks(project, chosen(project, asked), asked.frames)
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
