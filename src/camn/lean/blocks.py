"""The collaborative ensembler's gated blocks for one object, without a pass over their wide inputs for each gate.

Instance gates and channel transforms multiply whole channels, so they go into the weights of the convolution that
follows.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.lean.joined import Joined, energy
from camn.lean.known import known
from camn.model.attention import EPSILON, ChannelTransform, InstanceGate
from camn.model.ensembler import DynamicClassifier, GatedAtrousPyramid, GatedBlock, GatedBottleneck
from camn.model.pyramid import FeaturePyramidAttention


def gate_of(gate: nn.Module) -> InstanceGate:
    """See `known`, as of the next two."""
    return known(gate, InstanceGate, "linear")


def transform_of(transform: nn.Module) -> ChannelTransform:
    return known(transform, ChannelTransform, "alpha", "gamma", "beta")


def plain(convolution: nn.Module) -> nn.Conv2d:
    """A convolution of which the weights are read: it must have no bias."""
    return known(convolution, nn.Conv2d, "weight")


def linear_of(classifier: nn.Module) -> nn.Linear:
    return known(classifier, DynamicClassifier, "linear").linear


def gate_factor(gate: nn.Module, vector: Tensor) -> Tensor:
    """What an instance gate multiplies channels by, (1, C)."""
    assert isinstance(gate, InstanceGate)
    return 1 + torch.tanh(gate.linear(vector))


def transform_factor(transform: nn.Module, energy: Tensor) -> Tensor:
    """What a channel transform multiplies channels of this energy by, (1, C)."""
    assert isinstance(transform, ChannelTransform)
    size = (energy + EPSILON).sqrt() * transform.alpha
    normed = size / (size.square().mean(1, keepdim=True) + EPSILON).sqrt()
    return 1 + torch.tanh(transform.gamma * normed + transform.beta)


class LeanBlock(nn.Module):
    """A `GatedBlock`, for maps side by side."""

    def __init__(self, block: nn.Module):
        super().__init__()
        block = known(block, GatedBlock, "gate", "bottleneck")
        own = ("conv1", "norm1", "conv2", "norm2", "conv3", "norm3")
        self.gate = gate_of(block.gate)
        self.layers = known(block.bottleneck, GatedBottleneck, "transform", *own, "shortcut")
        transform_of(self.layers.transform)
        plain(self.layers.conv1)
        if self.layers.shortcut is not None:
            convolution, _ = self.layers.shortcut
            plain(convolution)

    def forward(self, x: Joined, vector: Tensor) -> Tensor:
        """-> (1, C, h, w)."""
        layers, gate = self.layers, gate_factor(self.gate, vector)
        factor = gate * transform_factor(layers.transform, x.energy * gate.square())
        y = F.relu_(layers.norm1(x.convolve(layers.conv1.weight, factor)))
        y = F.relu_(layers.norm2(layers.conv2(y)))
        y = layers.norm3(layers.conv3(y))
        if layers.shortcut is None:
            (same,) = x.maps
            assert isinstance(same, Tensor)
            return F.relu_(y.addcmul_(same, gate[..., None, None]))
        convolution, norm = layers.shortcut
        assert isinstance(convolution, nn.Conv2d)
        return F.relu_(y.add_(norm(x.convolve(convolution.weight, gate, convolution.stride[0]))))


class LeanAtrousPyramid(nn.Module):
    """The instance gate before the ensembler's ASPP, and that."""

    def __init__(self, gate: nn.Module, pyramid: nn.Module):
        super().__init__()
        branches = ("transforms", "convolutions", "norms", "whole")
        self.gate = gate_of(gate)
        self.layers = known(pyramid, GatedAtrousPyramid, *branches, "transform", "join", "norm")
        for transform in (*self.layers.transforms, self.layers.transform):
            transform_of(transform)
        plain(self.layers.join)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        layers, x = self.layers, x * gate_factor(self.gate, vector)[..., None, None]
        size = energy(x)
        maps = []
        for transform, convolution, norm in zip(layers.transforms, layers.convolutions, layers.norms, strict=True):
            factor = transform_factor(transform, size)[..., None, None]
            maps.append(F.relu_(norm(convolution(x * factor))))
        whole = F.relu_(layers.whole(x.mean((2, 3), keepdim=True)))
        sizes = [*map(energy, maps), energy(whole) * (x.shape[-2] * x.shape[-1])]
        factor = transform_factor(layers.transform, torch.cat(sizes, 1))
        width = maps[0].shape[1]
        weight = layers.join.weight * factor[..., None, None]
        total = F.conv2d(whole, weight[:, 4 * width :])
        for i, m in enumerate(maps):
            total = total + F.conv2d(m, weight[:, i * width : (i + 1) * width])
        return F.relu_(layers.norm(total))


class LeanAttention(nn.Module):
    """The instance gate before the feature pyramid attention, and that."""

    def __init__(self, gate: nn.Module, attention: nn.Module):
        super().__init__()
        self.gate, self.attention = gate_of(gate), attention

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        return self.attention(x * gate_factor(self.gate, vector)[..., None, None])


# What ends the last stage, by its kind.
HIGH: dict[type[nn.Module], Callable[[nn.Module, nn.Module], nn.Module]] = {
    GatedAtrousPyramid: LeanAtrousPyramid,
    FeaturePyramidAttention: LeanAttention,
}
