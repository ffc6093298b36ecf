"""Track loss: an object moves little between neighbouring frames, so what is found far from it is not it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor

from camn.config.postprocess import TrackLossOptions
from camn.inference.bodies import Bodies
from camn.inference.parts import Parts, box_of, fitted
from camn.inference.postprocess import OpenSegmenter, Step
from camn.inference.result import strongest
from camn.inference.track import Candidate, Track
from camn.masks import ObjectIds

HALO = 8  # pixels around a removed part in which the object's lesser probabilities go, too


class TrackLoss(Step):
    """Removes what lies far from where an object was, and what beside it or around it is something else."""

    config: TrackLossOptions

    def __init__(self, config: TrackLossOptions, open_segmenter: OpenSegmenter):
        super().__init__(config, open_segmenter)
        self._tracks: Mapping[int, Track] = {}
        self._bodies = Bodies(config, np.zeros((1, 1, 3), np.uint8))

    def given(self, index: int, frame: np.ndarray, objects: ObjectIds, ids: np.ndarray, stated: ObjectIds) -> None:
        """See `Step.given`; an object that is not there stays where it was last seen."""
        before = self._tracks if index else {}
        found = {id: Track.of(index, ids == id) for id in stated if (ids == id).any()}
        self._tracks = {id: found.get(id) or before[id] for id in objects if id in found or id in before}
        bodies = self._bodies if index else Bodies(self.config, self._bodies.picture)
        self._bodies = bodies.given(frame, stated, ids).select(objects)

    def select(self, objects: ObjectIds) -> None:
        self._tracks = {id: track for id, track in self._tracks.items() if id in objects}
        self._bodies = self._bodies.select(objects)

    @property
    def trust(self) -> Mapping[int, float]:
        return self._bodies.trust

    def mended(self, index: int, frame: np.ndarray, objects: ObjectIds, probabilities: Tensor) -> Tensor:
        """(N+1, h, w) -> the same without what is another thing; what may have come back is noted."""
        labels = strongest(probabilities).byte().cpu().numpy()
        mended, tracks, bodies = None, dict(self._tracks), self._bodies.at(frame)
        for id, track in self._tracks.items():
            channel = objects.channel(id)
            mask = labels == channel
            parts = Parts.of(mask)
            if bodies.cut:
                tracks[id], near = replace(track, placed=False), bodies.like(id, parts)
            else:
                now = probabilities if mended is None else mended
                tracks[id], near = self._placed(index, track, parts, now[channel])
            bodies, gone = bodies.judged(id, mask if near.all() else parts.mask(near))
            gone = gone if near.all() else gone | parts.mask(~near)
            if gone.any():
                mended = probabilities.clone() if mended is None else mended
                _take_away(mended, channel, gone, mask & ~gone)
        self._tracks, self._bodies = tracks, bodies
        return probabilities if mended is None else mended

    def remember(self, index: int, objects: ObjectIds, probabilities: Tensor) -> None:
        """Take in where objects are by what was answered."""
        labels = strongest(probabilities).byte().cpu().numpy()
        tracks, bodies = {}, self._bodies
        for id in objects:
            mask = labels == objects.channel(id)
            bodies = bodies.seen(id, mask)
            if track := self._tracks.get(id):
                tracks[id] = track.seen(index, mask, self.config.track_window)
            elif mask.any():
                tracks[id] = Track.of(index, mask)
        self._tracks, self._bodies = tracks, bodies

    # --- inside ------------------------------------------------------------------------------------------------------

    def _placed(self, index: int, track: Track, parts: Parts, probability: Tensor) -> tuple[Track, np.ndarray]:
        """The track with what may be the object come back, and which parts (K,) bool are where the object may be."""
        near = self._near(index, track, parts)
        if near.any() or not len(near):
            return replace(track, candidate=None), near
        candidate = self._candidate(track, parts, probability)
        if candidate and self._returned(index, track, candidate):
            near = self._around(candidate.mask, track, parts)
        return replace(track, candidate=candidate), near

    def _reach(self, diameter: float, size: tuple[int, int], gap: int) -> float:
        """How far a part may lie from where the object was, in pixels of a map of `size`."""
        pixels = max(diameter * size[0], self.config.track_least * min(size))
        return (self.config.track_distance + self.config.track_growth * gap) * pixels

    def _near(self, index: int, track: Track, parts: Parts) -> np.ndarray:
        if not track.placed:
            return np.ones(len(parts.areas), bool)
        region = track.region(parts.size, self.config.track_window)
        reach = self._reach(track.diameter, parts.size, index - track.last - 1)
        return parts.within(reach, region)

    def _around(self, mask: np.ndarray, track: Track, parts: Parts) -> np.ndarray:
        return parts.within(self._reach(track.diameter, parts.size, 0), fitted(mask, parts.size))

    def _candidate(self, track: Track, parts: Parts, probability: Tensor) -> Candidate | None:
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


def _take_away(whole: Tensor, channel: int, parts: np.ndarray, kept: np.ndarray) -> None:
    """From probabilities (N+1, h, w), which are changed, the object of `channel` in the pixels of `parts` and the halo
    around them, but for what is as near to those `kept`; the other channels share what it had. parts, kept (h, w) bool,
    parts somewhere true. Only what lies around these is looked at: there may be many objects."""
    rows, columns = box_of(parts, 2 * HALO)  # what is kept beyond that has no halo in theirs
    probabilities, parts, kept = whole[:, rows, columns], parts[rows, columns], kept[rows, columns]
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * HALO + 1, 2 * HALO + 1))
    around, own = (cv2.dilate(mask.astype(np.uint8), disk).astype(bool) for mask in (parts, kept))
    where = torch.from_numpy(parts | (around & ~own)).to(probabilities.device)
    left = probabilities.clone()
    left[channel].masked_fill_(where, 0)
    left[0] += where * torch.finfo(left.dtype).eps  # where it had everything, the background has it now
    whole[:, rows, columns] = torch.where(where, left / left.sum(0), probabilities)
