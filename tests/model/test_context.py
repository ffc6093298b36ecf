"""Object context against loops over pixels and their regions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import build, noise

from camn.errors import ConfigError
from camn.model.context import ObjectContext, SelfAttention, tiles, untile
from camn.model.layers import ConvNorm

torch.set_num_threads(1)
KINDS = ("base", "pyramid", "aspp")
sides = st.integers(1, 9)


def slow_attention(net, x):
    """One pixel at a time: the pixels of its region, their likeness, the softmax, the sum."""
    b, _, h, w = x.shape
    key, value = net.key(x), net.value(x)
    th, tw = math.ceil(h / net.splits), math.ceil(w / net.splits)
    gathered = torch.empty_like(value)
    for i in range(b):
        for r in range(h):
            for c in range(w):
                rows = slice(r // th * th, r // th * th + th)
                columns = slice(c // tw * tw, c // tw * tw + tw)
                region, others = key[i, :, rows, columns].flatten(1), value[i, :, rows, columns].flatten(1)
                weights = (key[i, :, r, c] @ region / math.sqrt(len(region))).softmax(dim=0)
                gathered[i, :, r, c] = others @ weights
    return net.out(gathered)


@given(h=sides, w=sides, splits=st.sampled_from([1, 2, 3, 6]))
@settings(max_examples=25, deadline=None)
def test_self_attention_gathers_within_regions(h, w, splits):
    net = build(SelfAttention(3, 4, 2, splits))
    x = noise(2, 3, h, w)
    torch.testing.assert_close(net(x), slow_attention(net, x))


def test_self_attention_without_order():
    """Over the whole map, moving pixels about moves the result with them."""
    net = build(SelfAttention(3, 4, 2))
    x, order = noise(1, 3, 4, 5), torch.randperm(20, generator=torch.Generator().manual_seed(0))
    shuffled = x.flatten(2)[:, :, order].reshape(x.shape)
    torch.testing.assert_close(net(shuffled).flatten(2), net(x).flatten(2)[:, :, order])


@given(h=sides, w=sides, th=st.integers(1, 4), tw=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_tiles_come_back(h, w, th, tw):
    x = noise(2, 3, h, w)
    cut = tiles(x, (th, tw))
    assert cut.shape == (2, math.ceil(h / th) * math.ceil(w / tw), th * tw, 3)
    assert torch.equal(cut[:, 0, 0], x[:, :, 0, 0])
    assert torch.equal(untile(cut, (th, tw), (h, w)), x)


@given(h=sides, w=sides, kind=st.sampled_from(KINDS))
@settings(max_examples=20, deadline=None)
def test_object_context_fuses_its_branches(h, w, kind):
    net = build(ObjectContext(kind, 3, 4, 2))
    x = noise(2, 3, h, w)
    parts = {
        "base": lambda: [x, slow_attention(net.branches[1], x)],
        "pyramid": lambda: [x, *(slow_attention(branch, x) for branch in net.branches[1:])],
        "aspp": lambda: [slow_attention(net.branches[0], x), *(branch(x) for branch in net.branches[1:])],
    }[kind]()
    assert net(x).shape == (2, 4, h, w)
    torch.testing.assert_close(net(x), net.fuse(torch.cat(parts, dim=1)))


def test_the_published_splits_and_rates():
    splits = [branch.splits for branch in list(ObjectContext("pyramid", 3, 4, 2).branches)[1:]]
    branches = list(ObjectContext("aspp", 3, 4, 2).branches)[1:]
    convs = [branch.conv for branch in branches if isinstance(branch, ConvNorm)]
    assert splits == [1, 2, 3, 6]
    assert [(c.kernel_size[0], c.dilation[0]) for c in convs] == [(1, 1), (3, 12), (3, 24), (3, 36)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (7, 4)])
def test_gradients(kind, size):
    net = build(ObjectContext(kind, 2, 4, 2))
    x = noise(1, 2, *size).requires_grad_()
    torch.autograd.gradcheck(net, x, atol=1e-4, rtol=1e-3)
    net(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match="'base', 'pyramid' or 'aspp'"):
        ObjectContext("square", 3, 4, 2)  # type: ignore[arg-type]
