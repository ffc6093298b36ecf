"""Segmenting the sequences of a data set by several processes, each of which loads the model once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing.connection import wait as wait_for
from typing import Any

import cv2
import torch

from camn.api.evaluate.sequences import Assignment, segment_sequence, together
from camn.api.models.load import load
from camn.api.options import Progress, Report
from camn.api.own_process import keep_freed_memory
from camn.datasets.sequence import VideoSequence
from camn.errors import CamnError
from camn.inference import AnySegmenter
from camn.speed.process import Speed

POLL = 0.25  # seconds between looks at how far the workers are


class _Stopped(Exception):
    """Another worker failed, or the user stopped the run."""


def segment_with_workers(job: Assignment, sequences: Sequence[VideoSequence], workers: int, progress: Report) -> Speed:
    """Masks of all sequences by so many processes; each has `job.threads` threads and takes whole sequences, so the
    masks are those of one process.

    Raises what a worker raises (see `segment_sequence`), and CamnError if one dies. As with every spawned process, a
    script that calls this needs `if __name__ == "__main__":`.
    """
    context = multiprocessing.get_context("spawn")  # a forked torch may hang, and cannot use CUDA
    done, stop = context.RawArray("q", len(sequences)), context.RawValue("b", 0)
    started = time.monotonic()
    order = sorted(range(len(sequences)), key=lambda k: -len(sequences[k]))  # the longest first: all end together
    with ProcessPoolExecutor(workers, context, _begin, (done, stop)) as pool:
        jobs: list[Future[Speed]] = []
        try:
            jobs = [pool.submit(_work, job, sequences[k], k) for k in order]
            _watch(jobs, done, sequences, started, progress)
        except BrokenProcessPool as error:
            running = [s.name for s, count in zip(sequences, done) if 0 < count < len(s)]
            raise CamnError(
                f"a worker process ended in the middle (at work: {', '.join(running) or 'nothing yet'}): killed, or "
                "out of memory; run it again with fewer --workers"
            ) from error
        finally:
            stop.value = 1
            pool.shutdown(wait=True, cancel_futures=True)
    return together([item.result() for item in jobs], time.monotonic() - started, workers)


def _watch(
    jobs: list[Future[Speed]], done: Any, sequences: Sequence[VideoSequence], started: float, progress: Report
) -> None:
    """Reports progress until all is done. Raises the first error of a worker."""
    total, pending, said = sum(map(len, sequences)), set(jobs), -1
    while pending:
        finished, pending = wait(pending, POLL, FIRST_COMPLETED)
        for item in finished:
            item.result()
        frames = sum(done)
        if frames != said:
            ended = len(jobs) - len(pending)
            note = f"{ended} of {len(jobs)} sequences"
            progress(Progress(frames, total, time.monotonic() - started, note))
            said = frames


# --- in the worker ---------------------------------------------------------------------------------------------------

_shared: tuple[Any, Any]  # frames done of each sequence, each written by one worker alone; whether to stop


def _begin(done: Any, stop: Any) -> None:
    global _shared
    _shared = done, stop
    keep_freed_memory()
    for name in ("SIGINT", "SIGHUP"):  # the terminal's are the parent's, who then says stop; Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _work(job: Assignment, sequence: VideoSequence, number: int) -> Speed:
    done, stop = _shared

    def count(frames: int) -> None:
        done[number] = frames
        if stop.value:
            raise _Stopped

    return segment_sequence(_segmenter(job), sequence, job, count)


@cache
def _segmenter(job: Assignment) -> AnySegmenter:
    """Loaded with the first sequence, so that what goes wrong is told as the error of a job."""
    torch.set_num_threads(job.threads)
    cv2.setNumThreads(job.threads)
    return load(job.models, job.device, setup=job.setup)
