"""J and F against hand-counted cases and the definition written out with scipy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import binary_dilation

from camn.errors import DataError
from camn.evaluation.jf import boundary, contour_accuracy, region_similarity


def slow_boundary(mask):
    """Pixel by pixel."""
    height, width = mask.shape
    edge = np.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            south, east = min(y + 1, height - 1), min(x + 1, width - 1)
            edge[y, x] = any(mask[y, x] != other for other in (mask[y, east], mask[south, x], mask[south, east]))
    return edge


def slow_contour_accuracy(prediction, truth, void, tolerance):
    """Dilation of the whole maps by a drawn disk."""
    radius = tolerance if tolerance >= 1 else math.ceil(tolerance * math.hypot(*truth.shape))
    grid = np.arange(-radius, radius + 1)
    disk = grid[:, None] ** 2 + grid[None] ** 2 <= radius**2
    ours, theirs = slow_boundary(prediction & ~void), slow_boundary(truth & ~void)
    if not ours.any() and not theirs.any():
        return 1.0
    if not ours.any() or not theirs.any():
        return 0.0  # one of precision and recall is 0, the other 1
    precision = (ours & binary_dilation(theirs, disk)).sum() / ours.sum()
    recall = (theirs & binary_dilation(ours, disk)).sum() / theirs.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def slow_region_similarity(prediction, truth, void):
    pixels = [(p, t) for p, t, v in zip(prediction.flat, truth.flat, void.flat) if not v]
    union = sum(p or t for p, t in pixels)
    return sum(p and t for p, t in pixels) / union if union else 1.0


@st.composite
def mask_triples(draw):
    """prediction, truth, void: noise, or up to three rectangles each (void often empty)."""
    shape = draw(array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24))

    def mask():
        if draw(st.booleans()):
            return draw(arrays(bool, shape, elements=st.booleans()))
        image = np.zeros(shape, bool)
        for _ in range(draw(st.integers(0, 3))):
            top, bottom = sorted(draw(st.tuples(*[st.integers(0, shape[0])] * 2)))
            left, right = sorted(draw(st.tuples(*[st.integers(0, shape[1])] * 2)))
            image[top:bottom, left:right] = True
        return image

    return mask(), mask(), mask() if draw(st.booleans()) else np.zeros(shape, bool)


@given(mask_triples(), st.sampled_from([0.008, 0.05, 0.2, 1, 2, 5]))
def test_equal_to_the_definition(masks, tolerance):
    prediction, truth, void = masks
    assert np.array_equal(boundary(truth), slow_boundary(truth))
    assert region_similarity(*masks) == pytest.approx(slow_region_similarity(*masks), abs=1e-9)
    assert contour_accuracy(*masks, tolerance) == pytest.approx(slow_contour_accuracy(*masks, tolerance), abs=1e-9)
    assert contour_accuracy(truth, prediction, void, tolerance) == pytest.approx(
        contour_accuracy(prediction, truth, void, tolerance), abs=1e-12
    )


@pytest.mark.parametrize("size", [(480, 854), (361, 641)])
def test_equal_to_the_definition_at_full_size(rng, size):
    y, x = np.mgrid[: size[0], : size[1]]
    for radius in (3, 40, 150):
        truth = np.hypot(y - size[0] / 2, x - size[1] / 2) < radius
        prediction = np.hypot(y - size[0] / 2 - 5, x - size[1] / 2 + radius / 6) < 1.04 * radius
        prediction ^= rng.random(size) < 1e-4
        expected = slow_full_size(prediction, truth)
        assert contour_accuracy(prediction, truth) == pytest.approx(expected, abs=1e-9)


def slow_full_size(prediction, truth):
    """As slow_contour_accuracy, with the boundary (tested above) of the fast way: loops would take minutes."""
    radius = math.ceil(0.008 * math.hypot(*truth.shape))
    grid = np.arange(-radius, radius + 1)
    disk = grid[:, None] ** 2 + grid[None] ** 2 <= radius**2
    ours, theirs = boundary(prediction), boundary(truth)
    precision = (ours & binary_dilation(theirs, disk)).sum() / ours.sum()
    recall = (theirs & binary_dilation(ours, disk)).sum() / theirs.sum()
    return 2 * precision * recall / (precision + recall)


def test_one_pixel_by_hand():
    mask = np.zeros((4, 4), bool)
    mask[1, 1] = True
    expected = np.zeros((4, 4), bool)
    expected[:2, :2] = True  # the pixel and those whose east, south or south-east neighbour it is
    assert np.array_equal(boundary(mask), expected)


def test_an_object_cut_by_the_edge_has_no_boundary_there():
    mask = np.zeros((4, 6), bool)
    mask[:, 3:] = True
    assert np.array_equal(np.argwhere(boundary(mask)), [[y, 2] for y in range(4)])
    assert not boundary(np.ones((4, 6), bool)).any()


def test_shifted_squares_by_hand():
    truth, shifted = np.zeros((100, 100), bool), np.zeros((100, 100), bool)
    truth[20:40, 20:40] = True
    shifted[20:40, 30:50] = True
    assert region_similarity(shifted, truth) == pytest.approx(1 / 3)
    # The boundary of a 20x20 square is a ring: the 21x21 square less its inner 19x19, 80 pixels. The tolerance is
    # ceil(0.008 * 141.4) = 2. Of the ring's 80 pixels, those within 2 of the ring moved by 10 are: the top and the
    # bottom line, 11 shared columns and 2 more each (26), and of the ring's vertical line inside the other square
    # the 2 pixels next to top and bottom that the first lines do not have (4).
    assert contour_accuracy(shifted, truth) == pytest.approx(30 / 80)
    assert contour_accuracy(shifted, truth, tolerance=10) == 1.0


@pytest.mark.parametrize("ours, theirs, j, f", [(0, 0, 1, 1), (1, 0, 0, 0), (0, 1, 0, 0), (1, 1, 1, 1)])
def test_empty_masks(ours, theirs, j, f):
    square = np.zeros((20, 30), bool)
    square[5:10, 5:10] = True
    prediction, truth = square & bool(ours), square & bool(theirs)
    assert region_similarity(prediction, truth) == j
    assert contour_accuracy(prediction, truth) == f


def test_void_pixels_count_for_neither():
    truth, prediction, void = (np.zeros((20, 30), bool) for _ in range(3))
    truth[5:15, 5:15] = True
    prediction[5:15, 5:25] = True
    void[:, 15:] = True
    assert region_similarity(prediction, truth, void) == 1
    assert contour_accuracy(prediction, truth, void) == 1
    assert region_similarity(prediction, truth) == 0.5


def test_masks_stay_as_they_were(rng):
    masks = [rng.random((20, 30)) < 0.5 for _ in range(3)]
    before = [mask.copy() for mask in masks]
    region_similarity(*masks), contour_accuracy(*masks)
    assert all(np.array_equal(mask, copy) for mask, copy in zip(masks, before))


def test_sizes_must_agree():
    with pytest.raises(DataError, match="one size"):
        region_similarity(np.zeros((4, 5), bool), np.zeros((5, 4), bool))
    with pytest.raises(DataError, match="one size"):
        contour_accuracy(np.zeros((4, 5), bool), np.zeros((4, 5), bool), np.zeros((4, 4), bool))


# --- hand-counted cases at the edges ---------------------------------------------------------------------------------


def drawn(*rows: str) -> np.ndarray:
    """# is the object."""
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def test_one_pixel_beside_another_by_hand():
    """The boundary of a pixel at (y, x) is {y - 1, y} x {x - 1, x}. Moved right by one, half of it is the same, and the
    other half lies next to it: all within one pixel. Moved by three, columns 3 and 4 are 2 or more from 0 and 1."""
    one, next_to, away = (drawn("......", "." * x + "#" + "." * (5 - x), "......") for x in (1, 2, 4))
    assert region_similarity(one, next_to) == 0 and contour_accuracy(one, next_to, tolerance=1) == 1
    assert contour_accuracy(one, away, tolerance=1) == 0 and contour_accuracy(one, away, tolerance=2) == 2 / 4
    assert region_similarity(one, one) == contour_accuracy(one, one) == 1


def test_a_pixel_in_a_corner_by_hand():
    """What lies beyond the edge is what is at it: the last pixel has three boundary pixels, the first has one."""
    last, first = drawn("...", "...", "..#"), drawn("#..", "...", "...")
    assert np.array_equal(np.argwhere(boundary(last)), [[1, 1], [1, 2], [2, 1]])
    assert np.array_equal(np.argwhere(boundary(first)), [[0, 0]])
    # From (0, 0), (1, 1) is sqrt(2) away and the others are sqrt(5): at radius 2 one of three is found, and the one.
    assert contour_accuracy(first, last, tolerance=2) == pytest.approx(2 * (1 / 3) / (1 + 1 / 3), abs=1e-9)
    assert contour_accuracy(first, last, tolerance=1) == 0 and contour_accuracy(first, last, tolerance=3) == 1
    assert region_similarity(first, last) == 0


def test_masks_without_a_boundary():
    """A mask that fills the picture has none, like an empty one: F agrees on both, J tells them apart."""
    full, empty = np.ones((5, 7), bool), np.zeros((5, 7), bool)
    assert region_similarity(full, empty) == 0 and contour_accuracy(full, empty) == 1
    assert region_similarity(full, full) == contour_accuracy(full, full) == 1
    for value in (True, False):
        point = np.array([[value]])
        assert region_similarity(point, point) == contour_accuracy(point, point) == 1
        assert not boundary(point).any()


def test_an_object_along_the_border_by_hand():
    """Three columns against two at the left edge: the boundaries are the columns 2 and 1, whole."""
    three, two = drawn(*["###...."] * 4), drawn(*["##....."] * 4)
    assert region_similarity(three, two) == pytest.approx(2 / 3, abs=1e-9)
    assert contour_accuracy(three, two, tolerance=1) == 1
    far = drawn(*["......#"] * 4)  # boundary: column 5, two more than the tolerance from column 2
    assert contour_accuracy(three, far, tolerance=2) == 0 and contour_accuracy(three, far, tolerance=3) == 1


def test_everything_void_is_agreement():
    some, void = drawn("..##", "..##"), np.ones((2, 4), bool)
    assert region_similarity(some, ~some, void) == contour_accuracy(some, ~some, void) == 1


def test_the_tolerance_is_a_share_of_the_diagonal_rounded_up():
    """3 x 4 pixels, diagonal 5: a share of 0.2 is 1 pixel, of 0.21 it is 2."""
    left, right = drawn("#...", "#...", "#..."), drawn("###.", "###.", "###.")  # boundaries: columns 0 and 2
    assert contour_accuracy(left, right, tolerance=0.2) == 0 and contour_accuracy(left, right, tolerance=0.21) == 1
