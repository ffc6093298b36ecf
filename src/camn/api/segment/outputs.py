"""The output folder of a run: what is written there, and what of a former run makes way."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from camn.api.options import SegmentOptions
from camn.errors import OutputError
from camn.files import leftovers, replacing, writing
from camn.inference import Result
from camn.masks import SegmentsWriter
from camn.media.alpha import AlphaWriter
from camn.media.outputs import MaskWriter, prepare_output
from camn.media.overlay import OverlayWriter
from camn.media.source import Frame, FrameSource

RUN_RECORD = "run.json"
# Everything that a run can have written into its folder.
_PATTERNS = (
    "masks/*.png",
    "alpha/*/*.png",
    "alpha/*.mov",
    "alpha/*.webm",
    "overlay.mp4",
    "segments.json",
    "objects.csv",
    RUN_RECORD,
)
_LEFT = tuple(map(leftovers, _PATTERNS))  # what a run that was killed did not end


class ObjectsTable:
    """objects.csv: a line for each object and frame: frame, name, id, area in pixels, confidence 0..1, lost 0 or 1."""

    COLUMNS = ("frame", "name", "id", "area", "confidence", "lost")

    def __init__(self, path: Path):
        self._stack = ExitStack()
        part = self._stack.enter_context(replacing(path))
        with writing(path):
            self._file = self._stack.enter_context(part.open("w", newline="", encoding="utf-8"))
        self._path, self._rows = path, csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(self.COLUMNS)

    def write(self, frame: Frame, result: Result) -> None:
        areas = np.bincount(result.ids.ravel(), minlength=256)
        with writing(self._path):
            for id, confidence in result.confidence.items():
                line = (frame.index, frame.name, id, areas[id], f"{confidence:.4f}", int(id in result.lost))
                self._rows.writerow(line)

    def __enter__(self) -> ObjectsTable:
        return self

    def __exit__(self, *_: object) -> None:
        # Also after an error elsewhere: what was written is true. The file itself fails by its own error.
        self._stack.__exit__(None, None, None)


class Outputs:
    """All outputs of a run that come frame by frame. Leaving the `with` block ends every file, also after an error."""

    def __init__(self, folder: Path, source: FrameSource, options: SegmentOptions, names: Mapping[int, str] | None):
        self._stack = ExitStack()
        fps, tick = source.fps or options.rate(), source.time_base
        enter = self._stack.enter_context
        with ExitStack() as undo:  # an error while opening ends those opened so far
            undo.push(self._stack)
            self.masks = MaskWriter(folder / "masks")
            self.table = enter(ObjectsTable(folder / "objects.csv"))
            self.segments = enter(SegmentsWriter(folder / "segments.json", names)) if options.json else None
            video = folder / "overlay.mp4"
            self.overlay = enter(OverlayWriter(video, source.size, fps, tick)) if options.overlay else None
            kinds = dict.fromkeys(options.alpha)
            self.alpha = [enter(AlphaWriter(folder / "alpha", kind, source.size, fps, tick)) for kind in kinds]
            undo.pop_all()

    def write(self, frame: Frame, result: Result | None) -> None:
        """One frame; without a result there is no object yet, and its mask is empty."""
        ids = np.zeros(frame.image.shape[:2], np.uint8) if result is None else result.ids
        self.masks.write(frame.name, ids)
        if self.overlay:
            self.overlay.write(frame, ids)
        if self.segments:
            self.segments.add(frame.index, frame.name, ids)
        if result:
            self.table.write(frame, result)
        if self.alpha:
            known = result.confidence if result else ()
            probabilities = {id: result.probability(id) for id in known} if result else {}
            for writer in self.alpha:
                writer.write(frame, probabilities)

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def check_output(folder: Path, video: Path, masks: Sequence[Path], overwrite: bool) -> None:
    """Refuse, before anything is written, a folder that the run should not write to. Raises OutputError.

    video, masks: what is read; outputs must not take its place."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; give a folder to write to")
    if video.resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"{folder}: holds the video {video}, and outputs could replace it; give another folder")
    for mask in masks:
        own = mask.resolve()
        if any(own.is_relative_to((folder / name).resolve()) for name in ("masks", "alpha", "segments.json")):
            raise OutputError(f"{folder}: holds the masks {mask}, and outputs would replace them; give another folder")
    if overwrite or not folder.exists() or _former(folder):
        return
    with writing(folder):
        if any(folder.iterdir()):
            raise OutputError(
                f"{folder}: is not empty, and not of a former run of camn; give another folder, or --overwrite to "
                "write among what is there"
            )


def prepare_folder(folder: Path) -> Path:
    """Make the folder, or clear it of a former run's outputs; other files stay. Raises OutputError."""
    prepare_output(folder)
    if _former(folder):
        with writing(folder):
            for path in {path for pattern in (*_PATTERNS, *_LEFT) for path in folder.glob(pattern)}:
                path.unlink()
            for path in [*folder.glob("alpha/*"), folder / "alpha", folder / "masks"]:
                with suppress(OSError):  # holds something else, or is none
                    path.rmdir()
    return folder


def _former(folder: Path) -> Mapping[str, Any] | None:
    """The record of a former run, if there is one."""
    try:
        record = json.loads((folder / RUN_RECORD).read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("program") == "camn" else None


def listed(folder: Path, options: SegmentOptions) -> Sequence[Path]:
    """What a run leaves in its folder, to be shown."""
    names = ["masks", *(["overlay.mp4"] if options.overlay else []), *(["segments.json"] if options.json else [])]
    return [folder / name for name in (*names, *(["alpha"] if options.alpha else []), "objects.csv", RUN_RECORD)]
