"""Files of a project's masks, to be downloaded; written whole into its folder exports/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from camn import api
from camn.files import writing
from camn.masks.colours import from_hex
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.record import Object
from camn.web.backgrounds import found as found_background
from camn.web.schemas import Export, ExportOffer
from camn.web.work import Work

FOLDER = "exports"
KINDS = api.page_exports()
_NAME = re.compile(r"([0-9a-f]{12})(?:-(.+))?")  # of a file: its job's id and what it is, older ones without
_SUFFIX = re.compile(r"\.[a-zA-Z0-9]{2,4}$")  # of a video's file, after which a project is called at first


def offers() -> list[ExportOffer]:
    return [
        ExportOffer(kind=kind, title=one.title, form=one.form, wishes=list(one.wishes)) for kind, one in KINDS.items()
    ]


def chosen(project: Project, asked: Export) -> list[Object]:
    """The objects that an export shows. Raises Problem for one, a frame, or a picture behind, that there is not."""
    project.need_ready()
    found_background(project, asked.background)
    if asked.frames and asked.frames[0] > asked.frames[1]:
        raise Problem("invalid", "The last frame of an export lies before its first one.")
    for index in asked.frames or ():
        project.need_frame(index)
    if asked.objects is None:
        return list(project.record.objects)
    if unknown := sorted(set(asked.objects) - set(project.ids)):
        raise Problem("invalid", f"There is no object {unknown[0]}.")
    return [item for item in project.record.objects if item.id in asked.objects]


def need_masks(project: Project, objects: list[Object], frames: tuple[int, int] | None) -> None:
    """Raises Problem where no frame has a mask of any of them. The first frame that may have one is mostly enough."""
    masks, ids = project.masks, [item.id for item in objects]
    first, last = frames or (0, project.count)
    for index in sorted(index for index in {*list(masks.given), *list(masks.predicted)} if first <= index <= last):
        confidence, lost = masks.known(index, ids)
        if confidence.keys() - lost and _shows(project, index, ids):
            return
    if frames:
        raise Problem("conflict", "There is no mask of an object to export on these frames; choose others.")
    raise Problem("conflict", "There is no mask of an object to export yet; mark one on a frame first.")


def _shows(project: Project, index: int, ids: list[int]) -> bool:
    shown = project.shown_mask(index)
    return shown is not None and bool(np.isin(shown, ids).any())


def file_name(project: Project, asked: Export) -> str:
    """What the download is called: plain ASCII, nothing that a shell or a header could take amiss."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", _SUFFIX.sub("", project.record.name)).strip("-")[:60]
    return f"{name or 'video'}-{KINDS[asked.kind].file}"


def exported(project: Project) -> Iterator[tuple[str, Path, Export]]:
    """What was exported before and is still there, oldest first, as far as it is known what was asked for: the job's
    id, the file, and what it shows."""
    of_suffix = {Path(one.file).suffix: kind for kind, one in reversed(KINDS.items())}
    files = [(path, found) for path in (project.folder / FOLDER).glob("*.*") if (found := _NAME.fullmatch(path.stem))]
    for path, found in sorted(files, key=lambda file: file[0].stat().st_mtime_ns):
        kind = found[2] or of_suffix.get(path.suffix)
        if kind in KINDS:
            yield found[1], path, Export(kind=kind)


def export(project: Project, asked: Export, work: Work, most: int) -> Path:
    """Write the file; of former ones the newest are kept, `most` in all. Raises CamnError, Problem, Cancelled."""
    objects = chosen(project, asked)
    folder = project.folder / FOLDER
    with writing(folder):
        folder.mkdir(exist_ok=True)
        former = sorted(filter(Path.is_file, folder.iterdir()), key=lambda path: path.stat().st_mtime_ns)
        for path in former[: max(0, len(former) - most + 1)]:
            path.unlink(missing_ok=True)
    one = KINDS[asked.kind]
    path = folder / f"{work.id}-{asked.kind}{Path(one.file).suffix}"
    work.known = ((Path(path.name), f"“{file_name(project, asked)}”"), *work.known)
    work.total = project.count if asked.frames is None else asked.frames[1] - asked.frames[0] + 1
    wishes = {"opacity": asked.opacity, "background": found_background(project, asked.background)}
    api.export_masks(
        asked.kind,
        project.shown_mask,
        path,
        size=project.size,
        count=project.count,
        # What was sent, not the project's JPEG files: as good as it came.
        source=api.open_source(project.video()) if one.needs == "frames" else None,
        fps=project.fps,
        video=_SUFFIX.sub("", project.record.name),
        ids=project.ids,
        names={item.id: item.name for item in project.record.objects},
        colours={item.id: rgb(item.colour) for item in project.record.objects},
        **{wish: value for wish, value in wishes.items() if wish in one.wishes},
        objects=[item.id for item in objects],
        frames=asked.frames,
        progress=work.tell,
        notice=work.notes.append,
    )
    return path


def rgb(colour: str) -> tuple[int, int, int]:
    """#rrggbb -> red, green, blue."""
    red, green, blue = from_hex(colour)
    return red, green, blue
