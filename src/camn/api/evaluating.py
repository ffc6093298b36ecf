"""J and F of a model, or of masks that are there already, on a data set in the layout of DAVIS."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from camn.api.loading import cpu_threads, load
from camn.api.options import InferenceOptions, Progress, Report
from camn.api.segmenting import enough_memory
from camn.data.davis import DavisFolder
from camn.data.outputs import MaskWriter, WriterThread, prepare_output, write_json
from camn.data.pairs import is_binary, read_image, read_labels
from camn.data.source import prefetch
from camn.data.videos import VideoSequence
from camn.errors import DataError
from camn.evaluation.benchmarks import DavisScores, evaluate_davis, table
from camn.inference import Segmenter
from camn.masks import IGNORE, ObjectIds


@dataclass(frozen=True)
class Evaluation:
    """scores: of the split. predictions: the folder that was scored, None if it was temporary. frames: how many were
    segmented, and in how many seconds (the network alone: without reading, writing and scoring); 0 if none were."""

    scores: DavisScores
    predictions: Path | None
    frames: int = 0
    seconds: float = 0.0

    @property
    def frames_per_second(self) -> float:
        return self.frames / self.seconds if self.seconds else 0.0

    def table(self) -> str:
        """Plain text: objects, sequences, totals."""
        return table(self.scores)


def evaluate(
    dataset: str | Path,
    *,
    year: str | int = "2017",
    split: str = "val",
    model: str | Path = "camn-mobile",
    predictions: str | Path | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    options: InferenceOptions | None = None,
    progress: Report = lambda progress: None,
    **changes: Any,
) -> Evaluation:
    """Segment a split of DAVIS with a model and score it; with `predictions` (PREDICTIONS/SEQ/NAME.png) score these.

    year: 2017 scores each object of a sequence's first annotation, 2016 all of them as one, and so they are segmented.
    out: keeps the masks, OUT/SEQ/NAME.png, and OUT/scores.json. changes: fields of `InferenceOptions`, in place of
    those of `options`. The definition is DAVIS' own, see `camn.evaluation`.
    Raises DataError for a data set or predictions that do not fit together, CheckpointError, ConfigError, OutputError,
    CamnError where memory does not suffice.
    """
    options = dataclasses.replace(options or InferenceOptions(), **changes)
    if predictions is not None:
        return _scored(Evaluation(evaluate_davis(predictions, dataset, year, split), Path(predictions)), out)
    sequences = DavisFolder(dataset, year, split).sequences
    segmenter = load(model, device, options.inference())
    with tempfile.TemporaryDirectory() as temporary, cpu_threads(options.threads):
        folder = prepare_output(temporary if out is None else out)
        frames, seconds = _segment(sequences, segmenter, folder, str(year) == "2016", progress)
        scores = evaluate_davis(folder, dataset, year, split)
    return _scored(Evaluation(scores, None if out is None else folder, frames, seconds), out)


def _scored(found: Evaluation, out: str | Path | None) -> Evaluation:
    if out is not None:
        speed = {"frames": found.frames, "seconds": round(found.seconds, 3)}
        write_json(prepare_output(out) / "scores.json", found.scores.to_dict() | speed)
    return found


def _segment(
    sequences: tuple[VideoSequence, ...], segmenter: Segmenter, folder: Path, merge: bool, progress: Report
) -> tuple[int, float]:
    """Masks of all sequences -> (frames, seconds that the network took)."""
    total, done, network, started = sum(map(len, sequences)), 0, 0.0, time.monotonic()
    for sequence in sequences:
        first = _first_mask(sequence, merge)
        writer = MaskWriter(folder / sequence.name)
        with (
            enough_memory(first.shape, len(ObjectIds.of(first))),
            closing(prefetch(_frames(sequence))) as frames,
            WriterThread() as thread,
        ):
            for index, frame in enumerate(frames):
                start = time.monotonic()
                result = segmenter.step(frame) if index else segmenter.start(frame, first)
                network += time.monotonic() - start
                thread.submit(writer.write, sequence.frames[index].stem, result.ids)
                done += 1
                progress(Progress(done, total, time.monotonic() - started, sequence.name))
    return total, network


def _frames(sequence: VideoSequence) -> Iterator[np.ndarray]:
    for path in sequence.frames:
        yield read_image(path)


def _first_mask(sequence: VideoSequence, merge: bool) -> np.ndarray:
    """The objects to follow, (H, W) uint8; void is background."""
    labels = read_labels(sequence.mask(0))
    if not (merge and is_binary(labels)):
        labels = np.where(labels == IGNORE, 0, labels).astype(np.uint8)
    if not labels.any():
        raise DataError(f"{sequence.masks[0]}: the first annotation names no object; take the sequence off the list")
    return (labels > 0).astype(np.uint8) if merge else labels
