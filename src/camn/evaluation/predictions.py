"""J and F of a folder of predictions against the annotations of sequences, by the rules of a protocol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from camn.datasets.labels import LabelFiles
from camn.datasets.pairs import is_binary, raise_problems
from camn.datasets.sequence import VideoSequence
from camn.errors import DataError
from camn.evaluation.jf import contour_accuracy, region_similarity
from camn.evaluation.protocol import Protocol
from camn.evaluation.scores import ObjectScores, SequenceScores
from camn.evaluation.statistics import statistics
from camn.masks import IGNORE
from camn.masks.sizes import in_words, turned

MISSED, FOUND = 0.2, 0.5  # mean J of an object below the one, under another id above the other: ids look exchanged
LOOKS = 8  # frames that are looked at for that
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
    values, problems, seen = defaultdict(list), defaultdict(list), set()
    frames = sorted(set().union(*measured.values()))
    files, known = predicted_files(folder, sequence, list(starts)), list(starts)
    for index in frames:
        name = f"{sequence.frames[index].stem}.png"
        wanted = [i for i, indices in measured.items() if index in indices]
        try:
            theirs, ours = protocol.labels(sequence, index), _read(files, folder / name, known, protocol.merge)
            for i, pair in zip(wanted, _compare(ours, theirs, wanted, known)):
                values[i].append((index, *pair))
            seen |= set(np.unique(ours).tolist())
        except DataError as error:
            problems[str(error)].append(name)
    if problems:
        return None, [f"{folder}: {_listed(names)} {reason}" for reason, names in problems.items()]
    if seen - {0} == {IGNORE}:
        return None, [f"{folder}: masks of 0 and 255 alone, for objects {sorted(known)}: give each object its own id"]
    objects = tuple(_object(i, values[i], categories.get(i, "")) for i in measured)
    told = {sequence.mask(frames[0]).parent: sequence.files.note, folder: files.note}
    notes = [f"{where}: {note}" for where, note in told.items() if note]
    for one in objects:
        if one.j.mean < MISSED and (other := _misnamed(one, sequence, files, folder, protocol, known)):
            notes.append(f"{folder}: {other}")
    return SequenceScores(sequence.name, len(frames), objects, tuple(notes)), []


def predicted_files(folder: Path, sequence: VideoSequence, known: Sequence[int]) -> LabelFiles:
    """The predictions of a sequence. known: its objects' ids; a palette with the annotations' colours has their ids."""
    names = (folder / f"{frame.stem}.png" for frame in sequence.frames)
    like = {code: id for code, id in sequence.files.colours().items() if id in known}
    return LabelFiles(tuple(path for path in names if path.is_file()), like)


def _object(number: int, rows: list[tuple[int, float, float]], category: str) -> ObjectScores:
    frames, j, f = zip(*rows)
    return ObjectScores(number, statistics(np.array(j)), statistics(np.array(f)), category, frames, j, f)


def _read(files: LabelFiles, path: Path, known: Sequence[int], merge: bool) -> np.ndarray:
    """A prediction, its ids as the annotations have them. Raises DataError with the reason, the file not named where
    it is missing."""
    if not path.is_file():
        raise DataError("missing; every frame that is measured needs a mask")
    return as_annotated(files.read(path), known, merge)


def as_annotated(labels: np.ndarray, known: Sequence[int], merge: bool) -> np.ndarray:
    """A prediction of one object, of 0 and 255 alone or, with `merge`, of any ids, by the annotations' id."""
    alone = merge or (len(known) == 1 and is_binary(labels))
    return np.where(labels > 0, known[0], 0).astype(np.uint8) if alone else labels


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


def _misnamed(
    one: ObjectScores, sequence: VideoSequence, files: LabelFiles, folder: Path, protocol: Protocol, known: list[int]
) -> str:
    """A sentence if the predictions have an object that was missed under another id, or as background; else empty."""
    frames = one.frames[:: -(-len(one.frames) // LOOKS)]
    found: dict[int, list[float]] = defaultdict(list)
    for index in frames:
        theirs = protocol.labels(sequence, index)
        ours = _read(files, folder / f"{sequence.frames[index].stem}.png", known, protocol.merge)
        for number in np.unique(ours[theirs == one.id]).tolist() if ours.any() else ():
            found[number].append(region_similarity(ours == number, theirs == one.id, theirs == IGNORE))
    best = max(found, key=lambda number: sum(found[number]), default=one.id)
    mean = sum(found[best]) / len(frames)
    if best == one.id or mean < FOUND:
        return ""
    name = f"object {best}" if best else "background"
    return (
        f"what the predictions call {name} lies where the annotations have object {one.id} (J {mean:.2f}, that of the "
        f"object is {one.j.mean:.2f}); are ids or palettes in another order, or masks inverted?"
    )


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
