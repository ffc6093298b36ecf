"""Frozen batch norms folded into the convolutions before them: conv(x) * scale + shift is a convolution with a bias."""

from __future__ import annotations

from copy import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from camn.lean.known import unknown
from camn.model.backbones import FrozenBatchNorm

Part = TypeVar("Part", bound=nn.Module)


def folded(module: Part) -> Part:
    """A copy of the module, its other tensors shared, in which every frozen batch norm that is applied to what a
    convolution gives is folded into that: in a sequence the layer before, else what the module's class names in
    `behind`, which is not inherited. Raises TypeError for a class that does not tell."""
    made = copy(module)
    made._modules = {name: child and folded(child) for name, child in module._modules.items()}
    for name, before in _pairs(module).items():
        convolution, norm = module._modules[before], module._modules[name]
        assert isinstance(convolution, nn.Conv2d) and isinstance(norm, FrozenBatchNorm)
        made._modules[before], made._modules[name] = fold(convolution, norm), nn.Identity()
    return made


def _pairs(module: nn.Module) -> dict[str, str]:
    """Names of the module's own norms, and of the convolutions that they are applied behind."""
    kinds = {name: type(child) for name, child in module._modules.items()}
    norms = [name for name, kind in kinds.items() if kind is FrozenBatchNorm]
    if norms and type(module).forward is nn.Sequential.forward:
        order = list(kinds)
        pairs = {name: order[order.index(name) - 1] for name in norms if order[0] != name}
        return {name: before for name, before in pairs.items() if kinds[before] is nn.Conv2d}
    pairs = vars(type(module)).get("behind", {})
    for name in norms:
        if kinds.get(pairs.get(name, "")) is not nn.Conv2d:
            raise unknown(module, f"what its norm {name} follows is not told in `behind`")
    return {name: pairs[name] for name in norms}


def fold(convolution: nn.Conv2d, norm: FrozenBatchNorm) -> nn.Conv2d:
    """One convolution with a bias in the place of a convolution and the norm behind it."""
    scale, shift = norm.affine()
    made = copy(convolution)
    made._parameters = dict(convolution._parameters)
    made.weight = _constant(convolution.weight * scale[:, None, None, None])
    made.bias = _constant(shift if convolution.bias is None else shift + convolution.bias * scale)
    return made


def _constant(value: Tensor) -> nn.Parameter:
    layout = torch.channels_last if value.dim() == 4 else torch.preserve_format
    return nn.Parameter(value.detach().contiguous(memory_format=layout), requires_grad=False)
