"""Instance-level attention (CFBI, Yang et al. 2020, section 3.4) and gated channel transforms (Yang et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

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
        size = (x.pow(2).sum((2, 3)) + EPSILON).sqrt() * self.alpha
        normed = size / (size.pow(2).mean(1, keepdim=True) + EPSILON).sqrt()
        return x * (1 + torch.tanh(self.gamma * normed + self.beta))[..., None, None]


def instance_vector(references: Sequence[tuple[Tensor, Tensor]], previous: tuple[Tensor, Tensor]) -> Tensor:
    """Mean embedding of each object and of everything else, over all reference frames and over the previous frame.

    Pairs of an embedding (C, h, w) and masks (N, h, w) -> (N, 4 C): object and rest in the references, then the same
    in the previous frame.
    """
    return torch.cat([*_means(references), *_means([previous])], 1)


def _means(frames: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    embeddings = torch.cat([e.flatten(1) for e, _ in frames], 1)
    masks = torch.cat([m.flatten(1) for _, m in frames], 1)
    inside = masks @ embeddings.T
    area = masks.sum(1, keepdim=True)
    rest = embeddings.sum(1) - inside
    return inside / (area + EPSILON), rest / (masks.shape[1] - area + EPSILON)
