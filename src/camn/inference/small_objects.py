"""Small objects, segmented again on an enlarged crop of the frame around them, each by its own segmenter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from camn.config.postprocess import SmallObjectsOptions
from camn.errors import AnswerError
from camn.inference.crops import Crop, OnCrop, Place, Shown, work_on
from camn.inference.parts import Parts
from camn.inference.postprocess import OpenSegmenter, Step
from camn.inference.result import not_finite, strongest
from camn.masks import ObjectIds

SURE = 0.7  # mean probability from which the whole frame's prediction says where an object is that its crop lost
WHOLE = 0.9  # share of an object that its largest part must have to be taken up on crops
CALM = 1.5  # most by which its area may change in a frame by then: what goes behind something changes faster
NEAR = 3  # pixels at work within which another object touches it, and may hide some of it
EPSILON = 1e-6


@dataclass(frozen=True)
class Small:
    """On how many frames in succession an object was small and whole that is not on crops, and its place by now."""

    frames: int
    place: Place


class SmallObjects(Step):
    """Segments small objects again on crops that follow them.

    On its crops an object is followed alone, with the memory of these crops, the one of the user's mask always among
    them. So one that was lost there is looked for again wherever the whole frame's prediction has it. Which objects are
    small, says `work_on`: those given are judged by their masks, all others on every frame by what is answered.
    """

    config: SmallObjectsOptions

    def __init__(self, config: SmallObjectsOptions, open_segmenter: OpenSegmenter):
        super().__init__(config, open_segmenter)
        self._shown: Mapping[int, Shown] = {}
        self._crops: Mapping[int, Crop] = {}
        self._new: frozenset[int] = frozenset()  # given on the frame last seen, and not yet judged
        self._small: Mapping[int, Small] = {}

    def given(self, index: int, frame: np.ndarray, objects: ObjectIds, ids: np.ndarray, stated: ObjectIds) -> None:
        """See `Step.given`."""
        if not index:
            self._shown, self._crops, self._new, self._small = {}, {}, frozenset(), {}
        shown, before = dict(self._shown), self._crops
        crops = {id: crop for id, crop in before.items() if id not in stated}
        for id in stated:
            mask = ids == id
            if id in before and (crop := before[id].corrected(mask)):
                crops[id] = crop
            if now := Shown.of(frame, mask, self.config):
                shown[id] = now
        new = {id for id in stated if id in shown and id not in crops}
        self._shown, self._crops, self._new = shown, crops, (self._new - set(stated)) | new
        self._small = {id: small for id, small in self._small.items() if id not in stated}

    def select(self, objects: ObjectIds) -> None:
        self._shown = {id: shown for id, shown in self._shown.items() if id in objects}
        self._crops = {id: crop for id, crop in self._crops.items() if id in objects}
        self._small = {id: small for id, small in self._small.items() if id in objects}
        self._new = self._new & set(objects)

    def mended(self, index: int, frame: np.ndarray, objects: ObjectIds, probabilities: Tensor) -> Tensor:
        """(N+1, h, w) -> the same with what was found on the crops of frame (H, W, 3)."""
        try:
            mended = self._mended(frame, objects, probabilities)
            self._take_up(frame, objects, mended)
        except AnswerError:  # which counts the frames of its crop
            raise not_finite(index, " on the crop of a small object") from None
        return mended

    # --- inside ------------------------------------------------------------------------------------------------------

    def _mended(self, frame: np.ndarray, objects: ObjectIds, probabilities: Tensor) -> Tensor:
        size = (probabilities.shape[1], probabilities.shape[2])
        crops = {id: crop for id, crop in self._crops.items() if not crop.outgrown(self.config, len(frame), size)}
        crops = self._with_new(crops, {id: self._shown[id].place for id in self._new}, len(frame), size)
        found = {}
        for id, crop in crops.items():
            window = crop.expected(self.config, len(frame), size)
            channel = objects.channel(id)
            crop, on_crop = crop.followed(window, frame, self.config)
            if on_crop is None:
                crop = _looked_for(crop, probabilities, channel)
            else:
                found[channel] = on_crop
            crops[id] = crop
        self._crops, self._new = crops, frozenset()
        return _pasted(probabilities, found) if found else probabilities

    def _with_new(
        self, crops: Mapping[int, Crop], places: Mapping[int, Place], height: int, size: tuple[int, int]
    ) -> dict[int, Crop]:
        """With crops of further objects, by where these are: the smallest first, as long as there is room."""
        crops = dict(crops)
        for id in sorted(places, key=lambda id: places[id].area):
            if len(crops) < self.config.small_most and (crop := self._opened(id, places[id], height, size)):
                crops[id] = crop
        return crops

    def _opened(self, id: int, place: Place, height: int, size: tuple[int, int]) -> Crop | None:
        """The crops of an object that is at `place`; None where it is too large for them."""
        work = work_on(place, self.config, height, size)
        if work is None:
            return None
        segmenter = self._open(work)
        if not self._shown[id].start(segmenter):
            return None
        return Crop(segmenter, place.around(self.config, height, size), place)

    def _take_up(self, frame: np.ndarray, objects: ObjectIds, probabilities: Tensor) -> None:
        """Follow on crops, too, what has been small for some frames by what was answered for them."""
        small, size = dict(self._still_small(objects, probabilities)), (probabilities.shape[1], probabilities.shape[2])
        steady = {id: one.place for id, one in small.items() if one.frames >= self.config.small_steady}
        crops = self._with_new(self._crops, steady, len(frame), size)
        for id in crops.keys() - self._crops.keys():
            crops[id] = crops[id].seen(frame, probabilities[objects.channel(id)].cpu().numpy())
        self._small, self._crops = small, crops

    def _still_small(self, objects: ObjectIds, probabilities: Tensor) -> Iterator[tuple[int, Small]]:
        """Objects that are not on crops, and are small by what was answered for a frame."""
        if not (others := [id for id in self._shown if id not in self._crops]):
            return
        labels = strongest(probabilities).cpu().numpy()
        counts = np.bincount(labels.ravel(), minlength=len(probabilities))
        for id in others:
            channel = objects.channel(id)
            if not 0 < counts[channel] < self.config.small_area * labels.size:
                continue
            part = _surest(labels == channel, probabilities[channel])
            if part is None or not _is_whole(part, labels, counts[channel]):
                continue
            place, before = Place.of(part), self._small.get(id)
            calm = before is not None and 1 / CALM <= place.area / before.place.area <= CALM
            yield id, Small(1 + (before.frames if before and calm else 0), place)


def _looked_for(crop: Crop, probabilities: Tensor, channel: int) -> Crop:
    """Where the whole frame's prediction has the object, if it is sure of it."""
    part = _surest(strongest(probabilities).cpu().numpy() == channel, probabilities[channel])
    return crop if part is None else replace(crop, place=replace(crop.place, center=Place.of(part).center))


def _surest(mask: np.ndarray, probability: Tensor) -> np.ndarray | None:
    """The largest part of what the whole frame's prediction has of an object, if it is sure of it: mask (h, w) bool,
    probability (h, w)."""
    parts = Parts.of(mask)
    if not len(parts.areas):
        return None
    part = parts.labels == 1 + parts.areas.argmax()
    return part if float(probability.cpu().numpy()[part].mean()) >= SURE else None


def _is_whole(part: np.ndarray, labels: np.ndarray, count: int) -> bool:
    """Whether a part (h, w) bool of an object that has `count` pixels of labels (h, w) is all of it, as far as can be
    seen: it has most of them, and neither the frame's edge nor another object cuts it off."""
    if np.count_nonzero(part) < WHOLE * count or part[0].any() or part[-1].any() or part[:, [0, -1]].any():
        return False
    around = cv2.dilate(part.view(np.uint8), np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)) > 0
    return not (around & (labels > 0) & (labels != labels[part][0])).any()


def _pasted(probabilities: Tensor, found: Mapping[int, OnCrop]) -> Tensor:
    """(N+1, h, w) -> the same with what was found on crops, by channel.

    An object has its crop's probability, and the others share the rest as they did; where crops overlap, their objects'
    odds against the rest are joined as in soft aggregation. An object that is whole on its crop has nothing outside;
    of one that is not, the change fades to nothing towards the window's border.
    """
    channels = list(found)
    values, weight = torch.stack([one.planes(probabilities) for one in found.values()], 1)
    own = (weight * values + (1 - weight) * probabilities[channels]).clamp(0, 1 - EPSILON)
    joined = probabilities.clone()
    joined[channels] = 0
    joined[0] += EPSILON
    joined[channels] = own / (1 - own) * joined.sum(0)
    most = weight.amax(0)
    return most * joined / joined.sum(0) + (1 - most) * probabilities
