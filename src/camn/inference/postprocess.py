"""Post-processing of what was found on a frame: the steps of `camn.config.PostProcess`, one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pkgutil import resolve_name
from typing import Any

import numpy as np
import torch
from torch import Tensor

from camn.config import PostProcess
from camn.inference.segmenter import Segmenter
from camn.masks import ObjectIds

OpenSegmenter = Callable[[int], Segmenter]


class Step(ABC):
    """Mends one thing. Copyable (`copy.copy`): what it knows of a video is replaced, never changed.

    config: its options. open_segmenter: makes a segmenter that works at a side in pixels, for steps that need one.
    Frames (H, W, 3) are uint8 RGB; probabilities (N+1, h, w), of any size, sum to 1 over channels, channel 0 is the
    background's.
    """

    def __init__(self, config: Any, open_segmenter: OpenSegmenter):
        self.config, self._open = config, open_segmenter

    @abstractmethod
    def given(self, index: int, frame: np.ndarray, objects: ObjectIds, ids: np.ndarray, stated: ObjectIds) -> None:
        """ids (H, W) uint8 hold on this frame: the first (index 0) of a new video, or the one last seen. They are the
        user's for the objects `stated`; the others are as answered before, less what these took."""

    @abstractmethod
    def mended(self, index: int, frame: np.ndarray, objects: ObjectIds, probabilities: Tensor) -> Tensor:
        """What the step before, or the network, found on the next frame -> the same, mended."""

    def remember(self, index: int, objects: ObjectIds, probabilities: Tensor) -> None:  # noqa: B027, a step need not
        """Take in what was answered for the frame after all steps."""

    @property
    def trust(self) -> Mapping[int, float]:
        """How far what was last found of an object is trusted, by its id, 0..1; fully where nothing is said."""
        return {}

    def known(self) -> dict[str, Any]:
        """All that it knows of the video: what it has beside what it was made of. To be written down these are plain
        values, arrays, tensors, segmenters, and dataclasses of them (`camn.inference.snapshot`)."""
        return {name: value for name, value in vars(self).items() if name not in ("config", "_open")}

    @abstractmethod
    def select(self, objects: ObjectIds) -> None:
        """Go on with these objects alone."""


class PostProcessor:
    """Mends what was found on each frame, before it is remembered.

        post.given(0, frame, objects, ids)                         # the user's first masks
        probabilities = post(1, frame, objects, probabilities)     # of the next frame, in order

    open_segmenter: see `Step`. A call that fails changes nothing, and a copy (`copy.copy`) is independent of what it
    was copied from.
    """

    def __init__(self, config: PostProcess, open_segmenter: OpenSegmenter):
        self._steps: list[Step] = [resolve_name(one.step)(config, open_segmenter) for one in config.enabled]

    def __copy__(self) -> PostProcessor:
        other = object.__new__(type(self))
        other._steps = self._copied()
        return other

    @torch.inference_mode()
    def given(
        self, index: int, frame: np.ndarray, objects: ObjectIds, ids: np.ndarray, stated: ObjectIds | None = None
    ) -> None:
        """The masks of a frame are the user's for the objects `stated`, all if None: of the first one (index 0), which
        begins a new video, or of the one last processed. frame (H, W, 3) uint8 RGB, ids (H, W) uint8."""
        steps = self._copied()
        for step in steps:
            step.given(index, frame, objects, ids, objects if stated is None else stated)
        self._steps = steps

    @torch.inference_mode()
    def __call__(self, index: int, frame: np.ndarray, objects: ObjectIds, probabilities: Tensor) -> Tensor:
        """Probabilities (N+1, h, w) of any size, channel 0 the background, summing to 1 over channels -> the same,
        mended. frame (H, W, 3) uint8 RGB, the next one."""
        steps = self._copied()
        for step in steps:
            probabilities = step.mended(index, frame, objects, probabilities)
        for step in steps:
            step.remember(index, objects, probabilities)
        self._steps = steps
        return probabilities

    @property
    def trust(self) -> Mapping[int, float]:
        """See `Step.trust`; the least that a step says."""
        said = [step.trust for step in self._steps]
        return {id: min(one[id] for one in said if id in one) for id in frozenset().union(*said)}

    def select(self, objects: ObjectIds) -> None:
        """Go on with these objects alone."""
        steps = self._copied()
        for step in steps:
            step.select(objects)
        self._steps = steps

    def known(self) -> list[dict[str, Any]]:
        """What its steps know of the video; see `knowing`."""
        return [step.known() for step in self._steps]

    def knowing(self, known: Sequence[Mapping[str, Any]]) -> PostProcessor:
        """Another one that goes on from what one of the same options had `known`."""
        other = copy(self)
        for step, one in zip(other._steps, known, strict=True):
            vars(step).update(one)
        return other

    def _copied(self) -> list[Step]:
        return [copy(step) for step in self._steps]
