"""The parts of a video, segmented apart, made into one run's outputs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camn.api.options import SegmentOptions
from camn.api.segment.export import about_video, named_frames, seen_frames, targets, write_exports
from camn.api.segment.exporters import exporters, nameless
from camn.api.segment.exporters.exporter import copying
from camn.api.segment.exporters.legend import write_legend
from camn.api.segment.folder import run_folder
from camn.api.segment.outputs import MARKED, RUN_RECORD, check_exports, ended_early, listed, spare_exports
from camn.api.segment.record import objects_of, recording
from camn.api.segment.run import Summary
from camn.datasets.pairs import read_labels
from camn.errors import ConfigError, DataError
from camn.media.folder_files import list_images
from camn.media.opening import open_source


def part_options(options: SegmentOptions) -> SegmentOptions:
    """With what to segment a part: what `join_parts` makes of all parts together is left out.

    Raises ConfigError for outputs that cannot be joined.
    """
    wanted = exporters(options.outputs())
    for name, one in wanted.items():
        if one.join is None and not one.remade:
            raise ConfigError(f"{name}: cannot be made of a video that is split at keyframes; {one.instead}")
    return options.with_outputs([name for name, one in wanted.items() if not one.remade])


def join_reads_video(options: SegmentOptions) -> bool:
    """Whether `join_parts` reads the video's frames."""
    return any(one.remade and one.needs == "frames" for one in exporters(options.outputs()).values())


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
    spare_exports(folder, options)
    with run_folder(folder) as made, recording(made, _about(records, options)) as record:
        for one in exporters(options.outputs()).values():
            if one.join:
                one.join([part / one.path for part in folders], made / one.path)
        if "marks" in record:
            copying("*.png")([part / MARKED for part in folders], made / MARKED)
        _remake(video, made, options, record)
    return Summary(
        folder=folder,
        frames=record["frames"],
        ids=tuple(record["ids"]),
        seconds=record["seconds"],
        stages=record["seconds_by_stage"],
        outputs=tuple(listed(folder, options, "marks" in record)),
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


def _remake(video: str | Path, folder: Path, options: SegmentOptions, record: Mapping[str, Any]) -> None:
    """The outputs that run through the whole video, of the masks that are there. Raises DataError where the video has
    not as many frames as there are masks."""
    files = list_images(folder / "masks")
    source = open_source(Path(video), picture_range=options.picture_range) if join_reads_video(options) else None
    size = record["height"], record["width"]

    def masks(index: int) -> np.ndarray | None:
        return read_labels(files[index]) if index < len(files) else None

    frames = seen_frames(source, masks) if source else named_frames((file.stem for file in files), masks, size)
    seen = 0

    def count(done: int) -> None:
        nonlocal seen
        seen = done

    known = objects_of(record) | {"background": options.export_background, "notice": record["notes"].append}
    about = about_video(size, source, options.rate(), **known)
    check_exports(options, about, about.ids, len(files))
    record["warnings"].extend(ended_early(options, len(files)))
    if nameless(options.export):
        write_legend(folder, about)
    outputs = targets(folder, options, remade=True)
    if not outputs:
        return
    write_exports(outputs, about, frames, count)
    if seen != len(files):
        raise DataError(
            f"{video}: {seen} frames were read now, {len(files)} when its parts were segmented, so that its outputs do "
            f"not fit its masks in {folder}; segment it anew, from a file that does not change"
        )
