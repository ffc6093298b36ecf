"""Maps that stand side by side without being copied into one, for the convolutions that read them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from camn.model.layers import single


@dataclass(frozen=True)
class Parted:
    """A map (1, C, h, w) times a mask (1, 1, h, w) and, beside it, times what the mask leaves: 2 C channels."""

    whole: Tensor
    mask: Tensor

    def convolve(self, weight: Tensor) -> Tensor:
        """1x1 convolution, weight (O, 2 C, 1, 1): of the whole map, and again where the mask makes a difference."""
        inside, outside = weight.chunk(2, 1)
        if graphed():
            return F.conv2d(self.whole, outside) + self.mask * F.conv2d(self.whole, inside - outside)
        mask = self.mask.flatten()
        if 2 * mask.count_nonzero() > len(mask):
            mask, inside, outside = 1 - mask, outside, inside
        made = F.conv2d(self.whole, outside)
        where = mask.nonzero()[:, 0]
        if 2 * len(where) > len(mask):  # a soft mask, between 0 and 1 in most places
            return made.addcmul_(mask.view_as(self.mask), F.conv2d(self.whole, inside - outside))
        rows = _rows(self.whole)[where] * mask[where, None]
        _rows(made).index_add_(0, where, rows @ (inside - outside)[:, :, 0, 0].T)
        return made


def graphed() -> bool:
    """Whether a graph is being made, whose shapes must depend on no values."""
    tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return tracing or torch.compiler.is_compiling()


def _rows(x: Tensor) -> Tensor:
    """A map (1, C, h, w), channels last, as a view of its pixels (h w, C)."""
    return x.permute(0, 2, 3, 1).view(-1, x.shape[1])


@dataclass(frozen=True)
class Joined:
    """Maps (1, C_i, h, w) that stand for one of all their channels, and the energy (1, C) of these: sums of squares."""

    maps: tuple[Tensor | Parted, ...]
    energy: Tensor

    def convolve(self, weight: Tensor, factor: Tensor, stride: int = 1) -> Tensor:
        """1x1 convolution, weight (O, C, 1, 1), of the channels times factor (1, C); stride 1 if a map is parted."""
        widths = [2 * m.whole.shape[1] if isinstance(m, Parted) else m.shape[1] for m in self.maps]
        weights = (weight * factor[..., None, None]).split(widths, 1)
        made = [
            x.convolve(part) if isinstance(x, Parted) else F.conv2d(x, part, stride=stride)
            for x, part in zip(self.maps, weights, strict=True)
        ]
        total = made[0]
        for y in made[1:]:
            total = total.add_(y)
        return total

    def beside(self, other: Joined) -> Joined:
        """These maps and then those."""
        return Joined(self.maps + other.maps, torch.cat([self.energy, other.energy], 1))


def energy(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C) sum of squares of each channel, in `single` precision."""
    return single(x).pow(2).sum((2, 3))


def joined(*maps: Tensor) -> Joined:
    """These maps as they are."""
    return Joined(maps, torch.cat([energy(m) for m in maps], 1))
