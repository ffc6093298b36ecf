"""Resampling by area, of any sizes, against torch's own."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from camn.model.layers import area

torch.set_num_threads(1)
sides = st.integers(1, 40)


@given(h=sides, w=sides, rows=sides, columns=sides, channels=st.integers(1, 3))
@settings(max_examples=60)
def test_it_is_the_mean_of_what_a_pixel_covers(h, w, rows, columns, channels):
    x = torch.randn(2, channels, h, w, generator=torch.Generator().manual_seed(h))
    slow = F.interpolate(x, (rows, columns), mode="area")
    torch.testing.assert_close(area(x, (rows, columns)), slow, atol=1e-5, rtol=1e-5)


def test_large_frames_and_gradients():
    x = torch.rand(1, 2, 720, 1280, requires_grad=True)
    other = x.detach().clone().requires_grad_()
    found, slow = area(x, (481, 865)), F.interpolate(other, (481, 865), mode="area")
    torch.testing.assert_close(found, slow, atol=1e-5, rtol=0)
    found.square().sum().backward()
    slow.square().sum().backward()
    torch.testing.assert_close(x.grad, other.grad, atol=1e-5, rtol=1e-5)
    assert area(x, (720, 1280)) is x
