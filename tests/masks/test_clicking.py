"""Where the next click goes, against a search over all pixels."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.masks.clicking import depths, meant, next_click


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


def slow_parts(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """The parts of a mask that hang together, over corners, too."""
    left, parts = set(map(tuple, np.argwhere(mask).tolist())), []
    while left:
        part, edge = set(), [left.pop()]
        while edge:
            y, x = edge.pop()
            part.add((y, x))
            near = {(a, b) for a in (y - 1, y, y + 1) for b in (x - 1, x, x + 1)} & left
            left -= near
            edge += near
        parts.append(part)
    return parts


@settings(max_examples=60)
@given(st.integers(0, 10_000))
def test_parts_that_nobody_asked_for_are_left_out(seed):
    rng = np.random.default_rng(seed)
    mask, before, box = (rng.random((9, 12)) < share for share in (0.3, 0.4, 0.1))
    clicks = [(int(rng.integers(9)), int(rng.integers(12)), int(rng.choice([1, -1]))) for _ in range(2)]
    parts = slow_parts(mask)
    on = {(row, column) for row, column, sign in clicks if sign > 0}
    held = before | box
    kept = [part for part in parts if part & on or 2 * sum(held[p] for p in part) >= len(part)]
    expected = np.zeros_like(mask)
    for pixel in set().union(*(kept or parts)) if len(parts) > 1 else set().union(*parts):
        expected[pixel] = True
    np.testing.assert_array_equal(meant(mask, clicks, held), expected)
    np.testing.assert_array_equal(meant(mask, clicks), meant(mask, clicks, np.zeros_like(mask)))
