"""Local matching against loops over pixels, offsets and objects."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import leaf, noise, some

from camn.model.matching import FAR, owners
from camn.model.windows import BLOCK, local_maps, nearest_in_windows

torch.set_num_threads(1)
sides = st.integers(1, 7)
seeds = st.integers(0, 1000)


def slow_windows(query, keys, owner, radii, stride):
    _, h, w = query.shape
    out = torch.full((len(owner), len(radii), h, w), FAR, dtype=query.dtype)
    for i, radius in enumerate(radii):
        offsets = range(-radius, radius + 1, stride)
        for y in range(h):
            for x in range(w):
                for v, u in ((y + dy, x + dx) for dy in offsets for dx in offsets):
                    if 0 <= v < h and 0 <= u < w:
                        distance = ((query[:, y, x] - keys[:, v, u]) ** 2).sum().item()
                        for n in range(len(owner)):
                            if owner[n, v, u]:
                                out[n, i, y, x] = min(out[n, i, y, x].item(), distance)
    return out


def slow_map(distance, bias):
    return 2 / (1 + math.exp(-(distance + bias))) - 1


@given(
    h=sides,
    w=sides,
    channels=st.integers(1, 3),
    objects=st.integers(1, 3),
    stride=st.integers(1, 3),
    steps=st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True).map(sorted),
    seed=seeds,
)
@settings(max_examples=25)
def test_windows_are_loops_over_offsets(h, w, channels, objects, stride, steps, seed):
    """Windows also beyond the frame, offsets in steps of stride, objects here and there or nowhere."""
    radii = tuple(stride * s for s in steps)
    q, k = noise(channels, h, w, seed=seed), noise(channels, h, w, seed=seed + 1)
    owner = some(objects, h, w, seed=seed, share=0.25)
    got = nearest_in_windows(q, k, owner, radii, stride)
    torch.testing.assert_close(got, slow_windows(q, k, owner, radii, stride))


def test_windows_end_at_the_border_and_at_their_radius():
    query, keys, owner = torch.zeros(1, 1, 7), torch.zeros(1, 1, 7), torch.zeros(1, 1, 7, dtype=torch.bool)
    owner[0, 0, 0] = True
    got = nearest_in_windows(query, keys, owner, (1, 3))[0, :, 0]
    assert got.tolist() == [[0.0] * 2 + [FAR] * 5, [0.0] * 4 + [FAR] * 3]


def test_nobodys_pixels_are_far_in_every_window():
    got = nearest_in_windows(noise(2, 4, 5), noise(2, 4, 5), torch.zeros(3, 4, 5, dtype=torch.bool), (1, 2))
    assert got.shape == (3, 2, 4, 5) and (got == FAR).all()


@given(h=sides, w=sides, stride=st.integers(1, 2), seed=seeds)
@settings(max_examples=15)
def test_local_maps_are_the_windows_of_owned_pixels(h, w, stride, seed):
    query, keys, bias = noise(2, h, w, seed=seed), noise(2, h, w, seed=seed + 1), noise(2, seed=seed + 2)
    masks = torch.rand(2, h, w, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    radii = (stride, 2 * stride)
    distance = slow_windows(query, keys, owners(masks), radii, stride)
    wanted = torch.stack([distance[n].clone().apply_(lambda d, n=n: slow_map(d, bias[n].item())) for n in range(2)])
    torch.testing.assert_close(local_maps(query, keys, masks, bias, radii, stride), wanted)


@given(h=st.integers(2, 9), w=st.integers(2, 9), seed=seeds)
@settings(max_examples=15)
def test_half_size_matches_on_every_second_pixel_of_odd_frames(h, w, seed):
    """On sides 2 k + 1, halving with corners on corners takes every second pixel; in between maps are interpolated."""
    h, w = 2 * h + 1, 2 * w + 1
    query, keys, bias = noise(2, h, w, seed=seed), noise(2, h, w, seed=seed + 1), noise(1, seed=seed + 2)
    masks = some(1, h, w, seed=seed, share=0.5).double()
    got = local_maps(query, keys, masks, bias, (1, 2), half_size=True)
    few = F.interpolate(masks[None], (h // 2 + 1, w // 2 + 1), mode="nearest")[0]
    small = local_maps(query[:, ::2, ::2], keys[:, ::2, ::2], few, bias, (1, 2))
    assert got.shape == (1, 2, h, w)
    torch.testing.assert_close(got[..., ::2, ::2], small)
    torch.testing.assert_close(got[..., ::2, 1::2], (small[..., :-1] + small[..., 1:]) / 2)
    torch.testing.assert_close(got[..., 1::2, ::2], (small[..., :-1, :] + small[..., 1:, :]) / 2)


@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_of_windows(stride):
    owner = some(2, 4, 5)

    def run(q, k):
        found = nearest_in_windows(q, k, owner, (stride, 2 * stride), stride)
        return found[found < FAR]

    torch.autograd.gradcheck(run, (leaf(noise(2, 4, 5)), leaf(noise(2, 4, 5, seed=3))))


def test_rows_longer_than_a_block():
    """Three blocks and a bit, an object at either end of the rows: neighbours are found across all seams."""
    width, radii = 3 * BLOCK + 5, (2, BLOCK + 3)
    q, k = noise(2, 3, width), noise(2, 3, width, seed=3)
    owner = some(3, 3, width, share=0.02)
    owner[1] = False
    owner[1, 1, [0, -1]] = True
    torch.testing.assert_close(nearest_in_windows(q, k, owner, radii), slow_windows(q, k, owner, radii, 1))


def test_gradients_of_local_maps():
    query, keys, bias = leaf(0.5 * noise(2, 5, 5)), leaf(0.5 * noise(2, 5, 5, seed=3)), leaf(noise(2, seed=4))
    masks = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.double)

    def run(query, keys, bias):
        return tuple(local_maps(query, keys, masks, bias, (1, 2), half_size=half) for half in (False, True))

    torch.autograd.gradcheck(run, (query, keys, bias))


def test_arguments_are_left_alone():
    query, keys, masks = noise(2, 4, 4), noise(2, 4, 4, seed=2), noise(2, 4, 4).sigmoid()
    before = [x.clone() for x in (query, keys, masks)]
    local_maps(query, keys, masks, torch.zeros(2), (1, 2), half_size=True)
    nearest_in_windows(query, keys, masks > 0.5, (2, 4), 2)
    assert all(torch.equal(a, b) for a, b in zip((query, keys, masks), before, strict=True))
