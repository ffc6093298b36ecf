"""A run that has come to its end, as its folder holds it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import camn
from camn.api.options import rate_of
from camn.api.segment.exporters.exporter import About
from camn.api.segment.outputs import RUN_RECORD, former_run
from camn.api.segment.record import objects_of
from camn.api.segment.spans import FirstSeconds
from camn.datasets.pairs import read_labels
from camn.datasets.videos import RunVideo
from camn.errors import ConfigError, DataError, VideoError, words_of
from camn.masks.sizes import in_words
from camn.media.folder_files import list_images
from camn.media.opening import open_source
from camn.media.patterns import Pattern
from camn.media.source import FrameSource

_PROJECT = "project.json"  # what a folder of the page holds


@dataclass(frozen=True)
class FinishedRun:
    """video: what was segmented. size: (H, W). fps: of the video. picture_range: that it was read with. objects: fields
    of `About` that speak of them. masks: a file for each frame, in order. partial: whether frames may be missing behind
    the last mask. stream: whether the video was one, whose frames come once. seconds: how many of it were segmented,
    where that was bounded. notes: what the user should know."""

    folder: Path
    video: Path
    size: tuple[int, int]
    fps: float
    picture_range: tuple[float, float] | None
    objects: Mapping[str, Any]
    masks: tuple[Path, ...]
    partial: bool
    stream: bool = False
    seconds: float | None = None
    notes: tuple[str, ...] = ()

    def mask(self, index: int) -> np.ndarray | None:
        """(H, W) uint8 ids; None behind the last one. Raises DataError."""
        if index >= len(self.masks):
            return None
        ids = read_labels(self.masks[index])
        if ids.shape != self.size:
            raise DataError(
                f"{self.masks[index]}: is {in_words(ids.shape)}, and the run's video {in_words(self.size)}; segment it "
                "again"
            )
        return ids

    def open_video(self, path: str | Path | None) -> FrameSource:
        """The frames of the masks. path: where the video is now; None: where it was. Raises VideoError, DataError."""
        where = Path(path or self.video)
        kept = RunVideo(self.video, self.stream)
        if path is None and self.stream:
            now = "say by --video where a recording of just these frames is"
            raise VideoError(kept.gone(f"choose exports that need its masks alone, or {now}"))
        if path is None and not os.path.exists(where) and Pattern.of(where) is None:
            now = "say by --video where it is now (video=... in Python)"
            raise VideoError(kept.gone(f"{now}, or choose exports that need its masks alone"))
        source = open_source(where, picture_range=self.picture_range)
        if self.seconds is not None:
            source = FirstSeconds(source, self.seconds, Fraction(self.fps).limit_denominator(1001))
        if source.size != self.size:
            raise self.other(where, f"its frames are {in_words(source.size)}, the run's {in_words(self.size)}")
        names = source.names
        if names is not None and len(names) != len(self.masks) and not (self.partial and len(names) > len(self.masks)):
            raise self.other(where, f"it has {len(names)} frames, the run {len(self.masks)}")
        if wrong := [name for name, mask in zip(names or (), self.masks) if name != mask.stem]:
            raise self.other(where, f"it has a frame {wrong[0]}, for which the run has no mask in its place")
        return source

    def other(self, video: Path | str, why: str) -> DataError:
        return DataError(
            f"{video}: is not the video of the run in {self.folder}: {why}; say by --video which one it is, or segment "
            "this one"
        )


def read_run(folder: Path, partial: bool = False) -> FinishedRun:
    """What `camn segment` wrote to a folder. partial: also of a run that came to no end, as far as it came. Raises
    DataError."""
    record = _record(folder)
    _need_end(folder, record, partial)
    try:
        found = FinishedRun(
            folder=folder,
            video=Path(record["video"]),
            size=(int(record["height"]), int(record["width"])),
            fps=float(record["fps"]),
            picture_range=_range(record["options"].get("picture_range")),
            objects=objects_of(record),
            masks=_masks(folder, None if partial else int(record["frames"])),
            partial=partial,
            stream="stream" in record,
            seconds=None if record.get("first_seconds") is None else float(record["first_seconds"]),
            notes=_version_notes(record),
        )
        About(found.size, rate_of(found.fps), **found.objects)  # refuses what no run has
        if record.get("span"):
            raise DataError(
                f"{folder}: holds a part of a video alone; segment the whole video, or name the exports when "
                "you segment the part (export=...)"
            )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, ConfigError) as error:
        raise DataError(
            f"{folder / RUN_RECORD}: lacks what an export needs ({words_of(error)}); {_made_by(record)}. "
            "Segment the video again"
        ) from error
    return found


def _range(said: Any) -> tuple[float, float] | None:
    if said is None:
        return None
    low, high = map(float, said)
    return low, high


def _record(folder: Path) -> Mapping[str, Any]:
    if (record := former_run(folder)) is not None:
        return record
    if (folder / _PROJECT).is_file():
        raise DataError(
            f"{folder}: is a project of camn serve, and no run; export on the page, or make a run of it: camn segment "
            f"--project {folder} --out FOLDER"
        )
    if not folder.is_dir():
        what = "a file, no folder" if folder.exists() else "no such folder"
        raise DataError(f"{folder}: {what}; give the one that camn segment wrote to")
    why = "its run.json is damaged or not of camn" if (folder / RUN_RECORD).exists() else "it has no run.json"
    raise DataError(f"{folder}: holds no run ({why}); give the folder that camn segment wrote to")


def _need_end(folder: Path, record: Mapping[str, Any], partial: bool) -> None:
    """Raises DataError."""
    status = record.get("status")
    if status == "done" or partial:
        return
    why = "it is at work, or was killed" if status == "running" else str(record.get("error") or "no reason is told")
    raise DataError(
        f"{folder}: this run did not come to its end ({why}); run it to its end (camn segment --resume goes on where "
        "it stopped), or export the frames that are there by --partial (partial=True in Python)"
    )


def _masks(folder: Path, count: int | None) -> tuple[Path, ...]:
    """Raises DataError where there are none, or not `count`."""
    where = folder / "masks"
    files = list_images(where) if where.is_dir() else []
    if not files:
        raise DataError(f"{where}: there are no masks to export; segment the video again")
    stems = [file.stem for file in files]
    numbered = all(len(stem) == 6 and stem.isascii() and stem.isdigit() for stem in stems)
    wanted = range(count or int(stems[-1]) + 1) if numbered and (count or stems[0] == "000000") else range(0)
    gone = [f"{index:06d}" for index in wanted if f"{index:06d}" not in set(stems)] if len(stems) < len(wanted) else []
    if gone or (count and count != len(files)):
        lacks = f" (such as {gone[0]})" if gone else ""
        mend = (
            "put the missing ones back"
            if gone or len(files) < (count or 0)
            else "take out those that are not the run's"
        )
        raise DataError(
            f"{where}: has {len(files)} masks for {count or len(wanted)} frames{lacks}; {mend}, or segment the video "
            "again"
        )
    return tuple(files)


def _version_notes(record: Mapping[str, Any]) -> tuple[str, ...]:
    if record.get("versions", {}).get("camn") == camn.__version__:
        return ()
    return (f"This run was {_made_by(record)}: its masks are taken as they are.",)


def _made_by(record: Mapping[str, Any]) -> str:
    versions = record.get("versions")
    version = versions.get("camn") if isinstance(versions, Mapping) else None
    return f"made by camn {version or 'of another version'}, and this is {camn.__version__}"
