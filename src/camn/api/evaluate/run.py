"""J and F of a model, or of masks that are there already, on a folder of videos with masks."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import camn
from camn.api.evaluate.sequences import Assignment, segment_here
from camn.api.evaluate.workers import segment_with_workers
from camn.api.models.load import load
from camn.api.options import InferenceOptions, Report, named
from camn.errors import ConfigError, DataError
from camn.evaluation.report import write_report
from camn.evaluation.scores import Scores, table
from camn.evaluation.sets import NOTHING, EvaluationSet, open_set
from camn.evaluation.submission import check_submission, write_submission
from camn.files import alone, writing
from camn.inference import resolve_device
from camn.inference.calls import own_settings
from camn.media.outputs import prepare_output, write_json
from camn.speed.process import Speed, describe_machine

SCORES = "scores.json"


@dataclass(frozen=True)
class Evaluation:
    """scores: of the data set, None where it has first masks alone. predictions: the folder that was scored, None if it
    was temporary. speed: of segmenting, all zero if nothing was segmented. submission, report: files that were written.
    """

    scores: Scores | None
    predictions: Path | None
    speed: Speed = field(default_factory=Speed)
    submission: Path | None = None
    report: Path | None = None

    @property
    def frames(self) -> int:
        """How many were segmented."""
        return self.speed.frames

    @property
    def seconds(self) -> float:
        """In the network alone, without reading, writing and scoring."""
        return self.speed.network

    @property
    def frames_per_second(self) -> float:
        """In the network, of one worker."""
        return self.speed.frames_per_second

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on predictions whose ids seem to be others than the annotations', or were told by colours."""
        return self.scores.notes if self.scores else ()

    def table(self) -> str:
        """Plain text: objects, sequences, totals; empty where nothing could be measured."""
        return table(self.scores) if self.scores else ""


@own_settings(inference=False)
def evaluate(
    dataset: str | Path,
    *,
    year: str | int | None = None,
    split: str = "",
    resolution: str = "480p",
    holdout: str | Path | None = None,
    model: str | Path | Sequence[str | Path] = "camn-mobile",
    predictions: str | Path | None = None,
    out: str | Path | None = None,
    submission: str | Path | None = None,
    report: str | Path | None = None,
    workers: int = 1,
    device: str = "auto",
    options: InferenceOptions | None = None,
    progress: Report = lambda progress: None,
    **changes: Any,
) -> Evaluation:
    """Segment a data set with a model and score it; with `predictions` (PREDICTIONS/SEQ/NAME.png) score these.

    dataset: a folder of DAVIS, of YouTube-VOS or MOSE, or of one's own clips. year, split: of DAVIS, 2017 and `val` if
    not given; 2017 scores each object of a sequence's first annotation, 2016 all of them as one, and so they are
    segmented. resolution: of DAVIS, too. Elsewhere `split` is a folder. holdout: a file of `hold_out`; its videos of
    YouTube-VOS are scored.
    out: keeps the masks, OUT/SEQ/NAME.png, and OUT/scores.json. submission: a zip file for the public server. report:
    an HTML file. workers: processes that share the sequences and the threads; as with every spawned process, a script
    that asks for several needs `if __name__ == "__main__":`. options: `InferenceOptions(backend="eager")` if None, so
    that no race of timings decides which of two nearly equal answers is scored. changes: fields of `InferenceOptions`,
    in place of those of `options`. The protocols are told in docs/reference/evaluation.md.
    Raises DataError for a data set or predictions that do not fit together, CheckpointError, ConfigError, OutputError,
    CamnError where memory does not suffice or a worker dies.
    """
    options = dataclasses.replace(options or InferenceOptions(backend="eager"), **changes)
    found = open_set(dataset, year, split, holdout, resolution)
    labelled = found.labelled
    _check(found, labelled, workers, submission, report)
    with tempfile.TemporaryDirectory() as temporary, nullcontext() if out is None else alone(Path(out)):
        if predictions is None:
            folder = Path(temporary if out is None else out)
            speed = _segment(found, named(model), device, folder, options, workers, progress)
        else:
            folder, speed = Path(predictions), Speed()
        scores = found.measure(folder) if labelled else None
        if scores and out is not None:
            made = {"model": list(named(model)), "options": dataclasses.asdict(options)} if predictions is None else {}
            write_json(prepare_output(out) / SCORES, scores.to_dict() | made | _cost(speed))
        if submission is not None:
            write_submission(submission, folder, found.folder)
        if scores and report is not None:
            by = {"model": " + ".join(named(model)), "settings": _settings(options)}
            facts = _facts(by if predictions is None else {"model": f"masks in {folder}"}, Path(dataset), speed)
            write_report(report, scores, found.sequences, folder, found.protocol, facts)
    kept = None if predictions is None and out is None else folder
    return Evaluation(scores, kept, speed, _path(submission), _path(report))


def _check(
    found: EvaluationSet,
    labelled: bool,
    workers: int,
    submission: str | Path | None,
    report: str | Path | None,
) -> None:
    """What can be told before the work begins."""
    if workers < 1:
        raise ConfigError(f"workers is {workers}: it must be 1 or more")
    if not labelled and submission is None:
        raise DataError(f"{found.folder.root}: {NOTHING}")
    if not labelled and report is not None:
        raise DataError(f"{found.folder.root}: first masks alone leave nothing to report on; leave the report out")
    if submission is not None:
        if found.holdout:
            raise ConfigError("submission: no server takes a hold-out of train; leave out either")
        check_submission(submission, found.folder)
    for path in (submission, report):
        if path is not None:
            prepare_output(Path(path).parent)


def _segment(
    found: EvaluationSet,
    models: tuple[str, ...],
    device: str,
    folder: Path,
    options: InferenceOptions,
    workers: int,
    progress: Report,
) -> Speed:
    workers = min(workers, len(found.sequences))
    threads = max(1, (options.threads or torch.get_num_threads()) // workers)
    job = Assignment(models, device, options.setup(), found.protocol, folder, threads)
    if workers == 1:
        segmenter = load(models, device, setup=job.setup)
        _prepare(folder)
        return segment_here(segmenter, job, found.sequences, progress)
    resolve_device(device)
    load(models, "cpu", setup=job.setup)  # so that what is wrong with it is told once, and now
    _prepare(folder)
    return segment_with_workers(job, found.sequences, workers, progress)


def _prepare(folder: Path) -> None:
    """For masks. Scores of a former run would be those of a mixture, until there are new ones."""
    prepare_output(folder)
    with writing(folder):
        (folder / SCORES).unlink(missing_ok=True)


def _cost(speed: Speed) -> dict[str, Any]:
    return {
        "frames": speed.frames,
        "seconds": round(speed.network, 3),
        "seconds_in_all": round(speed.wall, 3),
        "peak_memory": speed.peak,
        "workers": speed.workers,
        "device": speed.device,
        "backend": speed.backend,
    }


def _settings(options: InferenceOptions) -> str:
    """The options that are not left to the network."""
    given = {name: value for name, value in dataclasses.asdict(options).items() if value is not None}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in given.items())


def _facts(by: dict[str, str], dataset: Path, speed: Speed) -> dict[str, str]:
    """The head of the report. by: what made the masks."""
    facts = by | {"data set": str(dataset.resolve())}
    facts |= dict(zip(("speed", "memory"), speed.lines()))
    facts |= {"backend": speed.backend} if speed.backend else {}
    moment = datetime.now(UTC).isoformat(" ", "minutes").removesuffix("+00:00")
    return facts | {"machine": describe_machine(speed.device), "made": f"{moment} UTC by camn {camn.__version__}"}


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
