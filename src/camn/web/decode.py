"""Reading what was sent: every frame of a project's video, into its frames."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import closing

from camn import api
from camn.projects.frame_files import is_there, settle, write_frame
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.watch import Cancelled
from camn.web.answers import plain
from camn.web.limits import Limits
from camn.web.uploads import probe
from camn.web.work import Work
from camn.web.zips import unpack

EVERY = 64  # frames between two looks at the free room
_OPTION = re.compile(r"; --picture-range .*$")  # of the command line; the page has a remedy of its own
_REMEDY = "; if that is wrong, make pictures of 8 bits of them and send those"


def decode(project: Project, work: Work, limits: Limits, room: Callable, changed: Callable[[Project], None]) -> None:
    """Write all frames that are not there yet. What goes wrong is the project's error, and raised.

    room: raises Problem when the disk is full. changed: called some times a second, and at the end.
    """
    try:
        _decode(project, work, limits, room, changed)
    except Cancelled:  # the server ends: the next one goes on
        raise
    except Exception as error:
        project.change(state="failed", error=plain(error, *work.known))
        changed(project)
        raise


def _decode(project: Project, work: Work, limits: Limits, room: Callable, changed: Callable[[Project], None]) -> None:
    if project.record.kind == "zip":
        unpack(project.source / "frames.zip", project.source / "images", limits, lambda done: _look(work, done, room))
    source = probe(project.video(), limits)
    project.change(width=source.size[1], height=source.size[0], fps=_text(source), total=source.count)
    for name in ("frames", "small"):
        (project.folder / name).mkdir(exist_ok=True)
    told, index, given = 0.0, -1, project.record.notes
    with closing(api.prefetch(source)) as frames:
        for index, frame in enumerate(frames):
            if index >= limits.frames:
                raise Problem("too_large", f"The video has more than {limits.frames} frames; cut it into parts.")
            if index % EVERY == 0:
                room()
            if not is_there(project, index):
                write_frame(project, index, frame.image)
            project.count = max(project.count, index + 1)
            if time.monotonic() - told > 0.3:
                told = time.monotonic()
                if (notes := _notes(source, work, given)) != project.record.notes:  # told at once, not at the end
                    project.change(notes=notes)
                changed(project)
            work.tell(index + 1, max(source.count or 0, index + 1))
    project.count = index + 1
    settle(project)
    project.change(state="ready", total=index + 1, notes=_notes(source, work, given))
    (project.source / "frames.zip").unlink(missing_ok=True)
    changed(project)


def _notes(source: api.FrameSource, work: Work, given: tuple[str, ...]) -> tuple[str, ...]:
    """What is wrong with the video, as far as it was read. given: notes on what was sent."""
    said = (UserWarning(_OPTION.sub(_REMEDY, text)) for text in source.warnings)
    return tuple(dict.fromkeys((*given, *(plain(text, *work.known) for text in said))))


def _look(work: Work, done: int, room: Callable) -> None:
    work.check()
    if done % EVERY == 0:
        room()


def _text(source: api.FrameSource) -> str | None:
    return None if source.fps is None else str(source.fps)
