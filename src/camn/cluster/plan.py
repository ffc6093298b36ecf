"""What there is to do: the videos of the jobs, less those whose outputs are there already."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from camn import api
from camn.api import SegmentOptions
from camn.cluster.folders import OutputFolder
from camn.cluster.places import is_url, stamp
from camn.cluster.records import make_key, read_record, what_changed
from camn.cluster.tasks import Outcome, Task, VideoJob
from camn.errors import CamnError, ConfigError, DataError

LOOKS = 16  # at so many videos at once: on a remote storage each look takes a while


@dataclass(frozen=True)
class Plan:
    """tasks: to do, a video's parts before it. videos: how many there are in all. known: outcomes of former runs that
    stand. changed: how many are done again because what they were made of changed."""

    tasks: tuple[Task, ...]
    videos: int
    known: tuple[Outcome, ...]
    changed: int


def make_plan(
    jobs: Sequence[VideoJob],
    folder: OutputFolder,
    options: SegmentOptions,
    limit: int | None = None,
    retry_failed: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Plan:
    """Looks at every video and its record; no video is opened. limit: of memory, in bytes; with another one, what
    failed is tried again. Raises CheckpointError for a model that is not there, DataError for a name that cannot be."""
    if is_url(folder.path) and (odd := [job.name for job in jobs if set("*?[") & set(job.name)]):
        raise DataError(f"{odd[0]!r} cannot name outputs behind a URL, for its * ? or [; give it another `name`")
    sha256 = cache(api.model_sha256)
    for file in {file for job in jobs for file in _options_of(job, options).files()}:
        sha256(file)  # what is wrong with it is told now
    clicks = api.marker_sha256() if any(job.marks for job in jobs) else ""

    def look(job: VideoJob) -> tuple[list[Task], Outcome | None, bool]:
        tasks = _tasks(job, folder.path, _options_of(job, options), sha256, clicks)
        record, changed = read_record(folder, job.name), False
        if record:
            changed, known = bool(what_changed(record, tasks[-1].key)), _outcome(job.name, record)
            if known.status == "failed":
                stands = known.final and not retry_failed and record.get("memory_limit") == limit
            else:
                stands = folder.has(job.name)
            if stands and not changed:
                return [], known, False
        return [task for task in tasks if task is tasks[-1] or not _stands(folder, task)], None, changed

    found, tasks = [], []
    with ThreadPoolExecutor(LOOKS) as pool:
        for done, (more, known, changed) in enumerate(pool.map(look, jobs), 1):
            tasks += more
            found.append((known, changed))
            progress(done)
    known = tuple(outcome for outcome, _ in found if outcome)
    return Plan(tuple(tasks), len(jobs), known, sum(changed for _, changed in found))


def _options_of(job: VideoJob, options: SegmentOptions) -> SegmentOptions:
    """Raises ConfigError for those of the job that do not go with the batch's, or lack what they belong to."""
    try:
        whole = dataclasses.replace(options, **job.options)
        whole.check_chosen()
        return whole
    except ConfigError as error:
        raise ConfigError(f"{job.name}: {error}") from error


def _tasks(job: VideoJob, out: str, options: SegmentOptions, sha256: Callable[[str], str], clicks: str) -> list[Task]:
    """The video as one task; or, where it is split, its parts and then their joining. clicks: SHA-256 of the network
    for clicks."""
    inputs = {path: stamp(path) for path in (job.video, *job.masks)}
    marks = job.marks.words() if job.marks else None

    def task(name: str, chosen: SegmentOptions, span: tuple[int, int | None] | None, parts: Sequence[str] = ()) -> Task:
        key = make_key(chosen, "+".join(map(sha256, options.files())), inputs, span)
        key |= {"keyframes": list(job.keyframes)} if parts else {}
        key["marks"] = marks and marks | {"network": clicks}
        given: dict[str, Any] = dataclasses.asdict(chosen)
        frames = span or (0, None)
        return Task(name, out, job.video, job.masks, given, key, frames, tuple(parts), job.first_only, marks)

    first = options.first_frame or 0  # keyframes bear the numbers of the masks' names
    if job.keyframes and job.keyframes[0] < first:
        raise ConfigError(f"{job.name}: keyframe {job.keyframes[0]} lies before the first frame, {first} (first_frame)")
    starts = sorted({0, *(frame - first for frame in job.keyframes)})
    if len(starts) == 1:
        return [task(job.name, options, None)]
    try:
        chosen = api.part_options(options)
    except CamnError as error:
        raise type(error)(f"{job.name}: {error}") from error
    spans = [*pairwise(starts), (starts[-1], None)]
    parts = [task(f"{parts_folder(job.name)}/{start:06d}", chosen, (start, stop)) for start, stop in spans]
    return [*parts, task(job.name, options, None, [part.name for part in parts])]


def parts_folder(name: str) -> str:
    """Where the parts of a video wait for each other."""
    return f".{name}.parts"


def _stands(folder: OutputFolder, task: Task) -> bool:
    """Whether a part is done already, of a run that ended before the video was."""
    record = read_record(folder, task.name)
    done = record is not None and record.get("status") == "done" and not what_changed(record, task.key)
    return done and folder.has(task.name)


def _outcome(name: str, record: dict[str, Any]) -> Outcome:
    done = record.get("status") == "done"
    error, final = str(record.get("error") or ""), bool(record.get("final"))
    frames, seconds = int(record.get("frames") or 0), float(record.get("seconds") or 0)
    return Outcome(name, "done" if done else "failed", error, final, frames, seconds)
