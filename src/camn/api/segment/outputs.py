"""What a run writes into its output folder, and where it may."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from camn.api.options import STANDING, SegmentOptions
from camn.api.segment.export import opened, targets
from camn.api.segment.exporters import exporters, nameless
from camn.api.segment.exporters.exporter import LEGEND, About, Shown
from camn.api.segment.exporters.legend import write_legend
from camn.datasets.videos import RUN_RECORD
from camn.errors import OutputError
from camn.files import LOCK, leftovers, writing
from camn.inference import Result
from camn.media.source import Frame

MARKED = "marked"  # the folder with the mask that was made of clicks
HIDDEN = ".camn-"  # how the names of folders begin in which a run keeps what is to take another's place
KEPT = f"{HIDDEN}kept"  # what a run keeps to be taken up again, see `camn.api.segment.kept`


class Outputs:
    """All outputs of a run that come frame by frame. Leaving the `with` block ends every file, also after an error."""

    def __init__(self, folder: Path, options: SegmentOptions, about: About):
        if nameless(options.export):
            write_legend(folder, about)
        self._stack = ExitStack()
        self._write = self._stack.enter_context(opened(targets(folder, options), about))

    def write(self, frame: Frame, result: Result | None) -> Shown:
        """One frame; without a result there is no object yet, and its mask is empty. -> what all exports were shown."""
        ids = np.zeros(frame.image.shape[:2], np.uint8) if result is None else result.ids
        shown = Shown(frame.index, frame.name, ids, frame, result)
        self._write(shown)
        return shown

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def check_exports(options: SegmentOptions, about: About, ids: Collection[int], count: int | None) -> None:
    """Refuse, before anything is written, what cannot be made of a video with these objects and so many frames. Raises
    ConfigError, and what `Exporter.check` raises."""
    options.check_chosen()
    options.choice().check(ids, count)
    for target in targets(Path(), options):
        target.exporter.check(target.choice.about(about))


def ended_early(options: SegmentOptions, frames: int) -> list[str]:
    """A warning, if the video has not all the frames that exports were to show. frames: that it has."""
    first, last = options.choice().first, options.choice().last
    if last is None or last < frames:
        return []
    none = ", so they show none" if first >= frames else ""
    return [f"outputs of export were to show frames up to {last}, but the video ended at frame {frames - 1}{none}"]


def check_output(folder: Path, video: Path | None, masks: Sequence[Path], overwrite: bool) -> None:
    """Refuse, before anything is written, a folder that the run should not write to. Raises OutputError.

    video, masks: what is read, None of a stream; outputs must not take its place."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; give a folder to write to")
    whole = _real(folder)
    if video and _real(video).is_relative_to(whole):
        raise OutputError(f"{folder}: holds the video {video}, and outputs could replace it; give another folder")
    for mask in masks:
        if any(_real(mask).is_relative_to(_real(folder / path)) for path in _rooms()):
            raise OutputError(f"{folder}: holds the masks {mask}, and outputs would replace them; give another folder")
    need_no_room(folder)
    if overwrite or not folder.exists() or former_run(folder) or any(folder.glob(f"{HIDDEN}*")):
        return
    with writing(folder):
        if any(path.name != LOCK for path in folder.iterdir()):
            raise OutputError(
                f"{folder}: is not empty, and not of a former run of camn; give another folder, or --overwrite to "
                "write among what is there"
            )


def spare_exports(folder: Path, options: SegmentOptions) -> None:
    """Refuse, before anything is written, a folder with exports of a run that has ended, asked for then or made later,
    that this one does not write: they would go with that run's masks. Raises OutputError."""
    if options.overwrite or (former_run(folder) or {}).get("status") != "done":
        return
    written = {*STANDING, *options.outputs()}
    others = [one for name, one in exporters().items() if name not in written]
    if lost := [one.path for one in others if any(next(folder.glob(each), None) for each in one.patterns)]:
        raise OutputError(
            f"{folder}: holds {', '.join(dict.fromkeys(lost))} of the run before, which this one would remove and not "
            "write again; name the same exports (--export, --alpha), give another folder, or --overwrite to let them go"
        )


def need_no_room(folder: Path) -> None:
    """Raises OutputError for a folder in which a run keeps some of its outputs."""
    whole = _real(folder)
    for above in whole.parents:
        if former_run(above) and any(whole.is_relative_to(above / path) for path in _rooms()):
            raise OutputError(f"{folder}: is where the run in {above} keeps its results; give another folder")


def _rooms() -> list[str]:
    """Files and folders that hold outputs, below the folder of a run."""
    return [MARKED, LEGEND, *(one.path for one in exporters().values())]


def _real(path: Path) -> Path:
    """Without links; of links that lead nowhere as far as they go."""
    return Path(os.path.realpath(path))


def patterns() -> list[str]:
    """Of everything that a run can have written into its folder, also of what one that was killed did not end."""
    whole = [
        RUN_RECORD,
        LEGEND,
        f"{MARKED}/*.png",
        *(pattern for one in exporters().values() for pattern in one.patterns),
    ]
    return [*whole, *map(leftovers, whole)]


def former_run(folder: Path) -> Mapping[str, Any] | None:
    """The record of a former run, if there is one."""
    try:
        record = json.loads((folder / RUN_RECORD).read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("program") == "camn" else None


def listed(folder: Path, options: SegmentOptions, marked: bool = False) -> Sequence[Path]:
    """What a run leaves in its folder, to be shown. marked: whether it began from clicks."""
    paths = [one.path for one in exporters(options.outputs()).values()]
    beside = [LEGEND] * nameless(options.export)
    every = [folder / path for path in dict.fromkeys((*[MARKED] * marked, *paths, *beside, RUN_RECORD))]
    return [path for path in every if path.exists()]  # of a movie that shows no frame there is none
