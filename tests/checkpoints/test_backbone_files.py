"""ImageNet files as starts for the backbones, written as their publishers name the tensors."""

import re

import pytest
import torch

from camn.checkpoints.backbones import backbone_state
from camn.config import BACKBONES
from camn.errors import CheckpointError, ConfigError
from camn.model.backbones import build_backbone

CLASSIFIER = {
    "resnet50": ("fc.weight", "fc.bias"),
    "resnet101": ("fc.weight", "fc.bias"),
    "mobilenet_v2": ("features.18.0.weight", "features.18.1.running_mean", "classifier.1.weight"),
    "efficientnet_lite0": ("_blocks.11._bn0.weight", "_conv_head.weight", "_bn1.bias", "_fc.bias"),
    "efficientnet_lite1": ("_blocks.15._bn0.weight", "_blocks.20._bn2.bias", "_conv_head.weight", "_fc.bias"),
    "efficientnet_lite2": ("_blocks.15._bn0.weight", "_blocks.20._bn2.bias", "_conv_head.weight", "_fc.bias"),
}


def nested(key: str) -> str:
    """The name that torchvision gives a layer of a MobileNetV2 block: (convolution, norm, ReLU6) are one item."""
    found = re.match(r"features\.(\d+)\.conv\.(\d)\.(\w+)$", key)
    if not found:
        return key
    items = ["0.0", "0.1", "0.2", "1", "2"] if found[1] == "1" else ["0.0", "0.1", "0.2", "1.0", "1.1", "1.2", "2", "3"]
    return f"features.{found[1]}.conv.{items[int(found[2])]}.{found[3]}"


def published(name: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """(our state, the same as its publisher's file has it)."""
    torch.manual_seed(0)
    ours = {n: torch.randn_like(t) for n, t in build_backbone(name).state_dict().items()}
    theirs = {nested(n) if name == "mobilenet_v2" else n: t for n, t in ours.items()}
    norms = [n.removesuffix("running_mean") for n in theirs if n.endswith("running_mean")]
    counters = {f"{n}num_batches_tracked": torch.tensor(0) for n in norms}
    return ours, theirs | counters | {n: torch.zeros(3) for n in CLASSIFIER[name]}


@pytest.mark.parametrize("name", BACKBONES)
def test_published_file_loads(name, tmp_path):
    ours, theirs = published(name)
    torch.save(theirs, tmp_path / "imagenet.pth")
    state = backbone_state(tmp_path / "imagenet.pth", name)
    build_backbone(name).load_state_dict(state)
    assert state.keys() == ours.keys() and all(torch.equal(state[n], ours[n]) for n in ours)


def test_flat_mobilenet_loads_too(tmp_path):
    ours, _ = published("mobilenet_v2")
    torch.save(ours, tmp_path / "flat.pth")
    state = backbone_state(tmp_path / "flat.pth", "mobilenet_v2")
    assert all(torch.equal(state[n], ours[n]) for n in ours)


def test_torchvision_names_of_known_layers():
    assert nested("features.1.conv.3.weight") == "features.1.conv.1.weight"
    assert nested("features.2.conv.4.running_var") == "features.2.conv.1.1.running_var"
    assert nested("features.17.conv.7.bias") == "features.17.conv.3.bias"


def test_files_of_other_networks(tmp_path):
    path = tmp_path / "r101.pth"
    _, theirs = published("resnet101")
    torch.save(theirs, path)
    with pytest.raises(CheckpointError, match=r"r101.pth: not a file of resnet50: .*layer3.10.*torchvision's resnet50"):
        backbone_state(path, "resnet50")
    with pytest.raises(CheckpointError, match="it lacks"):
        backbone_state(path, "efficientnet_lite0")
    torch.save(published("efficientnet_lite1")[1], path)
    with pytest.raises(CheckpointError, match=r"not a file of efficientnet_lite0: it has .* without a place"):
        backbone_state(path, "efficientnet_lite0")
    with pytest.raises(CheckpointError, match="the model needs"):
        backbone_state(path, "efficientnet_lite2")
    torch.save(theirs | {"conv1.weight": torch.zeros(64, 1, 7, 7)}, path)
    with pytest.raises(CheckpointError, match=r"conv1.weight: the file has \(64, 1, 7, 7\), the model needs"):
        backbone_state(path, "resnet101")
    with pytest.raises(ConfigError, match="unknown backbone"):
        backbone_state(path, "resnet18")
