"""Maps side by side are convolved as if they were one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import noise
from torch.nn import functional as F

from camn.lean.joined import Parted, joined

torch.set_num_threads(1)
OUT = 3


def mask(kind, h, w):
    drawn = torch.rand(1, 1, h, w, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    return {"soft": drawn, "few": drawn > 0.8, "many": drawn > 0.2, "none": drawn > 1, "all": drawn >= 0}[kind].double()


@pytest.mark.parametrize("kind", ["soft", "few", "many", "none", "all"])
@given(channels=st.integers(1, 4), h=st.integers(1, 6), w=st.integers(1, 6))
@settings(max_examples=15)
def test_a_parted_map_is_its_two_parts(kind, channels, h, w):
    whole = noise(1, channels, h, w).contiguous(memory_format=torch.channels_last)
    share, weight = mask(kind, h, w), noise(OUT, 2 * channels, 1, 1, seed=2)
    slow = F.conv2d(torch.cat([whole * share, whole * (1 - share)], 1), weight)
    torch.testing.assert_close(Parted(whole, share).convolve(weight), slow)
    if h * w > 1:
        exported = torch.export.export(_Parted(), (whole, share, weight)).module()
        torch.testing.assert_close(exported(whole, share, weight), slow)


class _Parted(torch.nn.Module):
    def forward(self, whole, share, weight):
        return Parted(whole, share).convolve(weight)


@given(channels=st.lists(st.integers(1, 4), min_size=1, max_size=3), stride=st.integers(1, 2))
@settings(max_examples=20)
def test_maps_side_by_side_are_one(channels, stride):
    maps = [noise(1, c, 5, 6, seed=i) for i, c in enumerate(channels)]
    weight, factor = noise(OUT, sum(channels), 1, 1, seed=8), noise(1, sum(channels), seed=9)
    x, one = joined(*maps), torch.cat(maps, 1)
    made = x.convolve(weight, factor, stride)
    torch.testing.assert_close(made, F.conv2d(one * factor[..., None, None], weight, stride=stride))
    torch.testing.assert_close(x.energy, one.square().sum((2, 3)))
    beside = joined(*maps[:1]).beside(joined(*maps[1:])) if len(maps) > 1 else x
    torch.testing.assert_close(beside.convolve(weight, factor, stride), made)
