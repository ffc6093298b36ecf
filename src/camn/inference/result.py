"""What is answered for one frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from camn.errors import AnswerError, CamnError
from camn.inference.calls import own_settings
from camn.masks import ObjectIds

BATCH = 1 << 26  # values at the frame's size that are held at once, but on the CPU


@dataclass(frozen=True, eq=False)
class Result:
    """The objects of one frame of size (H, W).

    index: position in the video from 0. ids: (H, W) uint8, 0 background, else the user's id. confidence: for each id
    the mean probability of the pixels given to it, its largest probability where it got none, times the trust that
    post-processing has in it; 0..1. lost: ids that got no pixel, or are nowhere more probable than
    `InferenceConfig.lost_below`; one whose mask was given here is lost only where that mask is empty.
    For `probability` it holds maps at the work size, on the segmenter's device, which may be a GPU: 1.6 MiB an object
    at 480x854, the background counted in, so 6 GiB for a thousand frames of three objects. Who keeps many results keeps
    their `slim()`.
    """

    index: int
    ids: np.ndarray
    confidence: Mapping[int, float]
    lost: frozenset[int]
    _probabilities: Tensor | None
    _objects: ObjectIds

    @classmethod
    def of(
        cls,
        index: int,
        objects: ObjectIds,
        probabilities: Tensor,
        size: tuple[int, ...],
        ids: np.ndarray | None = None,
        given: frozenset[int] = frozenset(),
        lost_below: float = 0.0,
        trust: Mapping[int, float] = {},  # noqa: B006, never changed
    ) -> Result:
        """probabilities (N+1, h, w), any size; size: (H, W). ids: the frame's, where the user has said them; copied.
        given: objects whose masks are the user's. trust: see `Step.trust`. Raises AnswerError for probabilities
        that are not finite."""
        stated = None if ids is None else torch.from_numpy(objects.channels(ids)).to(probabilities.device)
        found, sums, counts, peaks = _settled(probabilities, size, stated)
        if not all(map(math.isfinite, peaks)):
            raise not_finite(index)
        ids = objects.ids_map(found) if ids is None else ids.copy()
        confidence, lost = {}, set()
        for id in objects:
            channel = objects.channel(id)
            inside, best = counts[channel], peaks[channel]
            confidence[id] = (sums[channel] / inside if inside else best) * trust.get(id, 1.0)
            if not inside or (best < lost_below and id not in given):
                lost.add(id)
        return cls(index, ids, confidence, frozenset(lost), probabilities, objects)

    @own_settings()
    def probability(self, id: int) -> np.ndarray:
        """(H, W) float32 in 0..1 of one object. MaskError for an id that is not followed, CamnError after `slim`."""
        channel = self._objects.channel(id)
        if self._probabilities is None:
            raise CamnError(f"frame {self.index}: this result is slim; ask for probabilities before slim() is called")
        at_frame = to_frame(self._probabilities[channel : channel + 1], self.ids.shape)[0]
        return at_frame.cpu().numpy().copy()  # a copy: at equal sizes it would be the segmenter's own memory

    def slim(self) -> Result:
        """The same without what `probability` needs: its ids and a few numbers for each object."""
        return replace(self, _probabilities=None)


def _settled(
    probabilities: Tensor, size: tuple[int, ...], labels: Tensor | None
) -> tuple[np.ndarray, list[float], list[float], list[float]]:
    """Each pixel's channel, (H, W) uint8, the most probable one where `labels` does not say it; for each channel the
    sum of its probability over its pixels, and their number; and the highest probability of each channel and then of
    all: NaN where one is. All of it comes to the host in one copy, the only one of a frame.
    """
    found, share, peaks = strongest_of_all(probabilities, size, labels, at_once(probabilities.device, size))
    channels, count = found.flatten(), len(probabilities)
    wide = torch.float32 if share.device.type == "mps" else torch.float64  # which has no other
    nothing, each = share.new_zeros(count, dtype=wide), channels.int()
    totals = [nothing.index_add(0, each, x.flatten().to(wide)) for x in (share, torch.ones_like(share))]
    numbers = torch.cat([*totals, *(p.to(wide) for p in peaks)])
    packed, size_of_numbers = torch.cat([numbers.view(torch.uint8), channels]).cpu(), numbers.numel() * wide.itemsize
    sums, counts, highest = packed[:size_of_numbers].view(wide).split([count, count, count + 1])
    return packed[size_of_numbers:].view(size).numpy(), sums.tolist(), counts.tolist(), highest.tolist()


def at_once(device: torch.device, size: tuple[int, ...]) -> int:
    """How many channels to have at the frame's size (H, W) at once: one on the CPU, where it stays in the cache; all of
    them would not fit where frames are large and objects many."""
    return 1 if device.type == "cpu" else max(1, BATCH // (size[0] * size[1]))


def strongest_of_all(
    probabilities: Tensor, size: tuple[int, ...], labels: Tensor | None, together: int
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Each pixel's channel, uint8, and that channel's probability there, (H, W) each; the peaks of `_settled`, parted.

    together: channels that are at the frame's size at once.
    """
    found = probabilities.new_zeros(size, dtype=torch.uint8) if labels is None else labels
    share, peaks = probabilities.new_full(size, -1.0), []
    for first, some in zip(range(0, len(probabilities), together), probabilities.split(together), strict=True):
        planes = to_frame(some, size)
        peaks.append(planes.amax((1, 2)))
        if labels is not None:
            at = labels.long() - first
            inside = planes.gather(0, at.clamp(0, len(planes) - 1)[None])[0]
            share = torch.where((at >= 0) & (at < len(planes)), inside, share)
        elif len(planes) == 1:
            found.masked_fill_(planes[0] > share, first)
            torch.maximum(share, planes[0], out=share)
        else:
            best, at = planes.max(0)
            found = torch.where(best > share, (first + at).to(torch.uint8), found)
            share = torch.maximum(share, best)
    peaks.append(probabilities.amax()[None])  # sampling may have passed by what is NaN at the work size
    return found, share, peaks


def not_finite(index: int, where: str = "") -> AnswerError:
    """The error of frame `index`. where: in the frame, begun by a space."""
    return AnswerError(
        f"frame {index} (0 has the first mask): the network's answer{where} is not finite; use other weights or, where "
        "half precision may be too narrow for these, single precision: --device cpu, or InferenceConfig(autocast=False)"
    )


def to_frame(probabilities: Tensor, size: tuple[int, ...]) -> Tensor:
    """(C, h, w) at the work size -> (C, H, W). Frames come to the work size by pixel centres, so masks go back so."""
    if tuple(probabilities.shape[1:]) == tuple(size):
        return probabilities
    # Rounding of the weights takes a value up to 1e-7 out of 0..1.
    return F.interpolate(probabilities[None], tuple(size), mode="bilinear", align_corners=False)[0].clamp_(0, 1)


def strongest(probabilities: Tensor) -> Tensor:
    """(N+1, H, W) -> (H, W) int64, the first channel with the largest value. On the CPU `argmax` along the first
    dimension takes 10 to 30 times as long as this."""
    return probabilities.max(0).indices
