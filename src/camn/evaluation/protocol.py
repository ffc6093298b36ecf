"""Which masks of a sequence a model is given, and on which frames each object is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from camn.datasets.sequence import VideoSequence, first_seen
from camn.errors import DataError
from camn.masks import IGNORE


@dataclass(frozen=True)
class Protocol:
    """The rules of a benchmark.

    merge: all ids are one object, 1. late: objects may appear after the first annotation, and then their first mask is
    given; if not, only the first annotation's objects count. last: the last annotated frame is measured, too.
    An object is measured on the annotated frames after the one on which its mask is given.
    """

    merge: bool = False
    late: bool = True
    last: bool = True

    def starts(self, sequence: VideoSequence) -> dict[int, int]:
        """Object id -> index of the frame whose mask of it is given. Raises DataError where there is no object."""
        if not sequence.annotated:
            raise DataError(f"{sequence.name}: no frame has a mask; annotate the first, or take the sequence out")
        first, found = sequence.annotated[0], {}
        seen = first_seen(sequence) if self.late else {first: _ids(sequence.labels(first))}
        for index, ids in seen.items():
            for number in ids:
                found.setdefault(1 if self.merge else number, index)
        if not found:
            what = "its annotations name" if self.late else "the first annotation names"
            raise DataError(f"{sequence.mask(first)}: {what} no object; take the sequence off the list")
        return found

    def given(self, sequence: VideoSequence) -> dict[int, np.ndarray]:
        """Frame index -> (H, W) uint8, the masks of the objects that start there; all else, void too, is 0."""
        starts = self.starts(sequence)
        found = {}
        for index in sorted(set(starts.values())):
            new = [i for i, start in starts.items() if start == index]
            labels = self.labels(sequence, index)
            found[index] = np.where(np.isin(labels, new), labels, 0).astype(np.uint8)
        return found

    def measured(self, sequence: VideoSequence, starts: Mapping[int, int]) -> dict[int, tuple[int, ...]]:
        """Object id -> indices of the frames on which it is measured; objects with none are left out."""
        frames = sequence.annotated if self.last else sequence.annotated[:-1]
        found = {i: tuple(k for k in frames if k > start) for i, start in sorted(starts.items())}
        return {i: indices for i, indices in found.items() if indices}

    def labels(self, sequence: VideoSequence, index: int) -> np.ndarray:
        """The annotation of a frame, (H, W) uint8, 255 = void; with `merge` every object is 1."""
        labels = sequence.labels(index)
        return np.where((labels > 0) & (labels != IGNORE), 1, labels) if self.merge else labels


DAVIS_2016 = Protocol(merge=True, late=False, last=False)
DAVIS_2017 = Protocol(late=False, last=False)
OPEN = Protocol()  # YouTube-VOS, and any folder of videos


def is_labelled(sequence: VideoSequence) -> bool:
    """Whether some object is annotated again after its first mask; public test sets give no more than that one."""
    known: set[int] = set()
    for index in sequence.annotated:
        ids = set(_ids(sequence.labels(index)))
        if ids & known:
            return True
        known |= ids
    return False


def _ids(labels: np.ndarray) -> list[int]:
    return [int(i) for i in np.unique(labels) if i not in (0, IGNORE)]
