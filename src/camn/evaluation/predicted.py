"""The predictions of a sequence, by frame, with the ids of its annotations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from camn.datasets.labels import LabelFiles
from camn.datasets.pairs import by_frame, is_binary
from camn.datasets.sequence import VideoSequence
from camn.errors import DataError
from camn.evaluation.jf import region_similarity
from camn.evaluation.protocol import Protocol
from camn.evaluation.scores import ObjectScores
from camn.masks import IGNORE
from camn.masks.frame_names import is_image_name

MISSED, FOUND = 0.2, 0.5  # mean J of an object below the one, under another id above the other: ids look exchanged
LOOKS = 8  # frames that are looked at for that


class PredictedMasks:
    """The masks FOLDER/FRAME.png of a sequence. known: its objects' ids; palettes with the annotations' colours in
    another order are read by these. merge: all ids are one object. strange: stems of files of no frame."""

    def __init__(self, folder: Path, sequence: VideoSequence, known: Sequence[int], merge: bool):
        self.folder, self.known = folder, list(known)
        self._sequence, self._merge = sequence, merge
        files = [path for path in sorted(folder.iterdir()) if path.name[:1] != "."]
        stems = {path.stem: path for path in files if path.suffix.lower() == ".png"}
        self._other = next((path.name for path in files if path.stem not in stems and is_image_name(path.name)), "")
        self.by_stem, self.strange = by_frame([frame.stem for frame in sequence.frames], stems)

    @cached_property
    def files(self) -> LabelFiles:
        like = {code: id for code, id in self._sequence.files.colours().items() if id in self.known}
        return LabelFiles(tuple(self.by_stem.values()), like)

    def path(self, index: int) -> Path:
        """Of a frame's mask, whether it is there or not."""
        stem = self._sequence.frames[index].stem
        return self.by_stem.get(stem, self.folder / f"{stem}.png")

    def read(self, index: int) -> np.ndarray:
        """(H, W) uint8 ids of a frame; a mask of 0 and 255 alone is of the object, where there is one. Raises DataError
        with the reason, the file not named where it is missing."""
        if not self.path(index).is_file():
            other = f" ({self._other} is not read: masks must be PNG)" if self._other else ""
            raise DataError(f"missing; every frame that is measured needs a mask{other}")
        labels = self.files.read(self.path(index))
        alone = self._merge or (len(self.known) == 1 and is_binary(labels))
        return np.where(labels > 0, self.known[0], 0).astype(np.uint8) if alone else labels

    def misnamed(self, one: ObjectScores, protocol: Protocol) -> str:
        """A sentence if an object that was missed is there under another id, or as background; else empty."""
        if one.j.mean >= MISSED:
            return ""
        frames = one.frames[:: -(-len(one.frames) // LOOKS)]
        found: dict[int, list[float]] = defaultdict(list)
        for index in frames:
            theirs, ours = protocol.labels(self._sequence, index), self.read(index)
            for number in np.unique(ours[theirs == one.id]).tolist() if ours.any() else ():
                found[number].append(region_similarity(ours == number, theirs == one.id, theirs == IGNORE))
        best = max(found, key=lambda number: sum(found[number]), default=one.id)
        mean = sum(found[best]) / len(frames)
        if best == one.id or mean < FOUND:
            return ""
        name = f"object {best}" if best else "background"
        return (
            f"what the predictions call {name} lies where the annotations have object {one.id} (J {mean:.2f}, that of "
            f"the object is {one.j.mean:.2f}); are ids or palettes in another order, or masks inverted?"
        )
