"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


class Ema(Generic[Network]):
    """Keeps `average`, a copy of the network: w <- d w + (1 - d) w_now, d = min(decay, (1 + step) / (10 + step))."""

    def __init__(self, network: Network, decay: float):
        self.average = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        # All at once: one call for many small tensors.
        means, now = ([*module.parameters()] for module in (self.average, network))
        torch._foreach_lerp_(means, now, 1 - decay)  # pyright: ignore
