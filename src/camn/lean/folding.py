"""Frozen batch norms folded into the convolutions before them: conv(x) * scale + shift is a convolution with a bias."""

from __future__ import annotations

from copy import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from camn.model.backbones import FrozenBatchNorm

Part = TypeVar("Part", bound=nn.Module)


def folded(module: Part) -> Part:
    """A copy of the module, its other tensors shared, in which every frozen batch norm that is registered right behind
    a convolution is folded into that. In our networks a norm so placed is applied to what that convolution gives."""
    made = copy(module)
    made._modules = dict(module._modules)
    last = ""
    for name, child in module._modules.items():
        before = made._modules.get(last)
        if isinstance(child, FrozenBatchNorm) and isinstance(before, nn.Conv2d):
            made._modules[last], made._modules[name] = fold(before, child), nn.Identity()
        elif child is not None:
            made._modules[name] = folded(child)
        last = name
    return made


def fold(convolution: nn.Conv2d, norm: FrozenBatchNorm) -> nn.Conv2d:
    """One convolution with a bias in the place of a convolution and the norm behind it."""
    scale, shift = affine(norm)
    made = copy(convolution)
    made._parameters = dict(convolution._parameters)
    made.weight = _constant(convolution.weight * scale[:, None, None, None])
    made.bias = _constant(shift if convolution.bias is None else shift + convolution.bias * scale)
    return made


def affine(norm: FrozenBatchNorm) -> tuple[Tensor, Tensor]:
    """The norm's (scale, shift), (C,) each: it answers x * scale + shift."""
    scale = norm.weight * (norm.running_var + norm.epsilon).rsqrt()
    return scale, norm.bias - norm.running_mean * scale


def _constant(value: Tensor) -> nn.Parameter:
    layout = torch.channels_last if value.dim() == 4 else torch.preserve_format
    return nn.Parameter(value.detach().contiguous(memory_format=layout), requires_grad=False)
