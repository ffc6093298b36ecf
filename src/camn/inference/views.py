"""Views of a video: mirrored and at other scales. A network follows the objects in each of them, see `ensemble`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from camn.config import InferenceConfig


@dataclass(frozen=True)
class View:
    """The frames as they are seen: worked on at `scale` times the size, and mirrored left to right if `flip`.

    The scale is the work size's alone: frames are brought there from their own size in one step.
    """

    scale: float = 1.0
    flip: bool = False

    def configured(self, config: InferenceConfig) -> InferenceConfig:
        """`config` for a segmenter that works at this view's scale."""
        short, most = (max(32, round(side * self.scale)) for side in (config.short_side, config.max_side))
        return replace(config, short_side=short, max_side=max(short, most))

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """A frame (H, W, 3) or its ids (H, W) -> the same as seen; its own inverse."""
        return picture[:, ::-1].copy() if self.flip else picture  # torch takes no negative strides

    def redo(self, probabilities: Tensor, size: Sequence[int]) -> Tensor:
        """Probabilities (C, h, w) of the frame -> as seen in this view, at `size`."""
        seen = resized(probabilities, size)
        return seen.flip(-1) if self.flip else seen

    def undo(self, probabilities: Tensor, size: Sequence[int]) -> Tensor:
        """Probabilities (C, h, w) as found in this view -> of the frame, at `size`. Inverse of `redo` where no detail
        is lost by the smaller of the sizes; of a mirrored view of the same size exactly."""
        return resized(probabilities.flip(-1) if self.flip else probabilities, size)


def make_views(scales: Sequence[float] = (1.0,), flip: bool = False) -> tuple[View, ...]:
    """All scales, each mirrored as well if `flip`."""
    return tuple(View(scale, mirrored) for scale in scales for mirrored in ((False, True) if flip else (False,)))


def resized(probabilities: Tensor, size: Sequence[int]) -> Tensor:
    """(C, h, w) -> (C, *size), by pixel centres as frames come to their work sizes; a smaller map is the mean of what
    its pixels cover. Sums over channels stay as they are."""
    if tuple(probabilities.shape[1:]) == tuple(size):
        return probabilities
    shrunk = size[0] * size[1] < probabilities.shape[1] * probabilities.shape[2]
    found = F.interpolate(probabilities[None], tuple(size), mode="bilinear", align_corners=False, antialias=shrunk)
    return found[0].clamp(0, 1)  # rounding of the weights takes a value up to 1e-7 out of 0..1
