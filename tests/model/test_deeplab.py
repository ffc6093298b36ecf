"""DeepLabV3+ over a backbone against its layers written out, window by window."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import build, noise

from camn.model.deeplab import AtrousPyramid, ConvBatchNorm, DeepLab, SingleEmbedding

torch.set_num_threads(1)
sides = st.integers(1, 7)


def slow_conv(x, weight, dilation=1):
    """A convolution that keeps the size, by explicit windows."""
    k = weight.shape[-1]
    reach = dilation * (k // 2)
    padded = F.pad(x, (reach,) * 4)
    y = x.new_empty(len(x), len(weight), *x.shape[-2:])
    for r in range(x.shape[2]):
        for c in range(x.shape[3]):
            window = padded[:, :, r : r + 2 * reach + 1 : dilation, c : c + 2 * reach + 1 : dilation]
            y[:, :, r, c] = torch.einsum("bcij,ocij->bo", window, weight)
    return y


def slow_layer(x, layer, dilation=1):
    convolution, norm, _ = layer
    x = slow_conv(x, convolution.weight, dilation)
    scale = norm.weight / (norm.running_var + norm.epsilon).sqrt()
    return ((x - norm.running_mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]).relu()


def slow_pyramid(net, x):
    branches = [slow_layer(x, branch, d) for branch, d in zip(net.branches, (1, 6, 12, 18), strict=True)]
    mean = x.flatten(2).sum(2)[..., None, None] / (x.shape[2] * x.shape[3])
    whole = slow_layer(mean, net.whole).repeat(1, 1, *x.shape[-2:])
    return slow_layer(torch.cat([*branches, whole], 1), net.join)


@given(h=sides, w=sides, kernel=st.sampled_from([1, 3]), dilation=st.integers(1, 3))
@settings(max_examples=12)
def test_layer_is_windows_frozen_norm_and_relu(h, w, kernel, dilation):
    layer, x = build(ConvBatchNorm(2, 3, kernel, dilation)), noise(2, 2, h, w)
    torch.testing.assert_close(layer(x), slow_layer(x, layer, dilation))


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (3, 20)])
def test_pyramid_has_four_reaches_and_the_mean(size):
    net, x = build(AtrousPyramid(3, 2)), noise(2, 3, *size)
    torch.testing.assert_close(net(x), slow_pyramid(net, x))


@given(h=st.integers(1, 3), w=st.integers(1, 3))
@settings(max_examples=6)
def test_decoder_joins_the_pyramid_and_the_fine_map(h, w):
    net = build(DeepLab(2, 3, width=4, skip=2))
    fine, coarse = noise(2, 2, 4 * h + 1, 4 * w + 1), noise(2, 3, h + 1, w + 1, seed=2)
    decoded, pooled = net(fine, coarse)
    torch.testing.assert_close(pooled, slow_pyramid(net.pyramid, coarse))
    large = F.interpolate(pooled, fine.shape[-2:], mode="bilinear", align_corners=True)
    x = torch.cat([large, slow_layer(fine, net.skip)], 1)
    for layer in net.decoder:
        x = slow_layer(x, layer)
    torch.testing.assert_close(decoded, x)


def slow_norm(x, norm):
    parts = x.unflatten(1, (norm.num_groups, -1)).flatten(2)
    centred = parts - parts.mean(2, keepdim=True)
    normed = (centred / (centred.square().mean(2, keepdim=True) + norm.eps).sqrt()).view_as(x)
    return normed * norm.weight[:, None, None] + norm.bias[:, None, None]


@pytest.mark.parametrize("size", [(1, 2), (4, 5)])
def test_single_embedding_is_depthwise_then_pointwise(size):
    net, x = build(SingleEmbedding(32, 8)), noise(2, 32, *size)
    channels = [slow_conv(x[:, c : c + 1], net[0].weight[c : c + 1]) for c in range(32)]
    y = slow_norm(torch.cat(channels, 1) + net[0].bias[:, None, None], net[1]).relu()
    y = slow_norm(slow_conv(y, net[3].weight) + net[3].bias[:, None, None], net[4]).relu()
    torch.testing.assert_close(net(x), y)
    assert net[4].num_groups == 2  # four channels a group


def test_gradients():
    net = build(DeepLab(2, 2, width=2, skip=2))
    fine, coarse = noise(1, 2, 5, 5).requires_grad_(), noise(1, 2, 2, 2, seed=2).requires_grad_()
    torch.autograd.gradcheck(net, (fine, coarse))
    torch.autograd.gradcheck(build(SingleEmbedding(32, 4)), (noise(1, 32, 2, 2).requires_grad_(),))


def test_norms_are_not_trained():
    assert {name.split(".")[-2] for name, _ in DeepLab(2, 3, 4, 2).named_parameters()} == {"0"}
