"""The fusion network."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from camn.config import FusionConfig
from camn.errors import ConfigError
from camn.model.fusion import Fusion

NAMES = ("one", "two", "three")


def maps_of(members: int, objects: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    made = torch.randn(members, objects + 1, height, width, generator=torch.Generator().manual_seed(seed))
    return (3 * made).softmax(1)


def trained_by_chance(members: int = 3) -> Fusion:
    torch.manual_seed(5)
    network = Fusion(FusionConfig(NAMES[:members])).eval()
    torch.nn.init.normal_(network.leave.weight, std=0.3)
    return network


@given(st.integers(2, 3), st.integers(0, 4), st.integers(1, 33), st.integers(1, 33))
@torch.no_grad()
def test_untrained_it_is_the_mean(members, objects, height, width):
    maps = maps_of(members, objects, height, width)
    found = Fusion(FusionConfig(NAMES[:members]))(torch.rand(3, height, width), maps)
    torch.testing.assert_close(found, maps.mean(0), atol=1e-5, rtol=0)


@given(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40))
@torch.no_grad()
def test_trained_it_is_a_distribution_and_treats_objects_alike(objects, height, width):
    network, maps, image = trained_by_chance(), maps_of(3, objects, height, width), torch.rand(3, height, width)
    found = network(image, maps)
    assert found.shape == maps.shape[1:] and found.min() >= 0
    torch.testing.assert_close(found.sum(0), torch.ones(height, width))
    order = torch.randperm(objects) + 1
    swapped = network(image, maps[:, torch.cat([torch.zeros(1, dtype=torch.long), order])])
    torch.testing.assert_close(swapped[1:], found[order], atol=1e-5, rtol=0)


@torch.no_grad()
def test_weights_and_residual_by_hand():
    """With constant outputs the answer is that of the formula: log(sum of w p) + r against log of the rest."""
    network = Fusion(FusionConfig(NAMES[:2]))
    network.leave.bias.copy_(torch.tensor([1.0, -0.5, 0.7]))
    maps = maps_of(2, 2, 9, 11)
    share = torch.tensor([1.0, -0.5]).softmax(0)
    joined = (share[:, None, None, None] * maps[:, 1:]).sum(0)
    odds = torch.cat([1 - joined.sum(0, keepdim=True), joined * torch.tensor(0.7).exp()])
    torch.testing.assert_close(network(torch.rand(3, 9, 11), maps), odds / odds.sum(0), atol=1e-5, rtol=0)


def test_where_all_members_are_sure_gradients_are_finite():
    maps = torch.zeros(3, 3, 16, 16)
    maps[:, 1] = 1
    network = trained_by_chance()
    network(torch.rand(3, 16, 16), maps).clamp(min=1e-6).log().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_it_is_light():
    assert sum(p.numel() for p in Fusion(FusionConfig(("a", "b", "c", "d"))).parameters()) < 20_000


def test_configurations():
    config = FusionConfig(("a", "b"), 12)
    assert FusionConfig.from_dict(config.as_dict() | {"members": ["a", "b"]}) == config
    with pytest.raises(ConfigError, match="two members"):
        FusionConfig(("a",))
    with pytest.raises(ConfigError, match="not understood"):
        FusionConfig.from_dict({"width": 3})
