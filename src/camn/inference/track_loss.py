"""Track loss: an object moves little between neighbouring frames, so what is found far from it is not it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from camn.config.postprocess import TrackLossOptions
from camn.inference.postprocess import OpenSegmenter, Step
from camn.inference.result import strongest
from camn.masks import ObjectIds

FADE = 0.9  # area and diameter shrink by this a frame at most: what leaves at the border ends as a sliver
HALO = 8  # pixels around a removed part in which the object's lesser probabilities go, too
NEVER = -(1 << 30)


@dataclass(frozen=True, eq=False)
class Candidate:
    """What may be an object come back: its mask (h, w) bool, and on how many frames in succession it was found."""

    mask: np.ndarray
    frames: int


@dataclass(frozen=True, eq=False)
class Track:
    """Where an object was.

    stamps (h, w) int32: the frame on which each pixel was last the object's. last: the frame it was last seen on.
    area: share of the frame, diameter: share of the frame's height, of late.
    """

    stamps: np.ndarray
    last: int
    area: float
    diameter: float
    candidate: Candidate | None = None

    @classmethod
    def of(cls, index: int, mask: np.ndarray) -> Track:
        """mask (h, w) bool, somewhere true."""
        stamps = np.where(mask, np.int32(index), np.int32(NEVER))
        return cls(stamps, index, np.count_nonzero(mask) / mask.size, _diameter(mask))

    def seen(self, index: int, mask: np.ndarray) -> Track:
        """With one frame more: mask (h, w) bool, empty where the object was not seen."""
        if not mask.any():
            return self
        new = Track.of(index, mask)
        if new.stamps.shape == self.stamps.shape:
            new = replace(new, stamps=np.maximum(new.stamps, self.stamps))
        return replace(new, area=max(new.area, FADE * self.area), diameter=max(new.diameter, FADE * self.diameter))

    def region(self, size: tuple[int, int], window: int) -> np.ndarray:
        """(h, w) bool: where it was on the last `window` frames up to the one that it was last seen on."""
        return _fitted(self.stamps > self.last - window, size)


class TrackLoss(Step):
    """Removes what lies far from where an object was."""

    config: TrackLossOptions

    def __init__(self, config: TrackLossOptions, open_segmenter: OpenSegmenter):
        super().__init__(config, open_segmenter)
        self._tracks: Mapping[int, Track] = {}

    def given(self, index: int, frame: np.ndarray, objects: ObjectIds, ids: np.ndarray) -> None:
        """See `Step.given`; an object that is not there stays where it was last seen."""
        before = self._tracks if index else {}
        found = {id: Track.of(index, ids == id) for id in objects if (ids == id).any()}
        self._tracks = {id: found.get(id) or before[id] for id in objects if id in found or id in before}

    def select(self, objects: ObjectIds) -> None:
        self._tracks = {id: track for id, track in self._tracks.items() if id in objects}

    def mended(self, index: int, frame: np.ndarray, objects: ObjectIds, probabilities: Tensor) -> Tensor:
        """(N+1, h, w) -> the same without parts that are far; what may have come back is noted."""
        labels = strongest(probabilities).cpu().numpy()
        tracks = dict(self._tracks)
        for id, track in self._tracks.items():
            channel = objects.channel(id)
            parts = _Parts.of(labels == channel)
            near = self._near(index, track, parts)
            if not near.any() and len(near):
                candidate = self._candidate(track, parts, probabilities[channel])
                tracks[id] = replace(track, candidate=candidate)
                if candidate and self._returned(index, track, candidate):
                    near = self._around(candidate.mask, track, parts)
            else:
                tracks[id] = replace(track, candidate=None)
            if not near.all():
                probabilities = _taken_away(probabilities, channel, parts.mask(~near), parts.mask(near))
        self._tracks = tracks
        return probabilities

    def remember(self, index: int, objects: ObjectIds, probabilities: Tensor) -> None:
        """Take in where objects are by what was answered."""
        labels = strongest(probabilities).cpu().numpy()
        tracks = {}
        for id in objects:
            mask = labels == objects.channel(id)
            if track := self._tracks.get(id):
                tracks[id] = track.seen(index, mask)
            elif mask.any():
                tracks[id] = Track.of(index, mask)
        self._tracks = tracks

    # --- inside ------------------------------------------------------------------------------------------------------

    def _reach(self, diameter: float, size: tuple[int, int], gap: int) -> float:
        """How far a part may lie from where the object was, in pixels of a map of `size`."""
        pixels = max(diameter * size[0], self.config.track_least * min(size))
        return (self.config.track_distance + self.config.track_growth * gap) * pixels

    def _near(self, index: int, track: Track, parts: _Parts) -> np.ndarray:
        region = track.region(parts.size, self.config.track_window)
        reach = self._reach(track.diameter, parts.size, index - track.last - 1)
        return parts.within(reach, region)

    def _around(self, mask: np.ndarray, track: Track, parts: _Parts) -> np.ndarray:
        return parts.within(self._reach(track.diameter, parts.size, 0), _fitted(mask, parts.size))

    def _candidate(self, track: Track, parts: _Parts, probability: Tensor) -> Candidate | None:
        """The largest part that is sure and large enough; near the one before it counts as the same."""
        sure = parts.means(probability.cpu().numpy()) >= self.config.track_confidence
        areas = np.where(sure, parts.areas, 0)
        best = int(areas.argmax())
        if areas[best] < max(1, self.config.track_area * track.area * parts.labels.size):
            return None
        before, mask = track.candidate, parts.labels == best + 1
        same = before is not None and self._around(before.mask, track, parts)[best]
        return Candidate(mask, before.frames + 1 if before and same else 1)

    def _returned(self, index: int, track: Track, candidate: Candidate) -> bool:
        return candidate.frames >= self.config.track_confirm and index - track.last > self.config.track_lost


@dataclass(frozen=True, eq=False)
class _Parts:
    """Connected components of a mask: labels (h, w) int32, 0 outside; areas (K,) in pixels, label k + 1's at k."""

    labels: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> _Parts:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
        return cls(labels, stats[1:, cv2.CC_STAT_AREA])

    @property
    def size(self) -> tuple[int, int]:
        return self.labels.shape[0], self.labels.shape[1]

    def mask(self, chosen: np.ndarray) -> np.ndarray:
        """chosen (K,) bool -> (h, w) bool."""
        return np.concatenate([[False], chosen])[self.labels]

    def means(self, values: np.ndarray) -> np.ndarray:
        """values (h, w) -> (K,): their mean in each part."""
        sums = np.bincount(self.labels.ravel(), values.ravel(), len(self.areas) + 1)
        return sums[1:] / self.areas

    def within(self, reach: float, region: np.ndarray) -> np.ndarray:
        """(K,) bool: the parts with a pixel at most `reach` pixels from a region (h, w) bool that is somewhere true."""
        near = np.zeros(len(self.areas) + 1, bool)
        near[self.labels[region]] = True
        if not near[1:].all():
            distance = cv2.distanceTransform((~region).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            near[self.labels[distance <= reach]] = True
        return near[1:]


def _diameter(mask: np.ndarray) -> float:
    _, _, width, height = cv2.boundingRect(mask.view(np.uint8))
    return max(width, height) / mask.shape[0]


def _fitted(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool -> (h, w) bool, true wherever any of it is, so that nothing small vanishes."""
    if mask.shape == size:
        return mask
    smaller = mask.shape[0] >= size[0]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(mask.astype(np.float32), size[::-1], interpolation=way) > 0


def _taken_away(probabilities: Tensor, channel: int, parts: np.ndarray, kept: np.ndarray) -> Tensor:
    """(N+1, h, w) without the object of `channel` in the pixels of `parts` and the halo around them, but for what is as
    near to those `kept`; the other channels share what it had. parts, kept (h, w) bool."""
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * HALO + 1, 2 * HALO + 1))
    around, own = (cv2.dilate(mask.astype(np.uint8), disk).astype(bool) for mask in (parts, kept))
    where = torch.from_numpy(parts | (around & ~own)).to(probabilities.device)
    left = probabilities.clone()
    left[channel].masked_fill_(where, 0)
    left[0] += where * torch.finfo(left.dtype).eps  # where it had everything, the background has it now
    return torch.where(where, left / left.sum(0), probabilities)
