"""Frames of a project: every frame of its video as two JPEG files, at full size and for display."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from camn import api
from camn.errors import OutputError
from camn.files import write_whole
from camn.projects.project import DISPLAY, Project
from camn.web.jobs import Cancelled, Work
from camn.web.limits import Limits
from camn.web.problem import Problem, plain
from camn.web.uploads import probe
from camn.web.zips import unpack

QUALITY, SMALL_QUALITY = 95, 85
EVERY = 64  # frames between two looks at the free room


def jpeg(image: np.ndarray, quality: int) -> bytes:
    """image (H, W, 3) uint8 RGB."""
    good, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not good:
        raise OutputError(f"a frame of {image.shape[1]}x{image.shape[0]} pixels cannot be stored as JPEG")
    return data.tobytes()


def read_frame(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a frame's file. Raises Problem where it is gone or broken."""
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        image = None
    if image is None:
        raise Problem("conflict", f"Frame {int(path.stem)} of the project is missing or damaged on the disk.")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


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
    said, index = 0.0, -1
    with closing(api.prefetch(source)) as frames:
        for index, frame in enumerate(frames):
            if index >= limits.frames:
                raise Problem("too_large", f"The video has more than {limits.frames} frames; cut it into parts.")
            if index % EVERY == 0:
                room()
            if not project.frame_file(index).exists():
                write_frame(project, index, frame.image)
            project.count = max(project.count, index + 1)
            if time.monotonic() - said > 0.3:
                said = time.monotonic()
                changed(project)
            work.tell(index + 1, max(source.count or 0, index + 1))
    notes = tuple(plain(UserWarning(text), *work.known) for text in source.warnings)
    project.count = index + 1
    project.change(state="ready", total=index + 1, notes=notes)
    (project.source / "frames.zip").unlink(missing_ok=True)
    changed(project)


def _look(work: Work, done: int, room: Callable) -> None:
    work.check()
    if done % EVERY == 0:
        room()


def write_frame(project: Project, index: int, image: np.ndarray) -> None:
    """The full frame last: where it is, the other is, too."""
    scale = DISPLAY / max(image.shape[:2])
    small = image
    if scale < 1:
        size = project.shown()
        small = cv2.resize(image, (size.display_width, size.display_height), interpolation=cv2.INTER_AREA)
    write_whole(project.frame_file(index, small=True), jpeg(small, SMALL_QUALITY))
    write_whole(project.frame_file(index), jpeg(image, QUALITY))


def _text(source: api.FrameSource) -> str | None:
    return None if source.fps is None else str(source.fps)
