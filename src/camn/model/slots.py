"""Where the objects of several clips stand in a batch: padded to the most that a clip has, or packed without gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

NOWHERE = -1e4  # logit of an object that is not there: its share of a softmax is 0, and it stays finite when enlarged


@dataclass(frozen=True)
class Slots:
    """The objects of B clips. Padded tensors are (B, most, ...), packed ones (M, ...), M the objects of all clips.

    counts: of each clip. clip, place (M,) long: in which clip a packed object is, and where in a padded tensor whose
    first two axes are one. present (B, most) bool: which padded ones are objects.
    """

    counts: tuple[int, ...]
    clip: Tensor
    place: Tensor
    present: Tensor

    @classmethod
    def of(cls, counts: Sequence[int], device: torch.device) -> Slots:
        """counts: known to the host, so that nothing is waited for."""
        present = np.arange(max(counts)) < np.array(counts)[:, None]
        clip, place = present.nonzero()[0], np.flatnonzero(present)
        return cls(tuple(counts), *(upload(torch.from_numpy(x), device) for x in (clip, place, present)))

    @property
    def most(self) -> int:
        return self.present.shape[1]

    @property
    def even(self) -> bool:
        """Whether all clips have as many: then packed and padded are two views of one tensor."""
        return min(self.counts) == self.most

    def pack(self, padded: Tensor) -> Tensor:
        """(B, most, ...) -> (M, ...)."""
        rows = padded.flatten(0, 1)
        return rows if self.even else rows.index_select(0, self.place)

    def pad(self, packed: Tensor, fill: float) -> Tensor:
        """(M, ...) -> (B, most, ...), `fill` where there is no object."""
        if not self.even:
            rows = packed.new_full((self.present.numel(), *packed.shape[1:]), fill)
            packed = rows.index_copy(0, self.place, packed)
        return packed.unflatten(0, self.present.shape)

    def spread(self, clips: Tensor) -> Tensor:
        """What each clip has, (B, ...) -> for each of its objects, (M, ...)."""
        return clips.index_select(0, self.clip)


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host's on the device, without waiting for it."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
