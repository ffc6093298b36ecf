"""ImageNet weights files as starts for the backbones."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from camn.checkpoints.state_dicts import check_shapes, misfit, read_state
from camn.config import BACKBONES
from camn.errors import CheckpointError, ConfigError
from camn.model.backbones import backbone_keys, build_backbone


def backbone_state(path: str | Path, name: str) -> dict[str, Tensor]:
    """An ImageNet weights file -> the state of `camn.model.backbones.build_backbone(name)`, classifier left out.

    name: one of `camn.config.BACKBONES`. Raises ConfigError for another, CheckpointError for a file that cannot be read
    or is another network's.
    """
    if name not in BACKBONES:
        raise ConfigError(f"unknown backbone {name!r}: it must be one of {', '.join(BACKBONES)}")
    entry = BACKBONES[name]
    state = flat_names({key.removeprefix("module."): tensor for key, tensor in read_state(path).items()})
    with torch.device("meta"):
        backbone = build_backbone(name)
    missing, unused = backbone_keys(state, backbone)
    unused = [key for key in unused if not re.match(entry.classifier, key)]
    if said := misfit(missing, unused):
        raise CheckpointError(f"{path}: not a file of {name}: it {said}. Give {entry.weights} weights")
    wanted = {key: tuple(tensor.shape) for key, tensor in backbone.state_dict().items()}
    try:
        check_shapes(state, wanted, name)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return {key: state[key] for key in wanted}


def flat_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A MobileNetV2's state with each block's layers in one row, as ours and CFBI's lie; torchvision nests each
    convolution that has an activation with its norm (`features.2.conv.1.0.weight` -> `features.2.conv.3.weight`)."""
    if "features.1.conv.0.0.weight" not in state:
        return state
    return {_flat_name(key): tensor for key, tensor in state.items()}


def _flat_name(key: str) -> str:
    found = re.match(r"features\.(\d+)\.conv\.(\d)\.(?:(\d)\.)?(\w+)$", key)
    if not found:
        return key
    nested = 1 if found[1] == "1" else 2  # the first block does not expand; a nested part is 3 layers, its ReLU counted
    outer = int(found[2])
    index = 3 * outer + int(found[3]) if found[3] else 3 * nested + outer - nested
    return f"features.{found[1]}.conv.{index}.{found[4]}"
