"""`camn segment --project`: the network over a project that was marked on the page, without the page."""

from __future__ import annotations

import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from camn import api
from camn.errors import CamnError, ConfigError, MaskError
from camn.files import write_whole
from camn.projects.maskfiles import encode
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.propagate import check, propagate
from camn.projects.record import Propagation
from camn.projects.store import open_project

_OF_OUTPUTS = (
    "alpha", "export", "export_objects", "export_frames", "export_background", "fps", "overwrite",
)  # fmt: skip
EVERY = 0.1  # seconds between two words on how far it is


def segment_project(
    folder: Path,
    out: Path | None,
    options: api.SegmentOptions,
    progress: api.Report = lambda progress: None,
    notice: api.Notice = lambda note: None,
    resume: bool = False,
) -> api.Summary:
    """Follow the objects of a project from the masks that the user gave.

    Without `out` the masks become the project's, before and behind its first given one, as by *Propagate both* on the
    page. With it the project stays as it is, and `out` gets all that `segment_video` writes of its video. Either way an
    object that the user said is not on a frame is not there.
    Raises CamnError, also while a server has the project open.
    """
    _check(out, options, resume)
    project, held = open_project(folder)
    try:
        masks = ((index, project.shown_mask(index, "given")) for index in project.given_frames())
        given = {index: mask for index, mask in masks if mask is not None}
        begins = [index for index, mask in given.items() if mask.any()]
        if not begins:
            raise MaskError(f"{folder}: no mask was given in this project; mark its objects on a frame (camn serve)")
        if out is None:
            return _in_project(project, min(begins), options, progress)
        with tempfile.TemporaryDirectory() as named:
            for index, mask in given.items():
                stated = sorted(project.masks.given[index].stated & set(project.ids))
                write_whole(Path(named) / f"{index:06d}.png", encode(mask, {"stated": stated}))
            names = {item.id: item.name for item in project.record.objects}
            how: dict[str, Any] = {"names": names, "resume": resume, "progress": progress, "notice": notice}
            return api.segment_video(project.video(), named, out, options, first_frame=0, **how)
    except Problem as error:
        raise CamnError(f"{folder}: {error.message}") from error
    finally:
        held.close()


def _check(out: Path | None, options: api.SegmentOptions, resume: bool) -> None:
    """Raises ConfigError for what a project knows itself, or has no use for."""
    if options.first_frame is not None:
        raise ConfigError("first_frame: a project's masks know their frames; leave it out")
    if out is not None:
        return
    if options.masks_are_whole:
        raise ConfigError(
            "masks_are_whole: a project's masks say themselves what is not there; leave it out, or give --out"
        )
    if options.picture_range is not None:
        raise ConfigError("picture_range: a project's frames are as the page shows them; leave it out, or give --out")
    if resume:
        raise ConfigError("resume: takes up a run in a folder of its own; give --out, or leave it out")
    if said := [name for name in _OF_OUTPUTS if getattr(options, name) != getattr(api.SegmentOptions, name)]:
        raise ConfigError(f"{said[0]}: a project's own masks are made, and nothing else; leave it out, or give --out")


def _in_project(project: Project, first: int, options: api.SegmentOptions, progress: api.Report) -> api.Summary:
    asked, watch = Propagation(first, "both"), Teller(progress)
    check(project, asked)
    model = api.open_model(options)
    with api.cpu_threads(options.threads):
        propagate(project, asked, model.segmenter, watch, references=options.reference_frames)
    folder = project.folder
    return api.Summary(folder, watch.done, tuple(project.ids), watch.seconds, {}, (folder / "masks",))


class Teller:
    """Tells of the frames that are done, now and then. See `Watch`; nobody stops it but by Ctrl-C."""

    server_ends = False

    def __init__(self, progress: api.Report):
        self.id, self.done = secrets.token_hex(6), 0
        self._progress, self._started, self._said = progress, time.monotonic(), float("-inf")

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._started

    def check(self) -> None:
        """See `Watch.check`."""

    def tell(self, done: int, total: int | None = None, frame: int | None = None) -> None:
        """See `Watch.tell`."""
        self.done = done
        if self.seconds - self._said >= EVERY or done == total:
            self._said = self.seconds
            self._progress(api.Progress(done, total, self._said))
