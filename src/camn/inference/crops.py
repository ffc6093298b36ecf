"""One object followed on crops: enlarged windows of the frames that go with it, segmented by a segmenter of its own."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from camn.config.postprocess import SmallObjectsOptions
from camn.inference.segmenter import Prediction, Segmenter
from camn.inference.window import Window

ID = 1  # of the object in its own segmenter
STEADY = 0.5  # share of the former velocity in the new one: a shaking camera is not followed to and fro

Size = tuple[int, int]  # (h, w)


@dataclass(frozen=True)
class Place:
    """Where an object is. center: (y, x) in shares of the frame's height and width. diameter: in shares of the frame's
    height. area: share of the frame."""

    center: tuple[float, float]
    diameter: float
    area: float

    @classmethod
    def of(cls, mask: np.ndarray) -> Place:
        """mask (h, w) bool of the whole frame, somewhere true."""
        (height, width), (ys, xs) = mask.shape, np.nonzero(mask)
        center = (float(ys.mean()) + 0.5) / height, (float(xs.mean()) + 0.5) / width
        return cls(center, float(max(np.ptp(ys), np.ptp(xs)) + 1) / height, len(ys) / mask.size)

    def around(self, config: SmallObjectsOptions, height: int, size: Size) -> Window:
        """The window that shows it. height: of the frame, in pixels; size: the grid of the window."""
        side = max(config.small_context * self.diameter, config.small_least / height)
        return Window.around(self.center, side, size)


def work_on(place: Place, config: SmallObjectsOptions, height: int, size: Size) -> int | None:
    """The side in pixels at which the crops of an object are worked on; None where it is too large for them: they would
    not show it `small_gain` times as large as the whole frame does, or it covers `small_area` of that.

    height: of the frame, in pixels. size (h, w): at which the whole frame is worked on.
    """
    side = place.around(config, height, size).side
    work = min(max(config.small_work, round(config.small_enlarged * side)), config.small_work_most)
    return work if place.area < config.small_area and work >= config.small_gain * side else None


@dataclass(frozen=True, eq=False)
class Shown:
    """How an object looks where the user gave it: the crop around it, image (side, side, 3) and mask (side, side) uint8
    of `ID`; and where it was."""

    image: np.ndarray
    mask: np.ndarray
    place: Place

    @classmethod
    def of(cls, frame: np.ndarray, mask: np.ndarray, config: SmallObjectsOptions) -> Shown | None:
        """frame (H, W, 3), mask (H, W) bool; None where the object is not there."""
        if not mask.any():
            return None
        place = Place.of(mask)
        window = place.around(config, len(mask), (mask.shape[0], mask.shape[1]))
        return cls(window.cut(frame, config.small_work), _cut(mask, window, config.small_work), place)

    def start(self, segmenter: Segmenter) -> bool:
        """Begin with it, unless nothing is left of the mask."""
        work = work_of(segmenter)
        image, mask = (cv2.resize(x, (work, work), interpolation=cv2.INTER_LINEAR) for x in (self.image, self.mask))
        if mask.any():
            segmenter.start(image, mask)
        return bool(mask.any())


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


@dataclass(frozen=True, eq=False)
class Crop:
    """An object followed on crops.

    window: the one last cut. place: where the object is, its diameter when the crop's side was last chosen and its area
    when last found. velocity: how far it moves a frame.
    """

    segmenter: Segmenter
    window: Window
    place: Place
    velocity: tuple[float, float] = (0, 0)

    @property
    def work(self) -> int:
        return work_of(self.segmenter)

    def expected(self, config: SmallObjectsOptions, height: int, size: Size) -> Window:
        """Around where the object is expected next; see `Place.around`."""
        (y, x), (down, right) = self.place.center, self.velocity
        return replace(self.place, center=(y + down, x + right)).around(config, height, size)

    def outgrown(self, config: SmallObjectsOptions, height: int, size: Size) -> bool:
        """Whether the object is large by now: crops do not show it larger, or it is well above the bound, so that one
        at the bound does not come and go."""
        side = self.expected(config, height, size).side
        return side >= self.work or self.place.area >= config.small_change * config.small_area

    def corrected(self, mask: np.ndarray) -> Crop | None:
        """With the object's mask (H, W) bool on the frame last seen; None where some of it lies outside the crop."""
        if mask[~self.window.inside(mask.shape)].any():
            return None
        segmenter = copy(self.segmenter)
        segmenter.correct(_cut(mask, self.window, self.work), [ID])
        return replace(self, segmenter=segmenter)

    def seen(self, frame: np.ndarray, probability: np.ndarray) -> Crop:
        """With a frame (H, W, 3) that was answered elsewhere: the object's probability (h, w) on it."""
        segmenter = copy(self.segmenter)
        found = segmenter.predict(self.window.cut(frame, self.work))
        values = self.window.cut(probability, self.work)
        planes = torch.from_numpy(np.stack([1 - values, values])).to(found.probabilities)
        segmenter.accept(Prediction(found.embedding, planes), (values > 0.5).astype(np.uint8) * np.uint8(ID))
        return replace(self, segmenter=segmenter)

    def followed(self, window: Window, frame: np.ndarray, config: SmallObjectsOptions) -> tuple[Crop, OnCrop | None]:
        """With one frame more, and what was found of the object in the window, None if it was not."""
        segmenter = copy(self.segmenter)
        result = segmenter.step(window.cut(frame, self.work))
        crop, mask, least = replace(self, segmenter=segmenter, window=window), result.ids == ID, config.small_lost
        area = np.count_nonzero(mask) / mask.size * window.side**2 / (window.size[0] * window.size[1])
        if ID in result.lost or area < least * self.place.area or area * least > self.place.area:
            return replace(crop, velocity=(0, 0)), None
        found = Place.of(mask)
        center, diameter = window.to_frame(*found.center), found.diameter * window.side / window.size[0]
        velocity = tuple(
            STEADY * before + (1 - STEADY) * (now - at)
            for before, now, at in zip(self.velocity, center, self.place.center, strict=True)
        )
        if 1 / config.small_change <= diameter / self.place.diameter <= config.small_change:
            diameter = self.place.diameter
        values = window.brought_back(result.probability(ID))
        whole = not (values[window.weight() < 1] > 0.5).any()
        return replace(crop, place=Place(center, diameter, area), velocity=velocity), OnCrop(window, values, whole)


def work_of(segmenter: Segmenter) -> int:
    """Side in pixels at which it works on crops: they are cut so, and not resized twice."""
    asked = segmenter.config.short_side
    return segmenter.network.work_size(asked, asked, asked, segmenter.config.max_side)[0]


def _cut(mask: np.ndarray, window: Window, work: int) -> np.ndarray:
    """mask (H, W) bool -> the window's, (work, work) uint8 of `ID`."""
    return (window.cut(mask.astype(np.float32), work) > 0.5).astype(np.uint8) * np.uint8(ID)
