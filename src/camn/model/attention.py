"""Instance-level attention (CFBI, Yang et al. 2020, section 3.4) and gated channel transforms (Yang et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from camn.model.layers import single

EPSILON = 1e-5


class InstanceGate(nn.Module):
    """x * (1 + tanh(W a + b)): channels of each object's map weighted by its instance vector a."""

    def __init__(self, vector: int, channels: int):
        super().__init__()
        self.linear = nn.Linear(vector, channels)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """x (M, C, h, w), vector (M, V) -> (M, C, h, w)."""
        return x * (1 + torch.tanh(self.linear(vector)))[..., None, None]


class ChannelTransform(nn.Module):
    """Gated channel transform: x * (1 + tanh(gamma * s / rms(s) + beta)), s = alpha * l2 norm of each channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))
        self.gamma = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        size = (single(x).pow(2).sum((2, 3)) + EPSILON).sqrt() * self.alpha
        normed = size / (size.pow(2).mean(1, keepdim=True) + EPSILON).sqrt()
        return x * (1 + torch.tanh(self.gamma * normed + self.beta)).to(x.dtype)[..., None, None]


@dataclass(frozen=True)
class Sums:
    """What a labelled frame adds to the means of `instance_vector`: inside, outside (N, C), sums of embeddings in each
    object and beside it; area, others (N, 1), how many pixels these are."""

    inside: Tensor
    outside: Tensor
    area: Tensor
    others: Tensor

    @classmethod
    def of(cls, embedding: Tensor, masks: Tensor) -> Sums:
        """embedding (C, h, w), masks (N, h, w) in 0..1; or both with frames (B, ...) before.

        What is beside an object is added up by itself: as the whole less what is inside, rounding would be left of it
        where an object fills the frame, over next to no pixels.
        """
        pixels, masks = embedding.flatten(-2).transpose(-2, -1), masks.flatten(-2)
        shares = torch.cat([masks, 1 - masks], -2)
        return cls(*(shares @ pixels).chunk(2, -2), *shares.sum(-1, keepdim=True).chunk(2, -2))


def instance_vector(references: Sequence[Sums], previous: Sums) -> Tensor:
    """Mean embedding of each object and of everything else, over all reference frames and over the previous frame.

    -> (N, 4 C): object and rest in the references, then the same in the previous frame.
    """
    return torch.cat([*_means(references), *_means([previous])], -1)


def _means(frames: Sequence[Sums]) -> tuple[Tensor, Tensor]:
    parts = ((f.inside, f.outside, f.area, f.others) for f in frames)
    inside, outside, area, others = (torch.stack(sums).sum(0) for sums in zip(*parts, strict=True))
    return inside / (area + EPSILON), outside / (others + EPSILON)
