"""Segmenting the sequences of a data set, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camn.api.models.load import cpu_threads
from camn.api.options import Progress, Report, Setup
from camn.api.out_of_memory import enough_memory
from camn.datasets.sequence import VideoSequence
from camn.errors import AnswerError, DataError, MaskError, VideoError
from camn.evaluation.protocol import Protocol
from camn.inference import AnySegmenter
from camn.media.outputs import MaskWriter, WriterThread
from camn.media.source import prefetch
from camn.speed.process import Speed, peak_memory


@dataclass(frozen=True)
class Assignment:
    """What is the same for all sequences. threads: of the CPU, for each worker. folder: masks go to FOLDER/SEQUENCE."""

    models: tuple[str, ...]
    device: str
    setup: Setup
    protocol: Protocol
    folder: Path
    threads: int


def segment_here(
    segmenter: AnySegmenter, job: Assignment, sequences: Sequence[VideoSequence], progress: Report
) -> Speed:
    """Masks of all sequences, by this process. Raises as `segment_sequence` does."""
    total, started = sum(map(len, sequences)), time.monotonic()
    speeds: list[Speed] = []
    with cpu_threads(job.threads):
        for sequence in sequences:
            before = sum(speed.frames for speed in speeds)

            def count(done: int, name: str = sequence.name, before: int = before) -> None:
                progress(Progress(before + done, total, time.monotonic() - started, name))

            speeds.append(segment_sequence(segmenter, sequence, job, count))
    return together(speeds, time.monotonic() - started, 1)


def segment_sequence(
    segmenter: AnySegmenter, sequence: VideoSequence, job: Assignment, count: Callable[[int], None]
) -> Speed:
    """Masks of one sequence: an object is started on the frame whose mask of it the protocol gives; before the first
    of them masks are empty. count: called with the frames done so far. Raises DataError for frames and masks that do
    not fit together, CamnError where memory does not suffice."""
    given = job.protocol.given(sequence)
    writer = MaskWriter(job.folder / sequence.name)
    size = next(iter(given.values())).shape
    objects = sum(len(np.unique(mask[mask > 0])) for mask in given.values())
    network, started = 0.0, time.monotonic()
    with (
        enough_memory(size, objects),
        closing(prefetch(sequence.pictures())) as frames,
        WriterThread() as thread,
    ):
        for index, frame in enumerate(frames):
            start = time.monotonic()
            ids = segment_frame(segmenter, sequence, index, frame, given)
            network += time.monotonic() - start
            thread.submit(writer.write, sequence.frames[index].stem, ids)
            count(index + 1)
    device = segmenter.device
    wall, backend = time.monotonic() - started, str(segmenter.backends)
    return Speed(len(sequence), network, wall, peak_memory(device), str(device), backend=backend)


def segment_frame(
    segmenter: AnySegmenter, sequence: VideoSequence, index: int, frame: np.ndarray, given: Mapping[int, np.ndarray]
) -> np.ndarray:
    """(H, W) uint8 ids of a sequence's next frame, empty before the first mask. given: as `Protocol.given` has it.

    Raises DataError naming the frame or the mask that is of another size, AnswerError naming the frame.
    """
    mask, first = given.get(index), min(given)
    try:
        if index <= first:
            return np.zeros(frame.shape[:2], np.uint8) if mask is None else segmenter.start(frame, mask).ids
        result = segmenter.step(frame)
        return (result if mask is None else segmenter.correct(mask)).ids
    except (MaskError, VideoError) as error:
        file = sequence.mask(index) if isinstance(error, MaskError) else sequence.frames[index]
        raise DataError(f"{file}: {error}") from error
    except AnswerError as error:
        raise AnswerError(f"{sequence.frames[index]}: {error}") from error


def together(speeds: Sequence[Speed], wall: float, workers: int) -> Speed:
    """The sum of what was done, and the most memory that one worker had."""
    return Speed(
        sum(speed.frames for speed in speeds),
        sum(speed.network for speed in speeds),
        wall,
        max(speed.peak for speed in speeds),
        speeds[0].device,
        workers,
        "; ".join(sorted({speed.backend for speed in speeds})),
    )
