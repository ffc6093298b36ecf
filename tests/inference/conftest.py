"""Networks with weights made from names: between them they take every way through the segmenter."""

from dataclasses import replace
from functools import cache

import make_goldens as goldens
import pytest

from camn.config import StmConfig
from camn.model.build import build_network
from camn.model.interface import Network
from camn.model.network import Camn

SOFT, PAPER, HARD, STM = NAMES = ("camn-mobile", "small-paper", "small-cfbi-mobilenetv2", "small-stm")
SMALL_STM = StmConfig(STM, blocks=(1, 1, 1), planes=8, key_channels=8, value_channels=16, width=16)
# Segmenters do not know backbones, and the paper's own, ResNet-50, takes three times as long.
SMALL_PAPER = replace(goldens.configs()["small-camn-r50"], name=PAPER, backbone="mobilenet_v2")
SMALL = goldens.configs() | {STM: SMALL_STM, PAPER: SMALL_PAPER}


@cache
def network_named(name: str) -> Network:
    network = build_network(SMALL[name]).eval()
    network.load_state_dict(goldens.weights(network))
    return network


@pytest.fixture(params=NAMES)
def network(request) -> Network:
    """Each in turn: soft masks and a memory; hard masks and a memory; hard masks and none, half-size windows; STM."""
    return network_named(request.param)


@pytest.fixture
def mobile() -> Camn:
    network = network_named(SOFT)
    assert isinstance(network, Camn)
    return network


@pytest.fixture
def named():
    """A network by its name, of those above."""
    return network_named
