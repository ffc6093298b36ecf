"""Post-processing of what was found on a frame: track loss and small objects."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import numpy as np
import torch
from torch import Tensor

from camn.config import PostProcess
from camn.errors import AnswerError
from camn.inference.result import not_finite
from camn.inference.segmenter import Segmenter
from camn.inference.small_objects import SmallObjects
from camn.inference.track_loss import TrackLoss
from camn.masks import ObjectIds


class PostProcessor:
    """Mends what was found on each frame, before it is remembered.

        post.given(0, frame, objects, ids)                         # the user's first masks
        probabilities = post(1, frame, objects, probabilities)     # of the next frame, in order

    open_segmenter: makes a segmenter that works at `PostProcess.small_work`, one for each small object. A call that
    fails changes nothing, and a copy (`copy.copy`) is independent of what it was copied from.
    """

    def __init__(self, config: PostProcess, open_segmenter: Callable[[], Segmenter]):
        self.config = config
        self._track, self._small = TrackLoss(config), SmallObjects(config, open_segmenter)

    def __copy__(self) -> PostProcessor:
        other = object.__new__(type(self))
        other.__dict__ = self.__dict__ | {"_track": copy(self._track), "_small": copy(self._small)}
        return other

    @torch.inference_mode()
    def given(self, index: int, frame: np.ndarray, objects: ObjectIds, ids: np.ndarray) -> None:
        """The masks of a frame are (partly) the user's: of the first one (index 0), which begins a new video, or of the
        one last processed. frame (H, W, 3) uint8 RGB, ids (H, W) uint8."""
        track, small = copy(self._track), copy(self._small)
        if self.config.track_loss:
            track.given(index, objects, ids)
        if self.config.small_objects:
            small.given(index, frame, objects, ids)
        self._track, self._small = track, small

    @torch.inference_mode()
    def __call__(self, index: int, frame: np.ndarray, objects: ObjectIds, probabilities: Tensor) -> Tensor:
        """Probabilities (N+1, h, w) of any size, channel 0 the background, summing to 1 over channels -> the same,
        mended. frame (H, W, 3) uint8 RGB, the next one."""
        track, small = copy(self._track), copy(self._small)
        if self.config.track_loss:
            probabilities = track.mended(index, objects, probabilities)
        if self.config.small_objects:
            try:
                probabilities = small.mended(frame, objects, probabilities)
            except AnswerError:  # which counts the frames of its crop
                raise not_finite(index, " on the crop of a small object") from None
        if self.config.track_loss:
            track.remember(index, objects, probabilities)
        self._track, self._small = track, small
        return probabilities

    def select(self, objects: ObjectIds) -> None:
        """Go on with these objects alone."""
        track, small = copy(self._track), copy(self._small)
        track.select(objects)
        small.select(objects)
        self._track, self._small = track, small
