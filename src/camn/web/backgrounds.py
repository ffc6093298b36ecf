"""Pictures that a user sends, to lie behind cut-outs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from camn.errors import VideoError
from camn.files import writing
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.store import sent
from camn.web.answers import refused
from camn.web.file_names import image_suffix, is_film, readable
from camn.web.limits import Limits
from camn.web.uploads import probe

FOLDER = "backgrounds"
MOST = 5  # of a project; the oldest gives way


def take(project: Project, name: str, data: bytes, limits: Limits) -> str:
    """Keep a picture, if it can be read as a frame could -> what an export is told of it. Raises Problem,
    OutputError."""
    said, folder = f"picture-{hashlib.sha256(data).hexdigest()[:12]}", project.folder / FOLDER
    with writing(folder), sent(project, "picture", data) as file:
        folder.mkdir(exist_ok=True)
        picture = _checked(file, readable(name), limits)
        os.replace(picture, folder / f"{said}{picture.suffix}")
        for old in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)[:-MOST]:
            old.unlink(missing_ok=True)
    return said


def _checked(file: Path, name: str, limits: Limits) -> Path:
    """The file under a name that says what it is. Raises Problem."""
    suffix = image_suffix(file)
    try:
        if suffix is None or is_film(file):
            raise Problem("invalid", f"“{name}” is no picture, or holds several; choose a PNG or a JPEG.")
        picture = file.rename(file.with_suffix(suffix))
        next(iter(probe(picture.parent, limits)))  # damaged ones are found when they are decoded
    except VideoError as error:
        raise refused(error, *((file.with_suffix(end), f"“{name}”") for end in (suffix or "", ""))) from None
    return picture


def found(project: Project, said: str) -> str:
    """What `camn.api.export_masks` takes for it: a colour or "blur" as they are, a picture's path. Raises Problem."""
    if not said.startswith("picture-"):
        return said
    if path := next((project.folder / FOLDER).glob(f"{said}.*"), None):
        return str(path)
    raise Problem("conflict", "The picture that lies behind cut-outs is not here any more; choose it again.")
