"""Which part of a frame is looked at once more."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.inference.close_ups import FADE, LEAST, MOST, around, changed, enlarged, fading, holds, wider, within


def test_it_holds_mask_and_clicks_with_a_margin():
    mask = np.zeros((100, 200), bool)
    mask[40:60, 50:90] = True
    area = around(mask, ((120, 45, False),), (48, 30, 60, 50), mask.shape)
    assert area == (48, 30, 121, 60)
    wide = wider(area, mask.shape)
    assert wide == (33, 21, 136, 69)
    assert holds(wide, area) and not holds(area, wide) and not holds((0, 0, 200, 100), (50, 50, 60, 60))
    assert wider((0, 0, 3, 3), (100, 200)) == (0, 0, 26, 26)
    assert around(np.zeros((9, 9), bool), ((3, 4, True),), None, (9, 9)) == (3, 4, 4, 5)


@settings(max_examples=40)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(64, 513))
def test_it_is_enlarged_so_far_that_it_costs_little(width, height, side):
    rows, columns = enlarged((10, 20, 10 + width, 20 + height), side)
    assert rows % 16 == columns % 16 == 1 and min(rows, columns) >= 33
    assert max(rows, columns) <= max(33, side + 9) and (rows <= max(33, 2 * height + 9))


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([0.4, 1.0, 1.5]))
def test_it_is_around_what_the_click_changed(seed, scale):
    rng = np.random.default_rng(seed)
    size = height, width = 300, 400
    before, now = np.zeros(size, bool), np.zeros(size, bool)
    top, left = int(rng.integers(0, 250)), int(rng.integers(0, 350))
    side = int(rng.integers(1, 45))
    now[top : top + side, left : left + side] = True
    now[0, 0] = True  # changed, too, but elsewhere
    area = changed(before, now, (left, top, True), scale, size)
    least = LEAST / scale
    if least > MOST / scale:
        assert area is None
        return
    assert area is not None
    x0, y0, x1, y1 = area
    assert 0 <= x0 <= left and 0 <= y0 <= top and x1 <= width and y1 <= height
    assert x1 >= min(width, left + side) and y1 >= min(height, top + side)
    assert x1 - x0 >= min(least, width) - 1 and y1 - y0 >= min(least, height) - 1


def test_where_much_has_changed_the_frame_shows_as_much():
    before, now = np.zeros((480, 854), bool), np.zeros((480, 854), bool)
    now[100:400, 100:400] = True
    assert changed(before, now, (200, 200, True), 1.0, now.shape) is None
    assert changed(before, now, (200, 200, True), 0.5, now.shape) is not None
    assert changed(now, now, (200, 200, True), 1.0, now.shape) == (136, 136, 264, 264)


def test_it_passes_into_what_lies_around_but_not_at_the_frame():
    share = fading((0, 10, 50, 60), (100, 200))
    assert share.shape == (50, 50) and share.dtype == np.float32
    assert share[25, 0] == 1 and share[25, 25] == 1
    assert share[0, 25] == share[49, 25] == np.float32(0.5 / FADE) and share[25, 49] == np.float32(0.5 / FADE)


def test_a_box_holds_both_its_corners_and_a_share_more():
    marked = np.zeros((20, 30), int)
    marked[within((4, 5, 14, 9))] += 1
    assert marked.sum() == 11 * 5 and marked[5, 4] == marked[9, 14] == 1
    marked[within((4, 5, 14, 9), 0.5)] += 1
    assert marked[3, 0] == marked[11, 19] == 1 and (marked > 0).sum() == 9 * 20
