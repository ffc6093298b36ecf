"""Small objects, segmented again on an enlarged crop of the frame around them, each by its own segmenter."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from camn.config.postprocess import SmallObjectsOptions
from camn.errors import AnswerError
from camn.inference.postprocess import OpenSegmenter, Step
from camn.inference.result import not_finite, strongest
from camn.inference.segmenter import Segmenter
from camn.inference.window import Window
from camn.masks import ObjectIds

ID = 1  # of the object in its own segmenter
SURE = 0.7  # mean probability from which the whole frame's prediction says where an object is that its crop lost
STEADY = 0.5  # share of the former velocity in the new one: a shaking camera is not followed to and fro
EPSILON = 1e-6

Point = tuple[float, float]  # (y, x) in shares of the frame's height and width


@dataclass(frozen=True, eq=False)
class Crop:
    """A small object followed on crops.

    window: the one last cut. center: where the object is; velocity: how far it moves a frame. diameter: when the crop's
    side was last chosen, in shares of the frame's height. area: share of the frame, when last found.
    """

    segmenter: Segmenter
    window: Window
    center: Point
    velocity: Point
    diameter: float
    area: float


@dataclass(frozen=True, eq=False)
class OnCrop:
    """What was found on a crop: the object's probability (side, side) in the window. whole: no pixel of the object lies
    in the window's margin, so that there is nothing of it outside."""

    window: Window
    values: np.ndarray
    whole: bool

    def planes(self, like: Tensor) -> Tensor:
        """(2, h, w): the object's probability on the frame, 0 outside the window, and how much it counts, 0..1."""
        planes = like.new_zeros(2, *self.window.size)
        rows, columns = self.window.slices
        planes[0, rows, columns] = torch.from_numpy(self.values).to(planes)
        planes[1, rows, columns] = torch.from_numpy(self.window.weight()).to(planes)
        return planes if not self.whole else torch.stack([planes[0], torch.ones_like(planes[1])])


class SmallObjects(Step):
    """Segments small objects again on crops that follow them.

    On its crops an object is followed alone, with the memory of these crops, the one of the user's mask always among
    them. So one that was lost there is looked for again wherever the whole frame's prediction has it.
    """

    config: SmallObjectsOptions

    def __init__(self, config: SmallObjectsOptions, open_segmenter: OpenSegmenter):
        super().__init__(config, open_segmenter)
        self._crops: Mapping[int, Crop] = {}

    def given(self, index: int, frame: np.ndarray, objects: ObjectIds, ids: np.ndarray) -> None:
        """frame (H, W, 3) with ids (H, W) that are right; the frame last seen, unless it is the first."""
        before = self._crops if index else {}
        crops = {}
        for id in objects:
            if crop := self._given(before.get(id), frame, ids == id):
                crops[id] = crop
        self._crops = crops

    def select(self, objects: ObjectIds) -> None:
        self._crops = {id: crop for id, crop in self._crops.items() if id in objects}

    def mended(self, index: int, frame: np.ndarray, objects: ObjectIds, probabilities: Tensor) -> Tensor:
        """(N+1, h, w) -> the same with what was found on the crops of frame (H, W, 3)."""
        if not self._crops:
            return probabilities
        try:
            return self._mended(frame, objects, probabilities)
        except AnswerError:  # which counts the frames of its crop
            raise not_finite(index, " on the crop of a small object") from None

    # --- inside ------------------------------------------------------------------------------------------------------

    def _mended(self, frame: np.ndarray, objects: ObjectIds, probabilities: Tensor) -> Tensor:
        labels = strongest(probabilities).cpu().numpy()
        crops, found = {}, {}
        for id, crop in self._crops.items():
            channel = objects.channel(id)
            window = self._window(crop, frame.shape[0], labels.shape)
            if window.side >= _work(crop.segmenter):
                continue  # large by now: the crop would not be enlarged
            crop, on_crop = self._followed(crop, window, frame)
            if on_crop is None:
                crop = _looked_for(crop, labels == channel, probabilities[channel])
            else:
                found[channel] = on_crop
            crops[id] = crop
        self._crops = crops
        return _pasted(probabilities, found) if found else probabilities

    def _window(self, crop: Crop, height: int, size: tuple[int, ...]) -> Window:
        """Around where the object is expected. height: of the frame, in pixels. size (h, w): the window's grid."""
        center = crop.center[0] + crop.velocity[0], crop.center[1] + crop.velocity[1]
        side = max(self.config.small_context * crop.diameter, self.config.small_least / height)
        return Window.around(center, side, (size[0], size[1]))

    def _given(self, crop: Crop | None, frame: np.ndarray, mask: np.ndarray) -> Crop | None:
        """mask (H, W) bool: where the object is on the frame."""
        if crop and not mask[~crop.window.inside(mask.shape)].any():
            segmenter = copy(crop.segmenter)
            segmenter.correct(_cut(mask, crop.window, segmenter), [ID])
            return replace(crop, segmenter=segmenter)
        if not 0 < np.count_nonzero(mask) < self.config.small_area * mask.size:
            return None
        center, diameter = _place(mask)
        segmenter = self._open(self.config.small_work)
        crop = Crop(segmenter, Window(0, 0, 1, (1, 1)), center, (0, 0), diameter, np.count_nonzero(mask) / mask.size)
        window = self._window(crop, len(mask), mask.shape)
        cut = _cut(mask, window, segmenter)
        if not cut.any():
            return None
        segmenter.start(window.cut(frame, _work(segmenter)), cut)
        return replace(crop, window=window)

    def _followed(self, crop: Crop, window: Window, frame: np.ndarray) -> tuple[Crop, OnCrop | None]:
        """With one frame more, and what was found of the object, None if it was not."""
        segmenter = copy(crop.segmenter)
        result = segmenter.step(window.cut(frame, _work(segmenter)))
        crop = replace(crop, segmenter=segmenter, window=window)
        mask = result.ids == ID
        share = window.side**2 / (window.size[0] * window.size[1])
        area = np.count_nonzero(mask) / mask.size * share
        least = self.config.small_lost
        if ID in result.lost or area < least * crop.area or area * least > crop.area:
            return replace(crop, velocity=(0, 0)), None
        (y, x), diameter = _place(mask)
        center = window.to_frame(y, x)
        velocity = tuple(
            STEADY * before + (1 - STEADY) * (now - at)
            for before, now, at in zip(crop.velocity, center, crop.center, strict=True)
        )
        diameter *= window.side / window.size[0]
        change = self.config.small_change
        if crop.diameter / change <= diameter <= crop.diameter * change:
            diameter = crop.diameter
        crop = replace(crop, center=center, velocity=velocity, diameter=diameter, area=area)
        values = window.brought_back(result.probability(ID))
        whole = not (values[window.weight() < 1] > 0.5).any()
        return crop, OnCrop(window, values, whole)


def _work(segmenter: Segmenter) -> int:
    """Side in pixels at which it works on crops: they are cut so, and not resized twice."""
    asked = segmenter.config.short_side
    return segmenter.network.work_size(asked, asked, asked, segmenter.config.max_side)[0]


def _cut(mask: np.ndarray, window: Window, segmenter: Segmenter) -> np.ndarray:
    """mask (H, W) bool -> the window's, (work, work) uint8 of `ID`."""
    return (window.cut(mask.astype(np.float32), _work(segmenter)) > 0.5).astype(np.uint8) * np.uint8(ID)


def _place(mask: np.ndarray) -> tuple[Point, float]:
    """mask (H, W) bool, somewhere true -> the centre of its pixels, its diameter in shares of the height."""
    ys, xs = np.nonzero(mask)
    center = (float(ys.mean()) + 0.5) / mask.shape[0], (float(xs.mean()) + 0.5) / mask.shape[1]
    return center, float(max(np.ptp(ys), np.ptp(xs)) + 1) / mask.shape[0]


def _looked_for(crop: Crop, mask: np.ndarray, probability: Tensor) -> Crop:
    """Where the whole frame's prediction has the object: mask (h, w) bool, probability (h, w); if it is sure of it."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    if len(stats) < 2:
        return crop
    part = labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
    sure = float(probability.cpu().numpy()[part].mean()) >= SURE
    return replace(crop, center=_place(part)[0]) if sure else crop


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
