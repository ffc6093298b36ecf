"""Backbones: strides and widths, the key names of public files, frozen norm, dilations and padding."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import build, noise

from camn.config import BACKBONES
from camn.model.backbones import (
    FrozenBatchNorm,
    InvertedResidual,
    MobileNetV2,
    PaddedInvertedResidual,
    backbone_keys,
    build_backbone,
)

torch.set_num_threads(1)
NORM = ("weight", "bias", "running_mean", "running_var")
WIDTHS = {
    "resnet50": (256, 512, 2048),
    "resnet101": (256, 512, 2048),
    "mobilenet_v2": (24, 32, 320),
    "efficientnet_lite0": (24, 40, 112),
    "efficientnet_lite1": (24, 40, 112),
    "efficientnet_lite2": (24, 48, 120),
}


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("size", [(65, 97), (81, 33), (1, 1)])
def test_strides_and_widths(name, size):
    with torch.device("meta"):
        backbone = build_backbone(name)
        maps = backbone(torch.zeros(2, 3, *size))
    assert backbone.channels == WIDTHS[name]
    widths = (backbone.stem, *WIDTHS[name])
    for x, width, stride in zip(maps, widths, (2, 4, 8, 16), strict=True):
        assert x.shape == (2, width, *((s - 1) // stride + 1 for s in size))


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0", "efficientnet_lite2"])
def test_each_map_is_centred_on_every_stride_th_pixel(name):
    """What a pixel of a map sees lies evenly about image pixel stride * i: features stay in place at every stride."""
    backbone = build(build_backbone(name)).requires_grad_(False)
    image = noise(1, 3, 161, 161).requires_grad_()
    for x, stride in zip(backbone(image), (2, 4, 8), strict=False):
        i = 80 // stride
        (grad,) = torch.autograd.grad(x[0, :, i, i].sum(), image, retain_graph=True)
        seen = grad[0].abs().sum(0)
        rows, columns = seen.sum(1).nonzero().flatten(), seen.sum(0).nonzero().flatten()
        assert (rows.min() + rows.max()).item() == 160 and (columns.min() + columns.max()).item() == 160


def resnet_keys(blocks):
    """torchvision's names, by rule."""
    keys = {"conv1.weight", *(f"bn1.{k}" for k in NORM)}
    for layer, count in zip((1, 2, 3, 4), blocks, strict=True):
        for i in range(count):
            for c in (1, 2, 3):
                keys |= {f"layer{layer}.{i}.conv{c}.weight", *(f"layer{layer}.{i}.bn{c}.{k}" for k in NORM)}
        keys |= {f"layer{layer}.0.downsample.0.weight", *(f"layer{layer}.0.downsample.1.{k}" for k in NORM)}
    return keys


@pytest.mark.parametrize("name, blocks", [("resnet50", (3, 4, 6, 3)), ("resnet101", (3, 4, 23, 3))])
def test_resnets_have_torchvisions_names_and_shapes(name, blocks):
    with torch.device("meta"):
        state = build_backbone(name).state_dict()
    assert state.keys() == resnet_keys(blocks)
    inputs = 64
    for layer, planes in zip((1, 2, 3, 4), (64, 128, 256, 512), strict=True):
        for i in range(blocks[layer - 1]):
            shapes = [tuple(state[f"layer{layer}.{i}.conv{c}.weight"].shape) for c in (1, 2, 3)]
            assert shapes == [(planes, inputs, 1, 1), (planes, planes, 3, 3), (4 * planes, planes, 1, 1)]
            if i == 0:
                assert state[f"layer{layer}.0.downsample.0.weight"].shape == (4 * planes, inputs, 1, 1)
            inputs = 4 * planes


@pytest.mark.parametrize("name", ["resnet50", "resnet101"])
def test_last_stage_is_multi_grid(name):
    with torch.device("meta"):
        backbone = build_backbone(name)
    convolutions = {n: m for n, m in backbone.named_modules() if n.endswith("conv2")}
    last = [m for n, m in convolutions.items() if n.startswith("layer4")]
    assert [m.dilation[0] for m in last] == [2, 4, 8] == [m.padding[0] for m in last]  # twice (1, 2, 4)
    assert all(m.dilation == (1, 1) for n, m in convolutions.items() if not n.startswith("layer4"))
    assert [n for n, m in convolutions.items() if m.stride == (2, 2)] == ["layer2.0.conv2", "layer3.0.conv2"]


@given(channels=st.integers(1, 4), h=st.integers(1, 5), w=st.integers(1, 5), epsilon=st.sampled_from([1e-5, 1e-3, 0.5]))
@settings(max_examples=15)
def test_frozen_norm_is_its_formula_also_while_training(channels, h, w, epsilon):
    norm, x = build(FrozenBatchNorm(channels, epsilon)).train(), noise(2, channels, h, w)
    before = {k: v.clone() for k, v in norm.state_dict().items()}
    y = norm(x)
    for c in range(channels):
        mean, variance = norm.running_mean[c].item(), norm.running_var[c].item()
        wanted = (x[:, c] - mean) / (variance + epsilon) ** 0.5 * norm.weight[c].item() + norm.bias[c].item()
        torch.testing.assert_close(y[:, c], wanted)
    assert not list(norm.parameters()) and all(torch.equal(v, before[k]) for k, v in norm.state_dict().items())


def test_counters_of_ordinary_norms_are_passed_over():
    ordinary = torch.nn.BatchNorm2d(3)
    state = ordinary.state_dict()
    FrozenBatchNorm(3).load_state_dict(state)
    assert "num_batches_tracked" in state  # the caller's dictionary keeps it


def test_missing_and_unused_keys_are_told():
    with torch.device("meta"):
        backbone = build_backbone("efficientnet_lite0")
    state = set(backbone.state_dict()) - {"_bn0.bias"} | {"_fc.weight", "_bn1.num_batches_tracked"}
    assert backbone_keys(state, backbone) == (["_bn0.bias"], ["_fc.weight"])


@pytest.mark.parametrize("stride, dilation, expand", [(1, 1, 6), (2, 1, 6), (1, 2, 6), (1, 1, 1)])
def test_padding_before_expansion_is_the_plain_block_but_for_the_border(stride, dilation, expand):
    outputs = 3 if stride == 1 else 5
    plain = build(InvertedResidual(3, outputs, stride, dilation, expand))
    padded = build(PaddedInvertedResidual(3, outputs, stride, dilation, expand))
    assert plain.state_dict().keys() == padded.state_dict().keys()
    x = noise(2, 3, 11, 13)
    a, b = plain(x), padded(x)
    assert a.shape == b.shape
    inner = slice(dilation, -dilation)
    torch.testing.assert_close(a[..., inner, inner], b[..., inner, inner])
    # Without an expansion there is no shift for zeros to take; with one, the border sees it.
    assert torch.allclose(a, b) == (expand == 1)


def test_padded_border_sees_what_the_expansion_makes_of_zeros():
    block, x = build(PaddedInvertedResidual(2, 3, 1, 1, 6)), noise(1, 2, 4, 4)
    expand, norm, relu, depthwise, *rest = block.conv
    hidden = relu(norm(expand(F.pad(x, (1, 1, 1, 1)))))
    assert hidden[..., 0, 0].any()  # norm's shift, not zeros
    y = F.conv2d(hidden, depthwise.weight, groups=12)
    torch.testing.assert_close(block(x), torch.nn.Sequential(*rest)(y))


def test_mobilenets_differ_in_padding_only():
    a, b = MobileNetV2(), MobileNetV2(InvertedResidual)
    assert a.state_dict().keys() == b.state_dict().keys()
    depthwise = [m for m in a.modules() if isinstance(m, torch.nn.Conv2d) and m.groups > 1]
    assert [m.dilation[0] for m in depthwise[-4:]] == [1, 2, 2, 2] and len(depthwise) == 17


@pytest.mark.parametrize("name", BACKBONES)
def test_gradients_reach_every_weight(name):
    torch.manual_seed(0)
    backbone = build_backbone(name)
    sum(x.square().mean() for x in backbone(torch.rand(1, 3, 33, 33))).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in backbone.parameters())
