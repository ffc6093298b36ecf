"""J and F of a folder of predictions against the annotations of sequences, by the rules of a protocol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from camn.datasets.pairs import raise_problems
from camn.datasets.sequence import VideoSequence
from camn.errors import DataError
from camn.evaluation.jf import contour_accuracy, region_similarity
from camn.evaluation.predicted import PredictedMasks
from camn.evaluation.protocol import Protocol
from camn.evaluation.scores import ObjectScores, SequenceScores
from camn.evaluation.statistics import statistics
from camn.masks import IGNORE
from camn.masks.sizes import in_words, turned

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
    prediction, unless that holds 0 and 255 alone where there is one object. Palettes in another order are read by
    colour, see `LabelFiles`; ids that look exchanged are told in the scores' notes. Sequences of an open protocol in
    which no object is measured on any frame are left out. categories: sequence -> object id -> category.
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
    predicted = PredictedMasks(folder, sequence, list(starts), protocol.merge)
    if shift := _shifted(predicted.by_stem, predicted.strange, sequence):
        return None, [f"{folder}: {shift}"]
    values, problems, seen = defaultdict(list), defaultdict(list), set()
    frames = sorted(set().union(*measured.values()))
    for index in frames:
        wanted = [i for i, indices in measured.items() if index in indices]
        try:
            theirs, ours = protocol.labels(sequence, index), predicted.read(index)
            for i, pair in zip(wanted, _compare(ours, theirs, wanted, predicted.known)):
                values[i].append((index, *pair))
            seen |= set(np.unique(ours).tolist())
        except DataError as error:
            problems[str(error)].append(predicted.path(index).name)
    if problems:
        return None, [f"{folder}: {_listed(names)} {reason}" for reason, names in problems.items()]
    if seen - {0} == {IGNORE}:
        known = sorted(predicted.known)
        return None, [f"{folder}: masks of 0 and 255 alone, for objects {known}: give each object its own id"]
    objects = tuple(_object(i, values[i], categories.get(i, "")) for i in measured)
    told = {sequence.mask(frames[0]).parent: sequence.files.note, folder: predicted.files.note}
    notes = [f"{where}: {note}" for where, note in told.items() if note]
    notes += [f"{folder}: {said}" for one in objects if (said := predicted.misnamed(one, protocol))]
    return SequenceScores(sequence.name, len(frames), objects, tuple(notes)), []


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


def _compare(ours: np.ndarray, theirs: np.ndarray, wanted: list[int], known: list[int]) -> list[tuple]:
    """(J, F) of each object in `wanted`. Raises DataError with the reason, the file not named, if there are none."""
    if ours.shape != theirs.shape:
        sizes = f"{in_words(ours.shape)}, the annotations {in_words(theirs.shape)}"
        turn = turned(ours.shape, theirs.shape)
        raise DataError(f"of size {sizes}; write predictions at the annotations' size{turn}")
    extra = sorted(set(np.unique(ours).tolist()) - {0, IGNORE, *known})
    if extra:
        raise DataError(f"with ids {extra}, not among the annotations' {sorted(known)}; remove or renumber them")
    void = theirs == IGNORE
    pairs = ((ours == number, theirs == number) for number in wanted)
    return [(region_similarity(*pair, void), contour_accuracy(*pair, void)) for pair in pairs]


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
