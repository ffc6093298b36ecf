"""Feature pyramids against their equations, written out step by step."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import build, noise

from camn.errors import ConfigError
from camn.model.layers import ConvNorm, group_norm, resize
from camn.model.pyramid import FeaturePyramid, FeaturePyramidAttention, PathAggregation

torch.set_num_threads(1)
sides = st.integers(1, 20)


def slow_norm(x, norm):
    """Group norm, one sample and one group at a time."""
    y = torch.empty_like(x)
    size = x.shape[1] // norm.num_groups
    for b in range(x.shape[0]):
        for start in range(0, x.shape[1], size):
            part = x[b, start : start + size]
            centred = part - part.mean()
            y[b, start : start + size] = centred / (centred.square().mean() + norm.eps).sqrt()
    return y * norm.weight[:, None, None] + norm.bias[:, None, None]


def slow_layer(x, layer, stride=1):
    """Convolution by explicit windows, then `slow_norm`; no ReLU."""
    weight = layer.conv.weight
    k = weight.shape[-1]
    padded = F.pad(x, (k // 2,) * 4)
    rows, columns = range(0, x.shape[2], stride), range(0, x.shape[3], stride)
    windows = [
        [torch.einsum("bcij,ocij->bo", padded[:, :, r : r + k, c : c + k], weight) for c in columns] for r in rows
    ]
    y = torch.stack([torch.stack(row, dim=-1) for row in windows], dim=-2)
    return slow_norm(y, layer.norm)


def slow_resize(x, size):
    """Bilinear with aligned corners, pixel by pixel."""
    h, w = x.shape[-2:]
    y = x.new_empty(*x.shape[:2], *size)
    for r in range(size[0]):
        for c in range(size[1]):
            fr = r * (h - 1) / (size[0] - 1) if size[0] > 1 else 0.0
            fc = c * (w - 1) / (size[1] - 1) if size[1] > 1 else 0.0
            r0, c0 = min(int(fr), h - 1), min(int(fc), w - 1)
            r1, c1 = min(r0 + 1, h - 1), min(c0 + 1, w - 1)
            top = x[..., r0, c0] * (1 - fc + c0) + x[..., r0, c1] * (fc - c0)
            low = x[..., r1, c0] * (1 - fc + c0) + x[..., r1, c1] * (fc - c0)
            y[..., r, c] = top * (1 - fr + r0) + low * (fr - r0)
    return y


def halves(h, w):
    """Sizes at strides 4, 8 and 16: rounded up, as strided convolutions make them."""
    return [(h, w), (-(-h // 2), -(-w // 2)), (-(-h // 4), -(-w // 4))]


@pytest.mark.parametrize("channels, groups", [(256, 32), (64, 32), (48, 24), (32, 16), (10, 5), (7, 1), (2, 1), (1, 1)])
def test_groups_divide_the_channels_and_hold_at_least_two(channels, groups):
    assert group_norm(channels).num_groups == groups
    assert group_norm(channels, most=4).num_groups <= 4


@given(h=sides, w=sides, rows=sides, columns=sides)
@settings(max_examples=15, deadline=None)
def test_resize_keeps_corners_on_corners(h, w, rows, columns):
    x = noise(1, 2, h, w)
    torch.testing.assert_close(resize(x, (rows, columns)), slow_resize(x, (rows, columns)))
    assert resize(x, (h, w)) is x


@given(h=sides, w=sides, kernel=st.sampled_from([1, 3, 5]), stride=st.integers(1, 2), activation=st.booleans())
@settings(max_examples=15, deadline=None)
def test_conv_norm_is_window_sums_then_group_statistics(h, w, kernel, stride, activation):
    layer = build(ConvNorm(3, 4, kernel, stride, activation=activation))
    x = noise(2, 3, h, w)
    wanted = slow_layer(x, layer, stride)
    torch.testing.assert_close(layer(x), wanted.relu() if activation else wanted)


@given(h=sides, w=sides, out=st.sampled_from([6, (6, 6, 6), (2, 4, 6), (6, 4, 2)]))
@settings(max_examples=12, deadline=None)
def test_feature_pyramid_is_top_down_sums_then_smoothing(h, w, out):
    net = build(FeaturePyramid((3, 4, 5), out))
    fine, mid, coarse = (noise(1, c, *size, seed=c) for c, size in zip((3, 4, 5), halves(h, w), strict=True))
    top = slow_layer(coarse, net.lateral[2])
    middle = slow_layer(mid, net.lateral[1]) + slow_resize(top, mid.shape[-2:])
    bottom = slow_layer(fine, net.lateral[0]) + slow_resize(middle, fine.shape[-2:])
    # Sums are taken before smoothing; the coarsest map is only brought to its width, if that is another.
    narrow = isinstance(out, tuple) and out[2] != 6
    last = slow_layer(top, net.output[2]) if narrow else top
    wanted = [slow_layer(bottom, net.output[0]), slow_layer(middle, net.output[1]), last]
    for got, want in zip(net((fine, mid, coarse)), wanted, strict=True):
        torch.testing.assert_close(got, want.relu())


def test_feature_pyramid_has_the_published_layers():
    """CFBI+: three 1x1 laterals and two 3x3 smoothing layers without bias, 32 groups over 256 channels."""
    net = FeaturePyramid((256, 512, 256), 256)
    convs = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    norms = [m for m in net.modules() if isinstance(m, torch.nn.GroupNorm)]
    assert [c.kernel_size[0] for c in convs] == [1, 1, 1, 3, 3] and all(c.bias is None for c in convs)
    assert [(n.num_groups, n.num_channels) for n in norms] == [(32, 256)] * 5


def rounded(draw_up, size):
    return -(-size // 2) if draw_up else size // 2 + 1


@given(h=sides, w=sides, scales=st.integers(2, 4), up=st.booleans())
@settings(max_examples=12, deadline=None)
def test_path_aggregation_is_bottom_up_sums(h, w, scales, up):
    channels = (2, 4, 3, 6)[:scales]
    net = build(PathAggregation(channels))
    maps = []
    for i, c in enumerate(channels):
        maps.append(noise(1, c, h, w, seed=i))
        h, w = rounded(up, h), rounded(up, w)
    path = maps[0]
    wanted = [path]
    for x, down, smooth in zip(maps[1:], net.down, net.smooth, strict=True):
        strided = slow_layer(path, down, stride=2).relu()
        if strided.shape[-2:] != x.shape[-2:]:
            strided = slow_resize(strided, x.shape[-2:])
        path = slow_layer(x + strided, smooth).relu()
        wanted.append(path)
    for got, want in zip(net(maps), wanted, strict=True):
        torch.testing.assert_close(got, want)


def slow_pool(x):
    """Maximum of each 2x2 block, blocks cut off at the edge."""
    rows, columns = range(0, x.shape[2], 2), range(0, x.shape[3], 2)
    blocks = [[x[:, :, r : r + 2, c : c + 2].amax(dim=(2, 3)) for c in columns] for r in rows]
    return torch.stack([torch.stack(row, dim=-1) for row in blocks], dim=-2)


@given(h=sides, w=sides, per_channel=st.booleans())
@settings(max_examples=12, deadline=None)
def test_pyramid_attention_is_its_equations(h, w, per_channel):
    net = build(FeaturePyramidAttention(3, 4, middle=2, per_channel=per_channel))
    x = noise(2, 3, h, w)
    half = slow_layer(slow_pool(x), net.down[0]).relu()
    quarter = slow_layer(slow_pool(half), net.down[1]).relu()
    eighth = slow_layer(slow_pool(quarter), net.down[2]).relu()
    merged = slow_layer(eighth, net.across[2]).relu()
    merged = slow_layer(quarter, net.across[1]).relu() + slow_resize(merged, quarter.shape[-2:])
    merged = slow_layer(half, net.across[0]).relu() + slow_resize(merged, half.shape[-2:])
    merged = slow_resize(merged, x.shape[-2:])
    attention = torch.sigmoid(net.attention(merged))
    whole = net.whole(x.sum(dim=(2, 3), keepdim=True) / (h * w)).relu()
    wanted = slow_layer(x, net.direct).relu() * attention + whole
    torch.testing.assert_close(net(x), wanted)


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 9)])
def test_gradients(size):
    pyramid, paths = build(FeaturePyramid((2, 2, 2), (2, 2, 4))), build(PathAggregation((2, 2, 4)))
    maps = [noise(1, 2, *s, seed=i).requires_grad_() for i, s in enumerate(halves(*size))]
    torch.autograd.gradcheck(lambda *maps: paths(pyramid(maps)), maps, atol=1e-4, rtol=1e-3)
    attention = build(FeaturePyramidAttention(2, 4))
    torch.autograd.gradcheck(attention, noise(1, 2, *size).requires_grad_(), atol=1e-4, rtol=1e-3)
    used = [*pyramid.parameters(), *paths.parameters(), *attention.parameters()]
    outputs = [*paths(pyramid(maps)), attention(maps[0])]
    grads = torch.autograd.grad([y.square().sum() for y in outputs], used)
    assert all(g.isfinite().all() for g in grads)


def test_arguments_are_left_alone():
    maps = [noise(1, 2, *s, seed=i) for i, s in enumerate(halves(8, 8))]
    before = [x.clone() for x in maps]
    build(PathAggregation((2, 2, 2)))(build(FeaturePyramid((2, 2, 2), 2))(maps))
    build(PathAggregation((2, 2, 2)))(maps)
    build(FeaturePyramidAttention(2, 4))(maps[0])
    assert all(torch.equal(a, b) for a, b in zip(maps, before, strict=True))


def test_contradictions_are_refused():
    with pytest.raises(ConfigError, match="output widths"):
        FeaturePyramid((2, 2, 2), (4, 4))
    with pytest.raises(ConfigError, match="fewer than two"):
        PathAggregation((4,))
    with pytest.raises(ConfigError, match="below 2"):
        FeaturePyramidAttention(4, 4, middle=1)
