"""Winograd's way of convolving is the plain one but for rounding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from camn.lean import winograd
from camn.lean.winograd import WinogradConvolution, convolve, quickened

torch.set_num_threads(1)
channels = st.integers(1, 5)


@given(
    h=st.integers(1, 30),
    w=st.integers(1, 14),
    batch=st.integers(1, 2),
    inputs=channels,
    outputs=channels,
    tiles=st.integers(1, 9),
    bias=st.booleans(),
    last=st.booleans(),
    single=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_it_is_the_plain_convolution(h, w, batch, inputs, outputs, tiles, bias, last, single):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, inputs, h, w, generator=generator, dtype=torch.double)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator, dtype=torch.double)
    shift = torch.randn(outputs, generator=generator, dtype=torch.double) if bias else None
    wanted = F.conv2d(x, weight, shift, padding=1)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    if single:
        x, weight, shift = x.float(), weight.float(), None if shift is None else shift.float()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "TILES", tiles)  # small maps in several bands
        made = convolve(x, weight, shift)
    assert made.dtype == x.dtype and made.is_contiguous(memory_format=torch.channels_last)
    bound = (1e-4 if single else 1e-12) * float(1 + wanted.abs().max())
    torch.testing.assert_close(made.double(), wanted, rtol=0, atol=bound)


def test_only_convolutions_that_gain_are_changed_and_only_on_large_maps():
    torch.manual_seed(0)
    few = winograd.LEAST_CHANNELS
    plain, head = nn.Conv2d(few, few, 3, padding=1), nn.Conv2d(few, 3, 3, padding=1)
    others = [nn.Conv2d(few, few, 3, padding=2, dilation=2), nn.Conv2d(few, few, 3, 2, 1), nn.Conv2d(few, few, 1)]
    network = nn.Sequential(nn.Sequential(plain, *others), head).eval()
    made = quickened(network)
    assert [type(m) for m in [*made[0], made[1]]] == [WinogradConvolution, *[nn.Conv2d] * 4]
    assert network[0][0] is plain  # the network itself stays as it was
    large = torch.randn(1, few, 41, winograd.LEAST_PIXELS // 40)
    with torch.inference_mode():
        torch.testing.assert_close(made(large), network(large), rtol=0, atol=1e-4)
        assert not torch.equal(made[0][0](large), plain(large))
        assert torch.equal(made[0][0](large[:, :, :9]), plain(large[:, :, :9]))


def test_in_a_graph_it_is_the_plain_one():
    one = nn.Conv2d(winograd.LEAST_CHANNELS, winograd.LEAST_CHANNELS, 3, padding=1).eval()
    x = torch.randn(1, one.in_channels, 40, winograd.LEAST_PIXELS // 40 + 1)
    made = WinogradConvolution.of(one)
    with torch.no_grad():
        for graph in (torch.export.export(made, (x,)).module(), torch.jit.trace(made, (x,), check_trace=False)):
            assert torch.equal(graph(x), one(x))
