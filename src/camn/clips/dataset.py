"""Training clips from videos and from stills set in motion; item i depends on (seed, i) alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from camn.clips.appearance import Appearance, dress
from camn.clips.blur import smear_objects
from camn.clips.lookalikes import join_alike
from camn.clips.motion import Motion, cut
from camn.clips.occluders import join_bars
from camn.clips.options import ClipOptions
from camn.clips.scenes import Film, drawn, from_still, from_video, pass_by, piece_of, relabel
from camn.clips.tracks import follow, join_track
from camn.datasets.pairs import read_image
from camn.datasets.sequence import VideoSequence
from camn.datasets.stills import Still, StillsFolder
from camn.errors import ConfigError, DataError
from camn.masks import IGNORE

__all__ = ["Appearance", "ClipBatch", "ClipDataset", "ClipOptions", "ClipSample", "Motion", "collate"]

DEFAULTS = ClipOptions()
TRIES = 20  # draws of a source before an item is given up; a draw fails where no object is seen well enough


@dataclass(frozen=True)
class ClipSample:
    """frames (T, 3, H, W) uint8 RGB; labels (T, H, W) uint8: 0 background, 1..objects as on frame 0, 255 ignore.

    Every object is seen on frame 0, and may be hidden or gone on later ones. `source` names the files.
    """

    frames: Tensor
    labels: Tensor
    objects: int
    source: str


@dataclass(frozen=True)
class ClipBatch:
    """frames (B, T, 3, H, W) uint8, labels (B, T, H, W) uint8, and for each clip its object count and its source."""

    frames: Tensor
    labels: Tensor
    objects: tuple[int, ...]
    sources: tuple[str, ...]

    def pin_memory(self) -> ClipBatch:
        """Called by a DataLoader with pin_memory=True."""
        return ClipBatch(self.frames.pin_memory(), self.labels.pin_memory(), self.objects, self.sources)


def collate(samples: Sequence[ClipSample]) -> ClipBatch:
    """One batch of clips of the same size and length."""
    return ClipBatch(
        torch.stack([s.frames for s in samples]),
        torch.stack([s.labels for s in samples]),
        tuple(s.objects for s in samples),
        tuple(s.source for s in samples),
    )


def seen_objects(labels: Sequence[np.ndarray], min_area: float) -> list[int]:
    """The ids that cover at least `min_area` of the first frame; none where under 3% of it is background."""
    shares = np.bincount(labels[0].ravel(), minlength=256) / labels[0].size
    ids = [int(i) for i in np.flatnonzero(shares[:IGNORE] >= max(min_area, 1e-9)) if i > 0]
    return ids if shares[0] + sum(shares[1:IGNORE]) - sum(shares[ids]) >= 0.03 else []


def _long_enough(videos: Sequence[VideoSequence], frames: int) -> tuple[VideoSequence, ...]:
    """Those with so many annotated frames. Raises DataError if there are none."""
    found = tuple(video for video in videos if len(video.annotated) >= frames)
    if not found:
        longest = max(videos, key=lambda video: len(video.annotated), default=None)
        most = f"the longest, {longest.name}, has {len(longest.annotated)}" if longest else "there are no videos at all"
        raise DataError(
            f"clips of {frames} frames: no video has that many frames with a mask; {most}. Annotate more, or ask for "
            "shorter clips"
        )
    return found


class ClipDataset(Dataset):
    """A map-style dataset of `length` random clips. Item i is the same in every process, order and run.

    videos: sequences to take clips from; those with fewer annotated frames than a clip has are left out. stills:
    pictures to set in motion and to cut objects from. Either may be None.
    Raises ConfigError without both; DataError where a file is broken, no object is found or no video is long enough.
    """

    def __init__(
        self,
        videos: Sequence[VideoSequence] | None,
        stills: StillsFolder | None,
        options: ClipOptions = DEFAULTS,
        seed: int = 0,
        length: int = 1_000_000,
    ):
        if videos is None and stills is None:
            raise ConfigError("a clip dataset needs videos, a folder of stills, or both")
        if seed < 0 or length < 1:
            raise ConfigError(f"clip dataset: seed {seed} must not be negative and length {length} must be at least 1")
        self.videos = None if videos is None else _long_enough(videos, options.frames)
        self.stills, self.options, self.seed, self.length = stills, options, seed, length
        self._reach = np.zeros(0)
        if stills is not None:
            weight = dict(options.weights)
            reach = np.cumsum([weight.get(still.kind, 1.0) for still in stills.stills])
            if reach[-1] <= 0:
                raise ConfigError(f"clip options: weights {options.weights} leave no still of {stills.root} to draw")
            self._reach = reach / reach[-1]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> ClipSample:
        if not 0 <= index < self.length:
            raise IndexError(index)
        if get_worker_info() is not None:  # a loader's processes are many: threads would get in their way
            cv2.setNumThreads(0)
        rng = np.random.default_rng((self.seed, index))
        tried = []
        for _ in range(TRIES):
            film, source = self._stage(rng)
            tried.append(source)
            ids = seen_objects(film[1], self.options.min_area) if film else []
            if film and ids:
                return self._sample(dress(rng, film[0], self.options.appearance), film[1], ids, source)
        raise DataError(
            f"clip {index} of seed {self.seed}: none of {TRIES} draws shows an object of at least "
            f"{self.options.min_area:.1%} of the crop; look at {tried[-1]}, or lower min_area"
        )

    def _sample(self, frames: list[np.ndarray], labels: list[np.ndarray], ids: list[int], source: str) -> ClipSample:
        pictures = torch.from_numpy(np.stack([np.ascontiguousarray(f.transpose(2, 0, 1)) for f in frames]))
        return ClipSample(pictures, torch.from_numpy(np.stack([relabel(a, ids) for a in labels])), len(ids), source)

    def _still(self, rng: np.random.Generator) -> Still:
        assert self.stills is not None
        return self.stills.stills[int(np.searchsorted(self._reach, rng.random(), side="right"))]

    def _stage(self, rng: np.random.Generator) -> tuple[Film | None, str]:
        """One draw: the frames and labels of a clip (None if it shows no object), and the names of its files."""
        options = self.options
        is_video = self.stills is None or (self.videos is not None and rng.random() < options.video_share)
        if is_video:
            assert self.videos is not None
            sequence = self.videos[int(rng.integers(len(self.videos)))]
            film, source = from_video(rng, sequence, options), str(sequence.frames[0].parent)
        else:
            still = self._still(rng)
            behind = self._still(rng) if rng.random() < options.layered else None
            film, source = from_still(rng, still, behind, options), str(still.image)
        if film is None:
            return None, source
        if drawn(rng, options.alike):
            film = join_alike(rng, film, options)
        if self.videos is not None and drawn(rng, options.track):
            film, source = self._tracks(rng, film, source)
        if rng.random() < options.twin:
            film = self._twin(rng, film)
        if self.stills is not None and rng.random() < options.paste:
            still = self._still(rng)
            piece = piece_of(rng, still, options)
            if piece is not None:
                film, source = pass_by(rng, film, piece, options), f"{source} + {still.image}"
        if drawn(rng, options.bars):
            texture = film[0][0] if self.stills is None else read_image(self._still(rng).image)
            film = join_bars(rng, film, texture, options)
        if drawn(rng, options.smear):
            film = smear_objects(rng, *film), film[1]
        return film, source

    def _tracks(self, rng: np.random.Generator, film: Film, source: str) -> tuple[Film, str]:
        """The film with objects of one or more videos, by chance several of one video, and the names of its files."""
        assert self.videos is not None
        sequence = self.videos[int(rng.integers(len(self.videos)))]
        for _ in range(int(rng.integers(1, self.options.tracks + 1))):
            track = follow(rng, sequence, self.options)
            if track is not None:
                film, source = join_track(rng, film, track, self.options), f"{source} + {sequence.frames[0].parent}"
            if track is None or rng.random() < 0.7:
                sequence = self.videos[int(rng.integers(len(self.videos)))]
        return film, source

    def _twin(self, rng: np.random.Generator, film: Film) -> Film:
        """The film with a copy of one of its objects going its own way: looks alone no longer tell which is meant."""
        ids = seen_objects(film[1], self.options.min_area)
        if not ids:
            return film
        piece = cut(film[0][0], film[1][0] == int(rng.choice(ids)))
        return pass_by(rng, film, piece, self.options, zoom=rng.uniform(0.8, 1.2))
