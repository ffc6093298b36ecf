"""Matching of all clips and objects at once against matching of each alone, its gradients, and that it never waits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.model.dense import nearest_in_all_windows, nearest_of_all
from camn.model.matching import FAR, Pool, nearest
from camn.model.windows import nearest_in_windows
from camn.speed.calls import Counted

torch.set_num_threads(1)
seeds = st.integers(0, 10_000)


def example(seed, clips, objects, height, width, channels=5):
    """query, keys (B, C, H, W) that record gradients, owner (B, N, H, W), in which some objects own nothing."""
    chance = torch.Generator().manual_seed(seed)
    shape = (clips, channels, height, width)
    query, keys = (torch.randn(shape, generator=chance, dtype=torch.float64).requires_grad_() for _ in range(2))
    owner = torch.rand(clips, objects, height, width, generator=chance) > 0.8
    return query, keys, owner & (torch.rand(clips, objects, 1, 1, generator=chance) > 0.2)


def agree(got, wanted, query, keys, seed):
    """Values, and gradients of a random sum of those that are no FAR."""
    torch.testing.assert_close(got, wanted, atol=1e-10, rtol=1e-10)
    weight = torch.randn(got.shape, generator=torch.Generator().manual_seed(seed), dtype=got.dtype) * (wanted < FAR)
    ours, theirs = (
        torch.autograd.grad((x * weight).sum(), (query, keys), materialize_grads=True) for x in (got, wanted)
    )
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)


@given(seed=seeds, clips=st.integers(1, 3), objects=st.integers(1, 3), tile=st.sampled_from([1, 50, 1 << 19]))
@settings(max_examples=25)
def test_nearest_of_all_is_nearest_of_each(seed, clips, objects, tile):
    query, keys, owner = example(seed, clips, objects, 4, 6)
    rows = [x.flatten(2).transpose(1, 2) for x in (query, keys)]
    got = nearest_of_all(*rows, owner.flatten(2), tile)
    pools = [Pool.of(k, own.flatten(1).T) for k, own in zip(rows[1], owner, strict=True)]
    wanted = torch.stack([nearest(q, [pool]).T for q, pool in zip(rows[0], pools, strict=True)])
    agree(got, wanted, query, keys, seed)


@given(
    seed=seeds,
    clips=st.integers(1, 2),
    objects=st.integers(1, 3),
    height=st.integers(1, 35),
    width=st.integers(1, 9),
    windows=st.sampled_from([((1, 2, 5), 1), ((2,), 1), ((2, 4, 8), 2), ((3, 6), 3)]),
)
@settings(max_examples=25)
def test_windows_of_all_are_windows_of_each(seed, clips, objects, height, width, windows):
    radii, stride = windows
    query, keys, owner = example(seed, clips, objects, height, width)
    got = nearest_in_all_windows(query, keys, owner, radii, stride)
    wanted = torch.stack(
        [nearest_in_windows(q, k, o, radii, stride) for q, k, o in zip(query, keys, owner, strict=True)]
    )
    agree(got, wanted, query, keys, seed)
    with torch.no_grad():
        torch.testing.assert_close(nearest_in_all_windows(query, keys, owner, radii, stride), wanted)


@pytest.mark.parametrize("clips, objects", [(1, 2), (7, 5)])
def test_the_number_of_calls_is_the_same_for_any_number_of_clips_and_objects(clips, objects):
    """But for a copy or two, which torch saves itself for one object."""

    def calls(clips, objects):
        query, keys, owner = example(0, clips, objects, 9, 11)
        rows = [x.flatten(2).transpose(1, 2) for x in (query, keys)]
        nearest_in_all_windows(query, keys, owner, (1, 2, 5))  # makes what it keeps of the windows
        with Counted() as seen:
            nearest_in_all_windows(query, keys, owner, (1, 2, 5)).sum().backward()
            nearest_of_all(*rows, owner.flatten(2)).sum().backward()
        assert not seen.reads
        return seen.calls

    assert calls(clips, objects) == pytest.approx(calls(2, 1), abs=2)
