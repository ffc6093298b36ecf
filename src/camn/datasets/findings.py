"""What the files of a data set hold and what is wrong with them: every file is read, several at once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camn.datasets.labels import LabelFiles
from camn.datasets.pairs import read_image
from camn.datasets.sequence import VideoSequence
from camn.datasets.videos import video_of, warnings_of
from camn.errors import DataError, VideoError
from camn.masks import IGNORE
from camn.masks.ids import surrounding
from camn.masks.sizes import turned
from camn.media.levels import shades_of
from camn.media.picture import read_header

Pair = tuple[Path, Path | None]


@dataclass(frozen=True)
class Finding:
    """A frame and its mask. size: (H, W), None if the frame cannot be read. values: of the mask, without 0; None if
    there is no mask that can be read. around: the id that has most of the mask and all its corners, or 0."""

    size: tuple[int, int] | None
    values: frozenset[int] | None
    problems: tuple[str, ...] = ()
    around: int = 0


@dataclass(frozen=True)
class SequenceReport:
    """What a sequence holds. size: (H, W) of its first frame. ids: of its objects; later: those not in its first mask.
    empty: masks without an object. binary: whether masks are of 0 and 255 alone, and 255 is object 1. inverted: masks
    in which an object has most of the frame and all its corners."""

    name: str
    frames: int
    masks: int
    size: tuple[int, int] | None
    ids: tuple[int, ...]
    later: tuple[int, ...]
    empty: int
    binary: bool
    inverted: int = 0


def look_through(
    sequences: Sequence[VideoSequence], report: Callable[[int, int], None] = lambda done, total: None
) -> dict[Pair, Finding]:
    """Reads each frame, with its mask, once. `report` is called with how many are done, and of how many."""
    every = {pair: one.files for one in reversed(sequences) for pair in zip(one.frames, one.masks)}
    pairs = list(dict.fromkeys(pair for sequence in sequences for pair in zip(sequence.frames, sequence.masks)))
    findings: dict[Pair, Finding] = {}
    pool = ThreadPoolExecutor(os.cpu_count())  # threads: decoding lets go of the interpreter's lock
    try:
        for pair, finding in zip(pairs, pool.map(lambda pair: _look(pair, every[pair]), pairs)):
            findings[pair] = finding
            report(len(findings), len(pairs))
    finally:
        pool.shutdown(cancel_futures=True)
    return findings


def _look(pair: Pair, files: LabelFiles) -> Finding:
    """Read one frame and its mask, as training would."""
    size, values, problems = None, None, []
    try:
        height, width = read_image(pair[0]).shape[:2]
        size = height, width
    except DataError as error:
        problems.append(str(error))
    try:
        labels = None if pair[1] is None else files.read(pair[1])
    except DataError as error:
        return Finding(size, None, (*problems, str(error)))
    if labels is not None:
        values = frozenset(np.flatnonzero(np.bincount(labels.ravel(), minlength=1)).tolist()) - {0}
        if size and labels.shape != size:
            turn = turned(labels.shape, size)
            said = f"{_size(labels.shape)}, but its frame is {_size(size)}; make them of one size{turn}"
            problems.append(f"{pair[1]}: {said}")
    return Finding(size, values, tuple(problems), 0 if labels is None else surrounding(labels))


def summarise(
    sequence: VideoSequence, findings: Mapping[Pair, Finding], least: int = 1
) -> tuple[SequenceReport, list[str]]:
    """(what a sequence holds; its problems and those of its files). least: how many masks it needs."""
    pairs = list(zip(sequence.frames, sequence.masks))
    found = [findings[pair] for pair in pairs]
    problems = [line for finding in found for line in finding.problems]
    sizes: dict[tuple[int, int], Path] = {}
    for frame, finding in zip(sequence.frames, found):
        if finding.size:
            sizes.setdefault(finding.size, frame)
    if len(sizes) > 1:
        said = ", ".join(f"{_size(size)} from {frame.name}" for size, frame in sizes.items())
        problems.append(f"{sequence.frames[0].parent}: frames of {len(sizes)} sizes ({said}); make them of one size")
    problems += _of_video(video) if (video := video_of(sequence.frames[0])) else _dark(sequence)
    masks = [finding.values for finding in found if finding.values is not None]
    objects, binary = _objects(masks)
    ids = frozenset().union(*objects)
    annotated = len(sequence.annotated)
    if masks and not ids:
        where = sequence.mask(sequence.annotated[0])
        problems.append(f"{where}: holds no object" if annotated == 1 else f"{where.parent}: no mask holds an object")
    # Of a single object 1 the others are hardly void; of several ids, 255 alone may well be.
    if {IGNORE} in masks and (binary or ids == {1}) and any(values - {IGNORE} for values in masks):
        problems.append(
            f"{sequence.mask(sequence.annotated[0]).parent}: some masks hold 255 alone, some ids; "
            "is 255 an object or void? Give objects ids of 1..254"
        )
    if annotated < least:
        problems.append(f"{sequence.name}: {annotated} frames with a mask, but clips of {least} are asked for")
    size = next(iter(sizes), None)
    first = objects[0] if objects else frozenset()
    empty = sum(not values for values in objects)
    report = SequenceReport(
        sequence.name,
        len(pairs),
        annotated,
        size,
        tuple(sorted(ids)),
        tuple(sorted(ids - first)),
        empty,
        binary,
        sum(finding.around not in (0, IGNORE) or bool(binary and finding.around) for finding in found),
    )
    return report, problems


def _of_video(video: Path) -> list[str]:
    try:
        return warnings_of(video)
    except DataError:  # told of its frames
        return []


def _dark(sequence: VideoSequence) -> Iterator[str]:
    """A problem, where frames have 16 bits and are nearly black: data sets are read as they are."""
    with suppress(VideoError):  # told already
        if read_header(sequence.frames[0]).wide and (
            levels := shades_of(sequence.frames, [True] * len(sequence.frames), None).levels
        ):
            yield (
                f"{sequence.frames[0].parent}: frames of 16 bits that use a small part of them, so that they are black "
                f"or grey; save them with 8 bits, {levels.low:g} as black and {levels.high:g} as white"
            )


def _objects(masks: Sequence[frozenset[int]]) -> tuple[list[frozenset[int]], bool]:
    """(the object ids of each mask; whether 255 alone is an object, as VideoSequence has it)."""
    binary = next((values for values in masks if values), None) == {IGNORE}
    only = frozenset({1})
    return [only if binary and values == {IGNORE} else values - {IGNORE} for values in masks], binary


def _size(size: Collection[int]) -> str:
    height, width = size
    return f"{width}x{height}"


def sizes_of(reports: Sequence[SequenceReport], most: int = 3) -> str:
    """`640x360 24, 854x480 6`: the commonest sizes, and how many sequences have them."""
    counts = Counter(report.size for report in reports if report.size).most_common()
    if len(counts) == 1:
        return _size(counts[0][0])
    more = [f"{len(counts) - most} more sizes"] if len(counts) > most else []
    return ", ".join([f"{_size(size)} {count}" for size, count in counts[:most]] + more)
