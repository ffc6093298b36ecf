"""What is answered, channel by channel, against all channels at once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.inference.result import Result, strongest_of_all, to_frame
from camn.masks import ObjectIds

torch.set_num_threads(1)
sides = st.integers(1, 9)


@given(
    size=st.tuples(sides, sides), work=st.tuples(sides, sides), objects=st.integers(0, 4), said=st.booleans(),
    levels=st.integers(1, 5), seed=st.integers(0, 1000),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_channels_one_by_one_are_all_channels_at_once(size, work, objects, said, levels, seed):
    """Few levels make many ties: the first of the most probable channels has the pixel."""
    draw = torch.Generator().manual_seed(seed)
    probabilities = torch.randint(levels, (objects + 1, *work), generator=draw) / max(levels - 1, 1)
    ids = ObjectIds(tuple(range(7, 7 + objects)))
    every = to_frame(probabilities, size)
    channels = every.numpy().argmax(0)
    if said:
        channels = torch.randint(objects + 1, size, generator=draw).numpy()
    got = Result.of(3, ids, probabilities, size, ids.ids_map(channels) if said else None, frozenset({7}), 0.6)
    assert got.index == 3 and np.array_equal(got.ids, ids.ids_map(channels))
    for id in ids:
        share = every[ids.channel(id)].numpy()
        mine = got.ids == id
        wanted = share[mine].mean() if mine.any() else share.max()
        assert got.confidence[id] == pytest.approx(float(wanted), abs=1e-6)
        assert (id in got.lost) == (not mine.any() or (share.max() < 0.6 and id != 7))
        assert np.array_equal(got.probability(id), share)


@given(
    work=st.tuples(sides, sides),
    count=st.integers(1, 5),
    together=st.integers(1, 6),
    said=st.booleans(),
    seed=st.integers(0, 99),
)
def test_channels_together_are_channels_one_by_one(work, count, together, said, seed):
    draw = torch.Generator().manual_seed(seed)
    probabilities = torch.randint(4, (count, *work), generator=draw) / 3
    labels = torch.randint(count, (6, 5), generator=draw).to(torch.uint8) if said else None
    for got, wanted in zip(*(strongest_of_all(probabilities, (6, 5), labels, n) for n in (together, 1)), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(torch.cat([*got]), torch.cat([*wanted]), strict=True))


def test_the_ids_given_are_copied():
    mask = np.full((2, 3), 5, np.uint8)
    got = Result.of(0, ObjectIds((5,)), torch.ones(2, 2, 3), mask.shape, mask)
    assert np.array_equal(got.ids, mask) and not np.shares_memory(got.ids, mask)
