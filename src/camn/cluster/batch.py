"""A batch from its manifest to its summary."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from camn.api import SegmentOptions
from camn.cluster.engines import make_workers
from camn.cluster.folders import OutputFolder, open_folder
from camn.cluster.guards import alone, stopped_by_signals
from camn.cluster.log import Log, open_log
from camn.cluster.manifest import OWN, read_jobs
from camn.cluster.options import BatchOptions
from camn.cluster.places import is_url
from camn.cluster.plan import Plan, make_plan
from camn.cluster.pool import Event, Pool
from camn.cluster.records import write_record
from camn.cluster.tasks import Outcome
from camn.errors import CamnError, OutputError
from camn.files import to_json

PATIENCE = 20.0  # seconds without any worker, before that is told


@dataclass
class Tally:
    """How far a batch has come. done, frames: of this run, which began at `started` (monotonic) with `total` videos to
    do. skipped: videos that were there. failed: name -> reason, those that stand from former runs included. running:
    worker -> name and frames. ended: videos that were done or failed."""

    total: int = 0
    skipped: int = 0
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    frames: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    running: dict[int, tuple[str, int]] = field(default_factory=dict)
    ended: int = 0
    stopped: bool = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def frames_so_far(self) -> int:
        return self.frames + sum(frames for _, frames in self.running.values())

    @property
    def left(self) -> float | None:
        """Seconds left, once some videos have ended."""
        return (self.total - self.ended) * self.seconds / self.ended if self.ended else None


@dataclass(frozen=True)
class BatchSummary:
    """What a batch did. done: videos of this run; skipped: that were there already. failed: name -> reason. frames,
    seconds: of this run. stopped: whether by the user, before the end."""

    done: int
    skipped: int
    failed: dict[str, str]
    frames: int
    seconds: float
    stopped: bool

    def raise_failed(self) -> None:
        """Raises CamnError if a video failed."""
        if self.failed:
            videos = "1 video" if len(self.failed) == 1 else f"{len(self.failed)} videos"
            raise CamnError(f"{videos} failed; all others are done, a second run skips them")


def run_batch(
    jobs: str | Path,
    out: str | Path,
    options: SegmentOptions | None = None,
    batch: BatchOptions | None = None,
    *,
    show: Callable[[Tally], None] = lambda tally: None,
    notice: Callable[[str], None] = lambda note: None,
) -> BatchSummary:
    """Segment the videos of a manifest or a data set folder into OUT/NAME, each with its record OUT/NAME.json.

    Only what is missing or what changed is done. A video that fails does not stop the others. show: called as the work
    goes on. Writes OUT/_batch/summary.json and log.txt. A SIGTERM or SIGINT (in the main thread) ends it cleanly, with
    `stopped` in the summary. Raises CamnError for what concerns all videos: a manifest that is wrong, a model that is
    missing, an output folder that cannot be written or is another batch's at this time.
    """
    options, batch, out = options or SegmentOptions(), batch or BatchOptions(), str(out)
    out = out if is_url(out) else str(Path(out).resolve())
    found = read_jobs(str(jobs), batch.split, batch.resolution)
    folder = open_folder(out)
    with alone(out):
        options = _with_threads(options, batch)
        plan = make_plan(found, folder, options, batch.limit_bytes, batch.retry_failed)
        notice(_told(plan))
        tally = _tally(plan)
        if plan.tasks:
            pool = Pool(make_workers(batch, len(plan.tasks), options.device, notice), batch.retries)
            with open_log(folder, f"{OWN}/log.txt") as log:
                log(_told(plan))
                _run(pool, plan, folder, batch, tally, log, show, notice)
        summary = BatchSummary(
            tally.done, tally.skipped, tally.failed, tally.frames, round(tally.seconds, 3), tally.stopped
        )
        folder.write(f"{OWN}/summary.json", to_json(vars(summary)))
    return summary


def _run(
    pool: Pool,
    plan: Plan,
    folder: OutputFolder,
    batch: BatchOptions,
    tally: Tally,
    log: Log,
    show: Callable[[Tally], None],
    notice: Callable[[str], None],
) -> None:
    told = False
    with stopped_by_signals(pool), closing(pool.run(plan.tasks)) as events:
        for event in events:
            if event and event.outcome:
                tally.running.pop(event.worker, None)
                _log(event, event.outcome, log)
                if not event.again:
                    _take_in(event, event.outcome, folder, batch, tally)
            elif event and event.task:
                tally.running[event.worker] = (event.task.name, event.frames)
            if not told and not pool.ready and tally.seconds > PATIENCE:
                told = True
                notice(f"no machine has room for a worker of {batch.needs} yet: waiting (Ctrl-C stops)")
            show(tally)
    tally.running.clear()
    tally.stopped = tally.ended < tally.total
    show(tally)


def _take_in(event: Event, outcome: Outcome, folder: OutputFolder, batch: BatchOptions, tally: Tally) -> None:
    """An outcome for good, of a video or of a part of one."""
    task, part = event.task, outcome.name.startswith(".")
    assert task
    if outcome.status == "done" and not task.parts:
        tally.frames += outcome.frames
    if outcome.status != "done":
        with suppress(CamnError):  # the next run tries again
            folder.sweep(outcome.name)
    if part or outcome.status == "stopped":
        return
    tally.ended += 1
    if outcome.status == "done":
        tally.done += 1
        return
    tally.failed[outcome.name] = outcome.error
    try:
        write_record(folder, task, outcome, event.attempt, batch.limit_bytes)
    except OutputError as error:  # it is told at the end, and tried again by the next run
        tally.failed[outcome.name] += f" ({error})"


def _log(event: Event, outcome: Outcome, log: Log) -> None:
    by = outcome.worker or f"worker {event.worker}"
    how = f"{outcome.status}{', will be tried again' if event.again else ''}"
    log(f"{outcome.name}: {how}: attempt {event.attempt}, {by}, {outcome.frames} frames, {outcome.seconds:.1f} s")
    for line in (*filter(None, [outcome.error]), *outcome.log.splitlines()):
        log(f"    {line}")


def _tally(plan: Plan) -> Tally:
    failed = {outcome.name: outcome.error for outcome in plan.known if outcome.status == "failed"}
    done = sum(outcome.status == "done" for outcome in plan.known)
    return Tally(plan.videos - len(plan.known), done, failed=failed)


def _told(plan: Plan) -> str:
    failed = sum(outcome.status == "failed" for outcome in plan.known)
    parts = [f"{plan.videos} videos", f"{plan.videos - len(plan.known)} to do"]
    parts += [f"{len(plan.known) - failed} done before"] * (len(plan.known) > failed)
    parts += [f"{plan.changed} of them again, since they or their options changed"] * bool(plan.changed)
    parts += [f"{failed} failed before (--retry-failed tries them again)"] * bool(failed)
    return ", ".join(parts)


def _with_threads(options: SegmentOptions, batch: BatchOptions) -> SegmentOptions:
    return options if options.threads else dataclasses.replace(options, threads=batch.cpus_per_worker)
