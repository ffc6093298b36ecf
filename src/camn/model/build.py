"""Networks from their configurations."""

from __future__ import annotations

import torch

from camn.config import NetworkConfig, StmConfig
from camn.model.interface import Network
from camn.model.network import Camn
from camn.model.stm import Stm


def build_network(config: NetworkConfig) -> Network:
    """The network that a configuration describes; weights are random until loaded."""
    return Stm(config) if isinstance(config, StmConfig) else Camn(config)


def expected_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's tensors, made without memory for them."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in build_network(config).state_dict().items()}
