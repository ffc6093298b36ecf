"""`camn segment --project`: the network over a project that was marked on the page, without the page."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from camn import api
from camn.errors import CamnError, MaskError
from camn.masks import write_palette_png
from camn.projects.project import Project
from camn.projects.propagate import check, propagate
from camn.projects.store import open_project
from camn.web.jobs import Work
from camn.web.problem import Problem
from camn.web.schemas import Propagate


def segment_project(
    folder: Path,
    out: Path | None,
    options: api.SegmentOptions,
    progress: api.Report = lambda progress: None,
    notice: api.Notice = lambda note: None,
) -> api.Summary:
    """Follow the objects of a project from the masks that the user gave.

    Without `out` the masks become the project's, before and behind its first given one, as by *Propagate both* on the
    page. With it the project stays as it is, and `out` gets all that `segment_video` writes of its video.
    Raises CamnError, also while a server has the project open.
    """
    project, held = open_project(folder)
    try:
        masks = ((index, project.shown_mask(index, "given")) for index in project.given_frames())
        given = {index: mask for index, mask in masks if mask is not None and mask.any()}
        if not given:
            raise MaskError(f"{folder}: no mask was given in this project; mark its objects on a frame (camn serve)")
        if out is None:
            return _in_project(project, min(given), options, progress)
        with tempfile.TemporaryDirectory() as named:
            for index, mask in given.items():
                write_palette_png(Path(named) / f"{index:06d}.png", mask)
            names = {item.id: item.name for item in project.record.objects}
            return api.segment_video(
                project.video(), named, out, options, names=names, progress=progress, notice=notice
            )
    except Problem as error:
        raise CamnError(f"{folder}: {error.message}") from error
    finally:
        os.close(held)


def _in_project(project: Project, first: int, options: api.SegmentOptions, progress: api.Report) -> api.Summary:
    asked, started = Propagate(frame=first, direction="both"), time.monotonic()
    work = Work(project.id, "propagate", lambda work: None, asked, (), check(project, asked))
    work.announce = lambda: progress(api.Progress(work.done, work.total, time.monotonic() - started))
    model = api.open_model(options)
    with api.cpu_threads(options.threads):
        propagate(project, asked, model.segmenter, work)
    seconds = time.monotonic() - started
    folder = project.folder
    return api.Summary(folder, work.done, tuple(project.ids), seconds, {}, (folder / "masks",))
