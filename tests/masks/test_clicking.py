"""Where the next click goes, against a search over all pixels."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.masks.clicking import depths, next_click


def slow_depths(region: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the nearest one outside the region, the picture's surroundings among these."""
    height, width = region.shape
    outside = [(y, x) for y in range(-1, height + 1) for x in range(-1, width + 1)
               if not (0 <= y < height and 0 <= x < width and region[y, x])]  # fmt: skip
    found = np.zeros(region.shape)
    for y, x in zip(*np.nonzero(region)):
        found[y, x] = min(np.hypot(y - a, x - b) for a, b in outside)
    return found


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_depths(seed):
    rng = np.random.default_rng(seed)
    region = rng.random((9, 12)) < rng.uniform(0.3, 1)
    # The masks of distances that OpenCV adds up are off by some hundredths.
    np.testing.assert_allclose(depths(region), slow_depths(region), atol=0.15)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_the_click_is_where_the_largest_error_is_deepest(seed):
    rng = np.random.default_rng(seed)
    truth, guess, counted = (rng.random((8, 10)) < share for share in (0.5, 0.4, 0.9))
    missed, taken = (slow_depths(wrong & counted) for wrong in (truth & ~guess, guess & ~truth))
    click = next_click(truth, guess, counted)
    if not (missed.any() or taken.any()):
        assert click is None
        return
    assert click is not None
    row, column, sign = click
    assert (missed if sign > 0 else taken)[row, column] >= max(missed.max(), taken.max()) - 0.2


def test_nothing_wrong_is_no_click():
    truth = np.eye(5, dtype=bool)
    assert next_click(truth, truth) is None
    assert next_click(truth, ~truth, np.zeros((5, 5), bool)) is None


def test_a_whole_object_is_clicked_in_its_middle():
    truth = np.zeros((21, 31), bool)
    truth[5:14, 10:19] = True
    assert next_click(truth, np.zeros_like(truth)) == (9, 14, 1)
    assert next_click(np.zeros_like(truth), truth) == (9, 14, -1)
