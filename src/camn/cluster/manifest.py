"""What is to be done: a manifest (CSV, JSONL, Parquet) with a line for each video, or a folder of a data set."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from camn import api
from camn.cluster.places import beside, is_url, name_of, plain, read_bytes
from camn.cluster.tables import columns, read_csv
from camn.cluster.tasks import VideoJob
from camn.cluster.values import OPTIONS, check_options, of_text, whole_number
from camn.errors import ConfigError, DataError, MaskError
from camn.files import text_of
from camn.masks import Marks

OWN = "_batch"  # the folder in the output folder that is not a video's
_MARKS = ("click", "negative", "box")  # see `camn.masks.Marks.read`
_COLUMNS = ("name", "video", "masks", *_MARKS, "at", "keyframes", "options")
_KNOWN = (*_COLUMNS, *OPTIONS)


def read_jobs(path: str, split: str = "", resolution: str = "480p") -> tuple[VideoJob, ...]:
    """The videos of a manifest, or of a data set folder (see `camn.api.dataset_videos`; split, resolution: of it).

    A manifest's columns: `video`; `masks`, one or several; or in place of them, or beside them, `click`, `negative` and
    `box`, one or several each, on the frame `at`; `name` of the outputs, else the video's; `keyframes`, frame numbers,
    from 0 or `first_frame`; options by their names, or as JSON in `options`. In CSV cells are separated by commas,
    semicolons or tabs, several masks in a cell by `;`, several clicks, boxes or numbers by spaces. Relative paths start
    from the manifest's folder. Raises DataError that names every wrong line.
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
    suffix = PurePosixPath(plain(path)).suffix.lower()
    reader = _READERS.get(suffix)
    if reader is None:
        raise DataError(f"{path}: no manifest; give a {', '.join(_READERS)} file, or a data set's folder")
    try:
        return reader(read_bytes(path))
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read as {suffix[1:]} ({error})") from error


def _read_csv(data: bytes) -> list[Mapping[str, Any]]:
    return [{name: _cell(name, cell) for name, cell in row.items()} for row in read_csv(data, _KNOWN)]


def _cell(name: str, cell: str) -> Any:
    if name == "masks":
        return [part.strip() for part in cell.split(";") if part.strip()]
    return of_text(name, cell) if name in OPTIONS else cell


def _read_jsonl(data: bytes) -> list[Mapping[str, Any]]:
    rows = []
    for number, line in enumerate(text_of(data).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_object)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is no object: {line.strip()[:80]}")
        rows.append(row)
    return rows


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if twice := [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]:
        raise ValueError(f"{twice[0]!r} is given twice; leave one")
    return dict(pairs)


def _read_parquet(data: bytes) -> list[Mapping[str, Any]]:
    try:
        from pyarrow import parquet  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        wants = "pip install 'camn[cluster]', or write it as CSV or JSONL"
        raise DataError(f"a Parquet manifest needs pyarrow; {wants}") from error
    return [_given(row) for row in parquet.read_table(io.BytesIO(data)).to_pylist()]


def _given(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row gives: a table has an empty cell for all else, also in its structs."""
    cells = {key: value for key, value in row.items() if value is not None}
    return {key: _given(value) if isinstance(value, dict) else value for key, value in cells.items()}


_READERS: dict[str, Callable[[bytes], list[Mapping[str, Any]]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
    ".tsv": _read_csv,
}


def _of_lines(path: str, rows: Sequence[Mapping[str, Any]]) -> list[VideoJob]:
    folder = path.rpartition("/")[0] if is_url(path) else str(Path(path).resolve().parent)
    jobs, problems = [], []
    for number, row in enumerate(rows, 1):
        try:
            jobs.append(_job(columns(row), folder))
        except (ConfigError, MaskError, ValueError, TypeError) as error:
            problems.append(f"video {number}: {error}")
    if problems:
        raise DataError(f"{path}: {len(problems)} of {len(rows)} videos are wrong:\n" + "\n".join(problems[:50]))
    return jobs


def _job(row: Mapping[str, Any], folder: str) -> VideoJob:
    """Raises ConfigError, ValueError or TypeError, which say what is wrong."""
    if unknown := [key for key in row if key not in _KNOWN]:
        meant = "".join(f" (is it {name}?)" for name in get_close_matches(unknown[0], _KNOWN, 1))
        raise ConfigError(f"unknown column {unknown[0]!r}{meant}; there are {', '.join(_COLUMNS)}, and options' names")
    marks = _marks(row)
    if lacking := [key for key in ("video", "masks") if not row.get(key) and (key == "video" or marks is None)]:
        raise ConfigError(f"gives no {lacking[0]}{', click or box' if lacking[0] == 'masks' else ''}")
    given = row.get("options") or {}
    given = json.loads(given) if isinstance(given, str) else given
    if not isinstance(given, dict):
        raise ConfigError(f"options is {given!r}: it must be an object of options and their values")
    options = check_options({**given, **{key: row[key] for key in row if key in OPTIONS}})
    options |= _placed(options, folder)
    masks = row.get("masks") or []
    masks = [masks] if isinstance(masks, str) else masks
    if not isinstance(masks, list) or not all(isinstance(mask, str) and mask for mask in masks):
        raise ConfigError(f"masks is {masks!r}: it must be a path or URL, or a list of them")
    video = beside(folder, str(row["video"]))
    name = str(row.get("name") or name_of(video))
    frames = _keyframes(row.get("keyframes") or ())
    if any(frames) and not masks:
        raise ConfigError("keyframes are frames with a mask each, and clicks are on one frame alone: leave one out")
    return VideoJob(name, video, tuple(beside(folder, mask) for mask in masks), options, frames, marks=marks)


def _placed(options: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Of the options those that name files, which lie beside the manifest."""

    def place(file: str) -> str:
        return beside(folder, file) if file.endswith(".safetensors") else file

    placed: dict[str, Any] = {"join": place(options["join"])} if "join" in options else {}
    if "model" in options:
        placed["model"] = tuple(map(place, options["model"]))
    behind = options.get("export_background")
    if behind and behind != "blur" and not behind.startswith("#"):
        placed["export_background"] = beside(folder, behind)
    return placed


def _marks(row: Mapping[str, Any]) -> Marks | None:
    """None where a row has none. Raises MaskError, ConfigError."""
    given: dict[str, Any] = {key: row[key] for key in _MARKS if row.get(key)}
    at = row.get("at")
    if not given:
        if at is not None:
            raise ConfigError("at is the frame of clicks and boxes; give a click or box, too, or leave it out")
        return None
    for key, words in given.items():
        given[key] = words.split() if isinstance(words, str) else words
        if not isinstance(given[key], list):
            raise ConfigError(f"{key} is {words!r}: it must be a text, such as 1:420,260, or a list of such")
    try:
        return Marks.read(**given, at=0 if at is None else whole_number(at))
    except TypeError:
        raise ConfigError(f"at is {at!r}: it must be the number of a frame, 0 is the first") from None


def _keyframes(given: Any) -> tuple[int, ...]:
    frames = given.split() if isinstance(given, str) else given
    try:
        numbers = tuple(int(frame) for frame in frames)
    except (TypeError, ValueError, OverflowError):
        numbers = (-1,)
    if any(frame < 0 for frame in numbers) or list(numbers) != sorted(set(numbers)):
        raise ConfigError(f"keyframes is {given!r}: need frame numbers from 0 on, each above the last")
    return numbers


def _check_names(path: str, jobs: Sequence[VideoJob]) -> None:
    """Names are those of outputs: one each, and nothing that reaches elsewhere. Raises DataError."""
    names = [job.name for job in jobs]
    if bad := [name for name in names if name == OWN or "/" in name or name[:1] in ("", ".") or name.endswith(".json")]:
        raise DataError(f"{path}: {bad[0]!r} cannot name outputs: no / in it, no leading dot, no .json, not {OWN}")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        shown = ", ".join(twice[:5])
        raise DataError(f"{path}: outputs of several videos would be called {shown}; give a `name` for each of them")
