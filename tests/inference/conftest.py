"""Networks with weights made from names: between them they take every way through the segmenter."""

import importlib.util
from functools import cache
from pathlib import Path

import pytest

from camn.model.network import Camn

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("make_goldens_for_inference", ROOT / "scripts" / "make_goldens.py")
assert spec is not None and spec.loader is not None
goldens = importlib.util.module_from_spec(spec)
spec.loader.exec_module(goldens)

SOFT, PAPER, HARD = NAMES = ("camn-mobile", "small-camn-r50", "small-cfbi-mobilenetv2")


@cache
def network_named(name: str) -> Camn:
    config = goldens.configs()[name]
    network = Camn(config).eval()
    network.load_state_dict(goldens.weights(network))
    return network


@pytest.fixture(params=NAMES)
def network(request) -> Camn:
    """Each in turn: soft masks and a memory; hard masks and a memory; hard masks and none, half-size windows."""
    return network_named(request.param)


@pytest.fixture
def mobile() -> Camn:
    return network_named(SOFT)
