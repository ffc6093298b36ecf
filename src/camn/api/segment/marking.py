"""Objects marked by clicks and boxes on one frame of a video: as a mask alone, or as one to follow them from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from camn.api.models.load import CLICKS, cpu_threads, load_marker, marker_sha256
from camn.api.out_of_memory import enough_memory
from camn.api.segment.spans import frame_at
from camn.errors import MaskError, OutputError
from camn.files import path_of, replacing, writing
from camn.inference import resolve_device
from camn.inference.marker import Marker
from camn.masks import Marks, write_palette_png
from camn.masks.picture_files import OVERLAY
from camn.media.opening import open_source
from camn.media.overlay import draw_overlay
from camn.media.source import Frame, FrameSource

DOUBTFUL = 0.7  # a mask with a lower score is to be looked at


@dataclass(frozen=True)
class Marked:
    """Objects on one frame. ids (H, W) uint8. scores: of each object the IoU with what was meant that its mask is
    thought to have, 0..1. areas: of each object, in pixels."""

    marks: Marks
    frame: Frame
    ids: np.ndarray
    scores: Mapping[int, float]
    areas: Mapping[int, int]

    def notes(self) -> tuple[str, ...]:
        """A sentence on each object."""
        return tuple(self._note(id) for id in self.scores)

    def _note(self, id: int) -> str:
        share = 100 * self.areas[id] / self.ids.size
        known = f"score {self.scores[id]:.2f}, {self.areas[id]} pixels, {share:.1f}% of frame {self.marks.at}"
        doubt = "; look at it: another click, or a box, may mend it (camn mark makes the mask alone)"
        return f"Object {id}, marked: {known}{doubt if self.scores[id] < DOUBTFUL else ''}."

    def as_dict(self) -> dict[str, object]:
        """For the run's record; JSON can hold it."""
        scores = {str(id): round(score, 4) for id, score in self.scores.items()}
        return {**self.marks.words(), "scores": scores, "network": {"name": CLICKS, "sha256": marker_sha256()}}


def mark_frame(source: FrameSource, marks: Marks, device: str | torch.device = "auto") -> Marked:
    """What `marks` say of a frame of the video, made into masks by the network for clicks.

    Its encoder is loaded for itself and run as it is, whatever follows the objects: so the same clicks make the same
    mask in all runs, and no backend is measured for the sizes of its close-ups. Raises MaskError for marks that lie
    outside of the frame or mark nothing, VideoError for a frame that is not there.
    """
    marks.check(source.size)
    marker = load_marker(device=device)  # before the frame, which of a camera is that of now
    return mark_picture(frame_at(source, marks.at), marks, marker, f"{source.place}: ")


def mark_picture(frame: Frame, marks: Marks, marker: Marker, where: str = "") -> Marked:
    """The same of a frame in memory. where: begins messages."""
    size = frame.image.shape[:2]
    marks.check(size)
    with enough_memory(size, len(marks.ids)):
        marker.look(frame.image)
        for _ in range(min(2, len(marks.ids))):  # what was clicked first is to know where the others are
            scores = {id: _ask(marker, marks, id) for id in marks.ids}
        ids = marker.ids
    areas = {id: int(np.count_nonzero(ids == id)) for id in scores}
    if nothing := [id for id, area in areas.items() if area == 0]:
        raise MaskError(
            f"{where}object {nothing[0]}: its clicks mark no pixel of frame {marks.at}, or none that is not "
            "another object's; click on its middle, or draw a box around it"
        )
    return Marked(marks, frame, ids, scores, areas)


def _ask(marker: Marker, marks: Marks, id: int) -> float:
    """Asks anew, for the box and one click after the other, each of which mends what was answered -> the score."""
    marker.forget(id)
    answer = marker.box(*marks.boxes[id], object=id) if id in marks.boxes else None
    for x, y, positive in sorted(marks.clicks.get(id, ()), key=lambda click: not click[2]):
        answer = marker.click(x, y, positive, object=id)
    assert answer is not None
    return answer.score


def mark(
    video: str | Path,
    marks: Marks,
    out: str | Path,
    *,
    overlay: bool = False,
    device: str = "auto",
    threads: int | None = None,
    picture_range: tuple[float, float] | None = None,
    overwrite: bool = False,
) -> tuple[Marked, tuple[Path, ...]]:
    """A mask of what is marked on an image, or on a frame of a video -> it and the files that were written.

    out: a palette PNG of ids, as `segment_video` takes. overlay: write OUT-overlay.png, too, the objects tinted over
    the frame. Files that are there are replaced with `overwrite` alone. Raises CamnError: VideoError, MaskError,
    OutputError, ConfigError; nothing is written then.
    """
    target = path_of(out, OutputError, "give that of the mask to write, a .png")
    files = (target, target.with_name(f"{target.stem}{OVERLAY}"))[: 2 if overlay else 1]
    source = open_source(video, picture_range=picture_range)
    _check_files(files, source.path, overwrite)
    with cpu_threads(threads):
        marked = mark_frame(source, marks, resolve_device(device))
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if overlay:
            part = stack.enter_context(replacing(files[1]))
            Image.fromarray(draw_overlay(marked.frame.image, marked.ids)).save(part)
        write_palette_png(target, marked.ids)
    return marked, files


def _check_files(files: tuple[Path, ...], video: Path | None, overwrite: bool) -> None:
    """Refuses, before any work is done, what should not be written. Raises OutputError."""
    if files[0].suffix.lower() != ".png":
        raise OutputError(f"{files[0]}: masks are written as PNG; give a name that ends in .png")
    for file in files:
        if video and video.resolve() in (file.resolve(), file.resolve().parent):
            raise OutputError(f"{file}: {video} is what is marked; give a name elsewhere")
        if file.is_dir():
            raise OutputError(f"{file}: is a folder; give the name of a file")
        if file.exists() and not overwrite:
            raise OutputError(f"{file}: is there already; give another name, or --overwrite to replace it")
