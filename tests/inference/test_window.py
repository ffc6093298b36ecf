"""Windows of a frame: where they lie, what is cut and brought back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.inference.window import Window

sizes = st.tuples(st.integers(20, 60), st.integers(20, 60))
shares = st.floats(0, 1)


@given(sizes, st.tuples(shares, shares), st.floats(0.05, 1.5))
def test_a_window_lies_in_the_frame(size, center, side):
    window = Window.around(center, side, size)
    rows, columns = window.slices
    assert 0 <= rows.start < rows.stop <= size[0] and 0 <= columns.start < columns.stop <= size[1]
    assert rows.stop - rows.start == columns.stop - columns.start == window.side <= min(size)
    weight = window.weight()
    assert weight.shape == (window.side, window.side) and 0 < weight.min() <= weight.max() <= 1
    assert np.array_equal(window.inside(size), np.pad(np.ones_like(weight, bool), padding(window)))


def padding(window: Window) -> tuple[tuple[int, int], ...]:
    starts = (window.top, window.left)
    return tuple((at, length - at - window.side) for at, length in zip(starts, window.size, strict=True))


@given(sizes, st.tuples(shares, shares), st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=30)
def test_what_is_cut_and_brought_back_lies_where_it_was(size, center, larger, finer):
    window = Window.around(center, 0.4, size)
    ys, xs = np.mgrid[: size[0] * larger, : size[1] * larger].astype(np.float32)
    for ramp, axis in ((ys, 0), (xs, 1)):  # the frame is `larger` times the grid; bilinear sampling keeps a ramp
        back = window.brought_back(window.cut(ramp, window.side * finer))
        here = (np.arange(size[axis], dtype=np.float32) + 0.5) * larger - 0.5
        wanted = np.broadcast_to(here[:, None] if axis == 0 else here[None], size)[window.slices]
        inner = np.s_[2:-2, 2:-2]
        np.testing.assert_allclose(back[inner], wanted[inner], atol=0.05)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_what_shrinks_is_averaged(kind):
    """Of a fine pattern a shrunk cut shows the grey that it has from afar, not some of its pixels."""
    image = (np.indices((240, 360)).sum(0) % 2 * 100).astype(kind)
    cut = Window(10, 20, 60, (120, 180)).cut(image, 40)  # 120 pixels of the image
    assert cut.shape == (40, 40) and cut.dtype == kind
    np.testing.assert_allclose(cut, 50, atol=12)


def test_the_weight_falls_at_the_border_but_for_the_frames_own_edge():
    weight = Window(0, 10, 20, (40, 60)).weight()
    assert weight[0, 10] == 1 and weight[10, 10] == 1
    assert weight[-1, 10] < 0.2 and weight[10, 0] < 0.2 and weight[10, -1] < 0.2
    assert (np.diff(weight[10, :10]) >= 0).all()
