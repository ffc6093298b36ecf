"""The moving average against its recurrence, weight by weight."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from camn.training.ema import Ema


@given(decay=st.floats(0, 0.9999), steps=st.integers(1, 30), seed=st.integers(0, 100))
@settings(max_examples=25)
def test_average_is_its_recurrence(decay, steps, seed):
    torch.manual_seed(seed)
    network = nn.Linear(2, 1, bias=False).double()
    ema = Ema(network, decay)
    wanted = network.weight[0].tolist()
    for step in range(steps):
        with torch.no_grad():
            network.weight.add_(torch.randn(1, 2, dtype=torch.double))
        ema.update(network, step)
        d = min(decay, (1 + step) / (10 + step))
        wanted = [d * w + (1 - d) * now for w, now in zip(wanted, network.weight[0].tolist(), strict=True)]
    assert ema.average.weight[0].tolist() == pytest.approx(wanted)


def test_average_is_a_copy_that_is_not_trained():
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
    ema = Ema(network, 0.9)
    before = network[0].weight.detach().clone()
    ema.update(network, 0)
    assert not ema.average.training and network.training
    assert not any(p.requires_grad for p in ema.average.parameters())
    assert all(p.requires_grad for p in network.parameters()) and torch.equal(network[0].weight, before)
    assert ema.average[0].weight.data_ptr() != network[0].weight.data_ptr()
