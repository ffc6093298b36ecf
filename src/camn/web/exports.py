"""Files of a project's masks, to be downloaded; written whole into its folder exports/."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from camn import api
from camn.files import replacing, writing
from camn.masks import SegmentsWriter, encode_palette_png
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.record import Object
from camn.web.jobs import Work
from camn.web.schemas import Export, ExportKind

ENDS: dict[ExportKind, str] = {
    "masks": "masks.zip",
    "coco": "segments.json",
    "overlay": "overlay.mp4",
    "prores": "cutout.mov",
    "vp9": "cutout.webm",
}
FOLDER = "exports"


def chosen(project: Project, asked: Export) -> list[Object]:
    """The objects that an export shows. Raises Problem for one that there is not."""
    project.need_ready()
    if asked.objects is None:
        return list(project.record.objects)
    if unknown := sorted(set(asked.objects) - set(project.ids)):
        raise Problem("invalid", f"There is no object {unknown[0]}.")
    return [item for item in project.record.objects if item.id in asked.objects]


def file_name(project: Project, asked: Export) -> str:
    """What the download is called: plain ASCII, nothing that a shell or a header could take amiss."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", project.record.name).strip("-")[:60]
    return f"{name or 'video'}-{ENDS[asked.kind]}"


def exported(project: Project) -> Iterator[tuple[Path, Export]]:
    """What was exported before and is still there, oldest first, as far as it is known what was asked for."""
    kinds: dict[str, ExportKind] = {Path(end).suffix: kind for kind, end in ENDS.items()}
    files = [path for path in (project.folder / FOLDER).glob("*.*") if re.fullmatch(r"[0-9a-f]{12}", path.stem)]
    for path in sorted(files, key=lambda path: path.stat().st_mtime_ns):
        if path.suffix in kinds:
            yield path, Export(kind=kinds[path.suffix])


def export(project: Project, asked: Export, work: Work, most: int) -> Path:
    """Write the file; of former ones the newest are kept, `most` in all. Raises CamnError, Problem, Cancelled."""
    objects = chosen(project, asked)
    folder = project.folder / FOLDER
    with writing(folder):
        folder.mkdir(exist_ok=True)
        former = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for path in former[: max(0, len(former) - most + 1)]:
            path.unlink(missing_ok=True)
    path = folder / f"{work.id}{Path(ENDS[asked.kind]).suffix}"
    masks = _Masks(project, objects)
    if asked.kind == "masks":
        _write_zip(path, masks, work)
    elif asked.kind == "coco":
        _write_coco(path, masks, work, {item.id: item.name for item in objects})
    else:
        _write_movie(path, masks, work, asked, objects)
    return path


class _Masks:
    """Shown masks with some objects alone; empty where there is none."""

    def __init__(self, project: Project, objects: list[Object]):
        self.project = project
        self._keep = np.zeros(256, np.uint8)
        ids = [item.id for item in objects]
        self._keep[ids] = ids

    def at(self, index: int) -> np.ndarray:
        mask = self.project.shown_mask(index)
        return np.zeros(self.project.size, np.uint8) if mask is None else self._keep[mask]

    def all(self, work: Work) -> Iterator[tuple[int, np.ndarray]]:
        for index in range(self.project.count):
            yield index, self.at(index)
            work.tell(index + 1, self.project.count)


def _write_zip(path: Path, masks: _Masks, work: Work) -> None:
    with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as file:  # PNG is packed already
        for index, mask in masks.all(work):
            file.writestr(f"{index:06d}.png", encode_palette_png(mask))


def _write_coco(path: Path, masks: _Masks, work: Work, names: dict[int, str]) -> None:
    with replacing(path) as part:
        writer = SegmentsWriter(part, names)
        for index, mask in masks.all(work):
            writer.add(index, f"{index:06d}", mask)
        writer.close()


def _write_movie(path: Path, masks: _Masks, work: Work, asked: Export, objects: list[Object]) -> None:
    """From what was sent, not from the project's JPEG files: as good as it came."""
    project = masks.project
    assert asked.kind in ("overlay", "prores", "vp9")
    work.total = project.count
    api.write_movie(
        asked.kind,
        api.open_source(project.video()),
        masks.at,
        path,
        fps=project.fps,
        opacity=asked.opacity,
        colours={item.id: rgb(item.colour) for item in objects},
        count=project.count,
        progress=work.tell,
    )


def rgb(colour: str) -> tuple[int, int, int]:
    """#rrggbb -> red, green, blue."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue
