"""J and F of a folder of predictions against the annotations of sequences, by the rules of a protocol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from camn.datasets.pairs import by_frame, is_binary, raise_problems, read_labels
from camn.datasets.sequence import VideoSequence
from camn.errors import DataError
from camn.evaluation.jf import contour_accuracy, region_similarity
from camn.evaluation.protocol import Protocol
from camn.evaluation.scores import ObjectScores, SequenceScores
from camn.evaluation.statistics import statistics
from camn.masks import IGNORE

Categories = Mapping[str, Mapping[int, str]]


def measure(
    predictions_dir: str | Path,
    sequences: Sequence[VideoSequence],
    protocol: Protocol,
    categories: Categories | None = None,
    threads: int = 2,
) -> tuple[SequenceScores, ...]:
    """Measure `predictions_dir/SEQUENCE/FRAME.png`, each object apart, frames at the annotations' size.

    Only the frames that are measured need a prediction; label 255 is void in an annotation and background in a
    prediction, unless that holds 0 and 255 alone where there is one object. Sequences of an open protocol in which no
    object is measured on any frame are left out. categories: sequence -> object id -> category.
    Raises DataError that names every missing, unreadable or differently sized mask and every id that is no object.
    """
    known = categories or {}
    with ThreadPoolExecutor(threads) as pool:  # threads are enough: decoding and comparing release the lock
        jobs = [
            pool.submit(_measure, Path(predictions_dir) / s.name, s, protocol, known.get(s.name, {})) for s in sequences
        ]
        results = [job.result() for job in jobs]
    raise_problems(f"the predictions in {predictions_dir}", [line for _, problems in results for line in problems])
    return tuple(scores for scores, _ in results if scores)


def _measure(
    folder: Path, sequence: VideoSequence, protocol: Protocol, categories: Mapping[int, str]
) -> tuple[SequenceScores | None, list[str]]:
    """(the scores of one sequence, None if there are none; the problems)."""
    try:
        starts = protocol.starts(sequence)
    except DataError as error:
        return None, [str(error)]
    measured = protocol.measured(sequence, starts)
    if not measured:
        short = f"{sequence.name}: {len(sequence)} frames, but the first and last are left out; 3 are needed"
        return None, [] if protocol.last else [short]
    if not folder.is_dir():
        return None, [f"{folder}: no such folder; predictions are looked for in PREDICTIONS/SEQUENCE/FRAME.png"]
    masks, strange = by_frame([frame.stem for frame in sequence.frames], {p.stem: p for p in folder.glob("*.png")})
    if shift := _shifted(masks, strange, sequence):
        return None, [f"{folder}: {shift}"]
    values, problems = defaultdict(list), defaultdict(list)
    frames = sorted(set().union(*measured.values()))
    for index in frames:
        stem = sequence.frames[index].stem
        path = masks.get(stem, folder / f"{stem}.png")
        wanted = [i for i, indices in measured.items() if index in indices]
        try:
            labels = protocol.labels(sequence, index)
            for i, pair in zip(wanted, _compare(path, labels, wanted, list(starts), protocol.merge)):
                values[i].append((index, *pair))
        except DataError as error:
            problems[str(error)].append(path.name)
    if problems:
        return None, [f"{folder}: {_listed(names)} {reason}" for reason, names in problems.items()]
    objects = tuple(_object(i, values[i], categories.get(i, "")) for i in measured)
    return SequenceScores(sequence.name, len(frames), objects), []


def _shifted(masks: Mapping[str, Path], strange: Sequence[str], sequence: VideoSequence) -> str:
    """What is wrong where the first frame has no mask, but there are some behind the last: each would be measured on
    another frame than its own. Else empty."""
    first, last = sequence.frames[0].stem, sequence.frames[-1].stem
    behind = all(name.isdecimal() and last.isdecimal() and int(name) > int(last) for name in strange)
    if not strange or not behind or first in masks or last not in masks:
        return ""
    return (
        f"{strange[-1]}.png is named like no frame, and {first} has no mask; frames are {first} to {last}. Are the "
        "predictions numbered from another number? Name them like the frames"
    )


def _object(number: int, rows: list[tuple[int, float, float]], category: str) -> ObjectScores:
    frames, j, f = zip(*rows)
    return ObjectScores(number, statistics(np.array(j)), statistics(np.array(f)), category, frames, j, f)


def _compare(path: Path, theirs: np.ndarray, wanted: list[int], known: list[int], merge: bool) -> list[tuple]:
    """(J, F) of each object in `wanted`. Raises DataError with the reason, the file not named, if there are none."""
    if not path.is_file():
        raise DataError("missing; every frame that is measured needs a mask")
    ours = read_labels(path)
    if ours.shape != theirs.shape:
        sizes = f"{ours.shape[1]}x{ours.shape[0]}, the annotations {theirs.shape[1]}x{theirs.shape[0]}"
        raise DataError(f"of size {sizes}; write predictions at the annotations' size")
    if merge or (known == [1] and is_binary(ours)):
        ours = (ours > 0).astype(np.uint8)
    extra = sorted(set(np.unique(ours).tolist()) - {0, IGNORE, *known})
    if extra:
        raise DataError(f"with ids {extra}, not among the annotations' {sorted(known)}; remove or renumber them")
    void = theirs == IGNORE
    pairs = ((ours == number, theirs == number) for number in wanted)
    return [(region_similarity(*pair, void), contour_accuracy(*pair, void)) for pair in pairs]


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
