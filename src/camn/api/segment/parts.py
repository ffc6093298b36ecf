"""The parts of a video, segmented apart, made into one run's outputs."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from camn.api.options import SegmentOptions
from camn.api.segment.outputs import RUN_RECORD, ObjectsTable, listed, prepare_folder
from camn.api.segment.record import recording
from camn.api.segment.run import Summary
from camn.datasets.pairs import read_labels
from camn.errors import ConfigError, DataError
from camn.files import replacing, writing
from camn.masks import SegmentsWriter
from camn.media.image_folder import list_images
from camn.media.opening import open_source
from camn.media.overlay import OverlayWriter
from camn.media.source import prefetch


def part_options(options: SegmentOptions) -> SegmentOptions:
    """With what to segment a part: what `join_parts` makes of all parts together is left out.

    Raises ConfigError for outputs that cannot be joined.
    """
    if movies := [kind for kind in options.alpha if kind != "png"]:
        raise ConfigError(f"alpha {movies[0]}: cannot be made of a video that is split at keyframes; png can")
    return dataclasses.replace(options, overlay=False, json=False)


def join_parts(
    video: str | Path, parts: Sequence[str | Path], out: str | Path, options: SegmentOptions | None = None
) -> Summary:
    """One run's outputs in the folder `out`, of the folders that `segment_video` wrote with `part_options` for spans of
    the video which follow one another from its first frame on. Ids are the masks' own, so they fit.

    Raises DataError where a part is missing or does not follow the one before, VideoError, OutputError.
    """
    options, folder = options or SegmentOptions(), Path(out)
    folders = [Path(part) for part in parts]
    records = _records(folders)
    prepare_folder(folder)
    with recording(folder, _about(records, options)) as record:
        _copy_pictures(folders, folder)
        _join_tables([part / "objects.csv" for part in folders], folder / "objects.csv")
        _draw(video, folder, options)
    return Summary(
        folder=folder,
        frames=record["frames"],
        ids=tuple(record["ids"]),
        seconds=record["seconds"],
        stages=record["seconds_by_stage"],
        outputs=tuple(listed(folder, options)),
        notes=tuple(record["notes"]),
        warnings=tuple(record["warnings"]),
    )


def _records(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Of each part its run.json. Raises DataError."""
    records, frames = [], 0
    for folder in folders:
        try:
            record = json.loads((folder / RUN_RECORD).read_bytes())
        except (OSError, ValueError) as error:
            raise DataError(f"{folder}: no finished part of a video ({error}); segment it first") from error
        start, stop = record.get("span", [0, None])
        if start != frames or record["status"] != "done":
            raise DataError(f"{folder}: starts at frame {start}, the parts before it end at {frames}; segment it again")
        frames += record["frames"]
        if stop is not None and frames != stop:
            raise DataError(f"{folder}: the video ended at frame {frames}, and keyframes are given behind it")
        records.append(record)
    return records


def _about(records: Sequence[dict[str, Any]], options: SegmentOptions) -> dict[str, Any]:
    """What run.json says of all parts together. Seconds are those of all added up."""
    about = {key: value for key, value in records[0].items() if key != "span"}
    stages = [r["seconds_by_stage"] for r in records]
    frames, seconds = sum(r["frames"] for r in records), sum(r["seconds"] for r in records)
    return about | {
        "options": dataclasses.asdict(options),
        "ids": sorted({id for r in records for id in r["ids"]}),
        "annotated_frames": sorted(index for r in records for index in r["annotated_frames"]),
        "notes": list(dict.fromkeys(note for r in records for note in r["notes"])),
        "warnings": list(dict.fromkeys(warning for r in records for warning in r["warnings"])),
        "keyframes": [r.get("span", [0])[0] for r in records],
        "frames": frames,
        "seconds": round(seconds, 3),
        "frames_per_second": round(frames / seconds, 3),
        "seconds_by_stage": {name: round(sum(times[name] for times in stages), 3) for name in stages[0]},
    }


def _copy_pictures(folders: Sequence[Path], folder: Path) -> None:
    with writing(folder):
        for part in folders:
            for file in [*part.glob("masks/*.png"), *part.glob("alpha/*/*.png")]:
                target = folder / file.relative_to(part)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


def _join_tables(tables: Sequence[Path], target: Path) -> None:
    with replacing(target) as made, made.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(ObjectsTable.COLUMNS)
        for table in tables:
            with table.open(newline="", encoding="utf-8") as lines:
                rows.writerows(list(csv.reader(lines))[1:])


def _draw(video: str | Path, folder: Path, options: SegmentOptions) -> None:
    """The outputs that run through the whole video, of the masks that are there."""
    files = list_images(folder / "masks")
    with ExitStack() as stack:
        if options.json:
            segments = stack.enter_context(SegmentsWriter(folder / "segments.json"))
            for index, file in enumerate(files):
                segments.add(index, file.stem, read_labels(file))
        if options.overlay:
            source = open_source(video)
            fps = source.fps or options.rate()
            overlay = stack.enter_context(OverlayWriter(folder / "overlay.mp4", source.size, fps, source.time_base))
            for frame in stack.enter_context(closing(prefetch(source))):
                overlay.write(frame, read_labels(folder / "masks" / f"{frame.name}.png"))
