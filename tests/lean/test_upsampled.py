"""Convolving an enlarged map at its own size is enlarging, then convolving."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from camn.lean.upsampled import convolve_doubled, convolve_enlarged

torch.set_num_threads(1)
sides = st.tuples(st.integers(1, 6), st.integers(0, 14))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@given(
    height=sides,
    width=sides,
    batch=st.integers(1, 2),
    channels=st.integers(1, 4),
    out=st.integers(1, 4),
    last=st.booleans(),
)
@settings(max_examples=25)
def test_both_ways_are_one(mode, batch, height, width, channels, out, last):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, channels, height[0], width[0], generator=generator, dtype=torch.double)
    weight = torch.randn(out, channels, 3, 3, generator=generator, dtype=torch.double)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    size = (sum(height), sum(width))
    slow = F.conv2d(F.interpolate(x, size, mode=mode, align_corners=True), weight, padding=1)
    torch.testing.assert_close(convolve_enlarged(x, weight, size, mode), slow)


@given(
    height=st.integers(1, 7), width=st.integers(1, 7), batch=st.integers(1, 2), channels=st.integers(1, 4),
    out=st.integers(1, 4), last=st.booleans(),
)  # fmt: skip
@settings(max_examples=40)
def test_twice_the_size(batch, channels, height, width, out, last):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, channels, height, width, generator=generator, dtype=torch.double)
    weight = torch.randn(out, channels, 3, 3, generator=generator, dtype=torch.double)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    size = (2 * height - 1, 2 * width - 1)
    slow = F.conv2d(F.interpolate(x, size, mode="bilinear", align_corners=True), weight, padding=1)
    torch.testing.assert_close(convolve_doubled(x, weight), slow)
