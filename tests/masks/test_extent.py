"""The part of a picture that a mask takes, against a search over its pixels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from camn.masks.extent import extent


@given(st.integers(0, 10_000))
def test_it_holds_all_of_the_mask_and_no_more(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((7, 9)) < rng.uniform(0, 0.2)
    pixels = [(y, x) for y in range(7) for x in range(9) if mask[y, x]]
    if not pixels:
        assert extent(mask) is None
        return
    ys, xs = zip(*pixels)
    assert extent(mask) == (slice(min(ys), max(ys) + 1), slice(min(xs), max(xs) + 1))
