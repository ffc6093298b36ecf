"""The optimiser of a recipe."""

from __future__ import annotations

import torch

from camn.model.interface import Network
from camn.training.recipe import Recipe

MOMENTUM = 0.9  # of SGD, as CFBI and the paper have it


def make_optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW or SGD over what is trained, in groups; each carries `scale`, by which `set_rate` multiplies the rate.

    Fused: one call for all parameters, which does nothing where the optimiser's `found_inf`, a tensor, is 1.
    """
    slow, decayed, free = [], [], []
    for name, p in network.named_parameters():
        if p.requires_grad:
            # Biases, norms and gates are not decayed: their rest position is not zero's neighbourhood.
            (slow if network.backbone_part(name) else decayed if p.dim() > 1 else free).append(p)
    groups = [
        {"params": slow, "scale": recipe.backbone_rate, "weight_decay": recipe.weight_decay},
        {"params": decayed, "scale": 1.0, "weight_decay": recipe.weight_decay},
        {"params": free, "scale": 1.0, "weight_decay": 0.0},
    ]
    groups = [g for g in groups if g["params"]]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.rate, momentum=MOMENTUM, fused=True)
    return torch.optim.AdamW(groups, lr=recipe.rate, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


def compile_parts(network: Network) -> None:
    """Have torch compile what is called as a whole, encoder and decoder above all; the number of objects may vary."""
    for part in network.children():
        part.compile(dynamic=None)
