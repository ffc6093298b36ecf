"""Frames of a project: each as two JPEG files, at full size and for display."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from camn.errors import OutputError
from camn.files import sync, write_whole, writing
from camn.projects.problem import Problem
from camn.projects.project import DISPLAY, Project

QUALITY, SMALL_QUALITY = 95, 85
_END = b"\xff\xd9"  # of each JPEG file


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


def is_there(project: Project, index: int) -> bool:
    """Whether a frame was written to its end: a loss of power may leave files that have their name and not all else."""
    return all(_is_whole(project.frame_file(index, small)) for small in (False, True))


def _is_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-len(_END), os.SEEK_END)
            return file.read() == _END
    except OSError:  # it is not there, or is empty
        return False


def settle(project: Project) -> None:
    """Bring all frames to the disk itself. Raises OutputError."""
    for folder in (project.frame_file(0, small).parent for small in (False, True)):
        with writing(folder):
            sync(*folder.glob("*.jpg"), folder)
    with writing(project.folder):
        sync(project.folder)


def write_frame(project: Project, index: int, image: np.ndarray) -> None:
    """The full frame last: where it is, the other is, too."""
    small = image
    if max(image.shape[:2]) > DISPLAY:
        height, width = project.display_size
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    write_whole(project.frame_file(index, small=True), jpeg(small, SMALL_QUALITY))
    write_whole(project.frame_file(index), jpeg(image, QUALITY))
