"""What is to be done: a manifest (CSV, JSONL, Parquet) with a line for each video, or a folder of a data set."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

from camn import api
from camn.api import SegmentOptions
from camn.cluster.jobs import VideoJob
from camn.cluster.places import beside, is_url, read_bytes
from camn.errors import ConfigError, DataError

OWN = "_batch"  # the folder in the output folder that is not a video's
_COLUMNS = ("name", "video", "masks", "keyframes", "options")
_OPTIONS = tuple(f.name for f in fields(SegmentOptions) if f.name != "overwrite")
_FLAGS = tuple(f.name for f in fields(SegmentOptions) if f.default in (True, False))


def read_jobs(path: str, split: str = "", resolution: str = "480p") -> tuple[VideoJob, ...]:
    """The videos of a manifest, or of a data set folder (see `camn.api.dataset_videos`; split, resolution: of it).

    A manifest's columns: `video`; `masks`, one or several; `name` of the outputs, else the video's; `keyframes`, frame
    numbers; options by their names, or as JSON in `options`. In CSV several masks are separated by `;`, several numbers
    by spaces. Relative paths start from the manifest's folder. Raises DataError that names every wrong line.
    """
    if not is_url(path) and Path(path).is_dir():
        jobs = [_of_dataset(video) for video in api.dataset_videos(path, split, resolution)]
    else:
        jobs = _of_lines(path, _read(path))
    if not jobs:
        raise DataError(f"{path}: names no video")
    _check_names(path, jobs)
    return tuple(jobs)


def _of_dataset(video: api.DatasetVideo) -> VideoJob:
    frames, masks = str(video.frames.resolve()), video.masks.resolve()
    return VideoJob(video.name, frames, (str(masks),), first_only=masks.is_dir())


def _read(path: str) -> list[Mapping[str, Any]]:
    suffix = PurePosixPath(path).suffix.lower()
    reader = _READERS.get(suffix)
    if reader is None:
        raise DataError(f"{path}: no manifest; give a {', '.join(_READERS)} file, or a data set's folder")
    try:
        return reader(read_bytes(path))
    except (ValueError, csv.Error, OSError) as error:
        raise DataError(f"{path}: cannot be read as {suffix[1:]} ({error})") from error


def _read_csv(data: bytes) -> list[Mapping[str, Any]]:
    rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True)
    return [{key: _cell(key, value) for key, value in row.items() if value} for row in rows]


def _cell(key: str | None, value: Any) -> Any:
    """A cell of CSV: paths and names are text, all else is JSON if it can be."""
    if key == "masks":
        return [part.strip() for part in value.split(";")]
    if key == "keyframes":
        return value.split()
    if key in ("name", "video"):
        return value
    try:
        return json.loads(value)
    except (ValueError, TypeError):
        return value.split() if key == "alpha" else value


def _read_jsonl(data: bytes) -> list[Mapping[str, Any]]:
    rows = [json.loads(line) for line in data.decode().splitlines() if line.strip()]
    if wrong := next((row for row in rows if not isinstance(row, dict)), None):
        raise ValueError(f"a line is no object: {wrong!r}")
    return rows


def _read_parquet(data: bytes) -> list[Mapping[str, Any]]:
    try:
        from pyarrow import parquet  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        wants = "pip install 'camn[cluster]', or write it as CSV or JSONL"
        raise DataError(f"a Parquet manifest needs pyarrow; {wants}") from error
    rows = parquet.read_table(io.BytesIO(data)).to_pylist()
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


_READERS: dict[str, Callable[[bytes], list[Mapping[str, Any]]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def _of_lines(path: str, rows: Sequence[Mapping[str, Any]]) -> list[VideoJob]:
    folder = path.rpartition("/")[0] if is_url(path) else str(Path(path).resolve().parent)
    jobs, problems = [], []
    for number, row in enumerate(rows, 1):
        try:
            jobs.append(_job(row, folder))
        except (ConfigError, ValueError, TypeError) as error:
            problems.append(f"video {number}: {error}")
    if problems:
        raise DataError(f"{path}: {len(problems)} of {len(rows)} videos are wrong:\n" + "\n".join(problems[:50]))
    return jobs


def _job(row: Mapping[str, Any], folder: str) -> VideoJob:
    """Raises ConfigError, ValueError or TypeError, which say what is wrong."""
    if unknown := [key for key in row if key not in (*_COLUMNS, *_OPTIONS)]:
        raise ConfigError(f"unknown column {unknown[0]!r}; there are {', '.join(_COLUMNS)}, and options' names")
    if lacking := [key for key in ("video", "masks") if not row.get(key)]:
        raise ConfigError(f"gives no {lacking[0]}")
    given = row.get("options") or {}
    given = json.loads(given) if isinstance(given, str) else given
    if unknown := [key for key in given if key not in _OPTIONS]:
        raise ConfigError(f"unknown option {unknown[0]!r}; the options are {', '.join(_OPTIONS)}")
    given = {**given, **{key: row[key] for key in row if key in _OPTIONS}}
    options: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    SegmentOptions(**options)
    if vague := [key for key in options if key in _FLAGS and not isinstance(options[key], bool)]:
        raise ConfigError(f"{vague[0]} is {options[vague[0]]!r}: it must be true or false")
    masks = [row["masks"]] if isinstance(row["masks"], str) else row["masks"]
    video = beside(folder, str(row["video"]))
    name = str(row.get("name") or PurePosixPath(video.rstrip("/")).stem)
    frames = _keyframes(row.get("keyframes") or ())
    return VideoJob(name, video, tuple(beside(folder, str(mask)) for mask in masks), options, frames)


def _keyframes(given: Sequence[Any]) -> tuple[int, ...]:
    frames = tuple(int(frame) for frame in given)
    if any(frame < 0 for frame in frames) or list(frames) != sorted(set(frames)):
        raise ConfigError(f"keyframes {' '.join(map(str, frames))}: need frame numbers from 0 on, each above the last")
    return frames


def _check_names(path: str, jobs: Sequence[VideoJob]) -> None:
    """Names are those of outputs: one each, and nothing that reaches elsewhere. Raises DataError."""
    names = [job.name for job in jobs]
    if bad := [name for name in names if name == OWN or "/" in name or name[:1] in ("", ".") or name.endswith(".json")]:
        raise DataError(f"{path}: {bad[0]!r} cannot name outputs: no / in it, no leading dot, no .json, not {OWN}")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        shown = ", ".join(twice[:5])
        raise DataError(f"{path}: outputs of several videos would be called {shown}; give a `name` for each of them")
