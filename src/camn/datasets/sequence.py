"""One video of a data set: frame files, and masks for all or some of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from camn.datasets.labels import LabelFiles
from camn.datasets.pairs import is_binary, pair_folders, read_image, read_pair
from camn.datasets.videos import read_frames, video_of
from camn.errors import DataError
from camn.masks import IGNORE
from camn.media.name_order import frame_order


@dataclass(frozen=True)
class VideoSequence:
    """Frame files in order, and for each its mask file, or None where the frame is not annotated.

    A sequence whose masks hold 0 and 255 alone, as in DAVIS 2016's own download or as drawn by hand, shows one object,
    of id 1; in any other 255 is void.
    """

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path | None, ...]

    def __len__(self) -> int:
        return len(self.frames)

    @cached_property
    def annotated(self) -> tuple[int, ...]:
        """The indices of the frames that have a mask."""
        return tuple(index for index, mask in enumerate(self.masks) if mask is not None)

    @cached_property
    def files(self) -> LabelFiles:
        """Its masks, to be read as they are."""
        return LabelFiles(tuple(mask for mask in self.masks if mask is not None))

    @cached_property
    def _binary(self) -> bool:
        """Whether the first mask that is not empty holds 0 and 255 alone. Reads it."""
        marked = (self.files.read(self.mask(index)) for index in self.annotated)
        return is_binary(next((labels for labels in marked if labels.any()), np.zeros((1, 1), np.uint8)))

    def mask(self, index: int) -> Path:
        """The mask file of a frame. Raises DataError where it has none."""
        mask = self.masks[index]
        if mask is None:
            raise DataError(f"{self.frames[index]}: the frame has no mask; only {len(self.annotated)} frames have one")
        return mask

    def labels(self, index: int) -> np.ndarray:
        """The mask of a frame, (H, W) uint8 (255 = ignore). Raises DataError."""
        return self._as_ids(self.files.read(self.mask(index)))

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame (H, W, 3) uint8 RGB and labels (H, W) uint8 (255 = ignore). Raises DataError."""
        frame, labels = read_pair(self.frames[index], self.mask(index), self.files)
        return frame, self._as_ids(labels)

    def pictures(self) -> Iterator[np.ndarray]:
        """All frames in order, (H, W, 3) uint8 RGB; of a video just as they are decoded. Raises DataError."""
        return read_frames(self.frames) if video_of(self.frames[0]) else map(read_image, self.frames)

    def _as_ids(self, labels: np.ndarray) -> np.ndarray:
        return (labels > 0).astype(np.uint8) if is_binary(labels) and self._binary else labels


def first_seen(sequence: VideoSequence) -> dict[int, tuple[int, ...]]:
    """The frames on which objects appear: index -> ids that no mask before it holds. Reads every mask."""
    known: set[int] = set()
    found = {}
    for index in sequence.annotated:
        new = set(np.unique(sequence.labels(index)).tolist()) - {0, IGNORE} - known
        if new:
            found[index] = tuple(sorted(new))
            known |= new
    return found


def sequence_of(name: str, frames: Path, masks: Path, sparse: bool) -> tuple[VideoSequence | None, list[str]]:
    """(the sequence of two folders, None where nothing pairs; the problems). sparse: frames may lack a mask."""
    pairs, problems = pair_folders(frames, masks, sparse)
    if not pairs:
        return None, problems
    key, _ = frame_order([frame.stem for frame, _ in pairs])  # frame 2 before frame 10
    pairs = sorted(pairs, key=lambda pair: key(pair[0].stem))
    return VideoSequence(name, tuple(frame for frame, _ in pairs), tuple(mask for _, mask in pairs)), problems
