"""Optimisers: who is in which group, and SGD's steps against its recurrence."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from camn.model.interface import Network
from camn.training.optimizer import make_optimizer, set_rate


class Little(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(2, 2)
        self.head = nn.Linear(2, 3)
        self.norm = nn.LayerNorm(3)
        self.backbone.bias.requires_grad_(False)

    backbone_part = Network.backbone_part


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_groups(recipe, kind):
    network = Little()
    made = make_optimizer(network, replace(recipe, optimizer=kind, backbone_rate=0.25, weight_decay=0.5))
    names = {id(p): name for name, p in network.named_parameters()}
    found = [([names[id(p)] for p in g["params"]], g["scale"], g["weight_decay"]) for g in made.param_groups]
    assert found == [
        (["backbone.weight"], 0.25, 0.5),
        (["head.weight"], 1.0, 0.5),
        (["head.bias", "norm.weight", "norm.bias"], 1.0, 0.0),
    ]
    set_rate(made, 0.2)
    assert [g["lr"] for g in made.param_groups] == [0.05, 0.2, 0.2]


def test_sgd_with_momentum(recipe):
    network = Little().double()
    made = make_optimizer(network, replace(recipe, optimizer="sgd", weight_decay=0.1))
    weight, speed = network.head.weight.detach().clone(), torch.zeros(3, 2).double()
    for step in range(4):
        gradient = torch.randn(3, 2, dtype=torch.double)
        network.head.weight.grad = gradient.clone()
        set_rate(made, 0.1 / (1 + step))
        made.step()
        speed = 0.9 * speed + gradient + 0.1 * weight
        weight = weight - 0.1 / (1 + step) * speed
    torch.testing.assert_close(network.head.weight.detach(), weight)
