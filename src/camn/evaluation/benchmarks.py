"""J and F of a folder of predictions, by the semi-supervised protocols of DAVIS 2016 and 2017."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from camn.data.davis import DavisFolder, VideoSequence
from camn.data.pairs import is_binary, raise_problems, read_labels
from camn.errors import DataError
from camn.evaluation.jf import contour_accuracy, region_similarity
from camn.masks import IGNORE


@dataclass(frozen=True)
class Statistics:
    """A measure over time. mean and recall (share of frames above 0.5) are 0..1; decay is how much it falls."""

    mean: float
    recall: float
    decay: float


@dataclass(frozen=True)
class ObjectScores:
    """J and F of one object over the frames of its sequence."""

    id: int
    j: Statistics
    f: Statistics

    @property
    def jf(self) -> float:
        return (self.j.mean + self.f.mean) / 2


@dataclass(frozen=True)
class SequenceScores:
    """The objects of one sequence; `frames` is how many frames were measured."""

    name: str
    frames: int
    objects: tuple[ObjectScores, ...]

    @property
    def jf(self) -> float:
        return float(np.mean([item.jf for item in self.objects]))


@dataclass(frozen=True)
class DavisScores:
    """A whole split. `j` and `f` are means over all objects of all sequences, as DAVIS ranks; all within 0..1."""

    year: str
    split: str
    sequences: tuple[SequenceScores, ...]

    @property
    def j(self) -> Statistics:
        return _mean(item.j for sequence in self.sequences for item in sequence.objects)

    @property
    def f(self) -> Statistics:
        return _mean(item.f for sequence in self.sequences for item in sequence.objects)

    @property
    def jf(self) -> float:
        return (self.j.mean + self.f.mean) / 2

    def to_dict(self) -> dict:
        """Plain dicts, lists and numbers, for JSON: the totals, then every sequence with its objects."""
        total = {"jf": self.jf, "j": asdict(self.j), "f": asdict(self.f)}
        sequences = [{"jf": sequence.jf, **asdict(sequence)} for sequence in self.sequences]
        return {"year": self.year, "split": self.split, **total, "sequences": sequences}


def evaluate_davis(
    predictions_dir: str | Path, dataset_root: str | Path, year: str | int = "2017", split: str = "val"
) -> DavisScores:
    """Measure `predictions_dir/SEQ/00000.png` against the annotations of a DAVIS folder, frames at the same size.

    2017: each object apart, the objects being the ids of the sequence's first annotation. 2016: all ids as one object.
    The first frame, which is given, and the last are left out and need no prediction. Label 255 is void in an
    annotation, unless 2016 annotations hold 0 and 255 alone, 255 being the object, as in that year's own download; in a
    prediction it is background for 2017, and like any id the object for 2016.
    Raises DataError that names every missing, unreadable or differently sized mask and every id that is no object.
    """
    if str(year) not in ("2016", "2017"):
        raise DataError(f"DAVIS {year} has no semi-supervised protocol here; give the year 2016 or 2017")
    sequences = DavisFolder(dataset_root, year, split).sequences
    merge = str(year) == "2016"
    with ThreadPoolExecutor(2) as pool:  # threads are enough: decoding and comparing release the interpreter's lock
        results = list(pool.map(lambda item: _evaluate(Path(predictions_dir) / item.name, item, merge), sequences))
    raise_problems(f"the predictions in {predictions_dir}", [line for _, problems in results for line in problems])
    return DavisScores(str(year), split, tuple(scores for scores, _ in results if scores))


def statistics(values: np.ndarray) -> Statistics:
    """Mean, recall and decay of a measure over frames, (T,) with T >= 1.

    Decay is the first quarter's mean minus the last's; by DAVIS' rule neighbouring quarters share the frame between.
    """
    first, second, _, fourth, last = np.floor(np.linspace(1, len(values), 5) + 0.5 + 1e-10).astype(int) - 1
    decay = values[first : second + 1].mean() - values[fourth : last + 1].mean()
    return Statistics(float(values.mean()), float((values > 0.5).mean()), float(decay))


def table(scores: DavisScores) -> str:
    """Plain text: a line for each object, the mean of each sequence of several objects, and the totals, in percent."""
    head = f"{'sequence':<24}{'object':>7}{'J&F':>8}{'J':>8}{'recall':>8}{'decay':>8}{'F':>8}{'recall':>8}{'decay':>8}"
    lines = [head, "-" * len(head)]
    for sequence in scores.sequences:
        lines += [_line(sequence.name, str(item.id), item.jf, item.j, item.f) for item in sequence.objects]
        if len(sequence.objects) > 1:
            means = _mean(item.j for item in sequence.objects), _mean(item.f for item in sequence.objects)
            lines.append(_line(sequence.name, "mean", sequence.jf, *means))
    lines += ["-" * len(head), _line(f"DAVIS {scores.year} {scores.split}", "mean", scores.jf, scores.j, scores.f)]
    return "\n".join(lines)


def _evaluate(folder: Path, sequence: VideoSequence, merge: bool) -> tuple[SequenceScores | None, list[str]]:
    """(the scores of one sequence, None if there are problems; the problems)."""
    first = read_labels(sequence.masks[0])
    ids = [1] if merge else [int(i) for i in np.unique(first) if i not in (0, IGNORE)]
    if not ids:
        return None, [f"{sequence.masks[0]}: the first annotation names no object; take the sequence off the list"]
    if len(sequence) < 3:
        return None, [f"{sequence.name}: {len(sequence)} frames, but the first and last are left out; 3 are needed"]
    if not folder.is_dir():
        return None, [f"{folder}: no such folder; predictions are looked for in PREDICTIONS/SEQUENCE/FRAME.png"]
    values, problems = [], defaultdict(list)
    for path in sequence.masks[1:-1]:
        try:
            values.append(_compare(folder / path.name, path, ids, merge, binary=merge and is_binary(first)))
        except DataError as error:
            problems[str(error)].append(path.name)
    if problems:
        return None, [f"{folder}: {_listed(names)} {reason}" for reason, names in problems.items()]
    series = np.array(values)  # (T, objects, 2)
    objects = (ObjectScores(i, statistics(series[:, n, 0]), statistics(series[:, n, 1])) for n, i in enumerate(ids))
    return SequenceScores(sequence.name, len(series), tuple(objects)), []


def _compare(predicted: Path, annotated: Path, ids: list[int], merge: bool, binary: bool) -> list[tuple[float, float]]:
    """(J, F) of each object on one frame. Raises DataError with the reason, the file not named, if there are none."""
    if not predicted.is_file():
        raise DataError("missing; every frame but the first and the last needs a mask")
    ours, theirs = read_labels(predicted), read_labels(annotated)
    if ours.shape != theirs.shape:
        sizes = f"{ours.shape[1]}x{ours.shape[0]}, the annotations {theirs.shape[1]}x{theirs.shape[0]}"
        raise DataError(f"of size {sizes}; write predictions at the annotations' size")
    void = (theirs == IGNORE) & (not binary)
    if merge:
        ours, theirs = (ours > 0).astype(np.uint8), (theirs > 0).astype(np.uint8)
    extra = sorted(set(np.unique(ours).tolist()) - {0, IGNORE, *ids})
    if extra:
        raise DataError(f"with ids {extra}, not among the first annotation's {ids}; remove or renumber them")
    pairs = ((ours == number, theirs == number) for number in ids)
    return [(region_similarity(*pair, void), contour_accuracy(*pair, void)) for pair in pairs]


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"


def _mean(items: Iterable[Statistics]) -> Statistics:
    rows = [(item.mean, item.recall, item.decay) for item in items]
    return Statistics(*(float(value) for value in np.mean(rows, axis=0)))


def _line(name: str, number: str, jf: float, j: Statistics, f: Statistics) -> str:
    values = (jf, j.mean, j.recall, j.decay, f.mean, f.recall, f.decay)
    return f"{name:<24}{number:>7}" + "".join(f"{100 * value:8.1f}" for value in values)
