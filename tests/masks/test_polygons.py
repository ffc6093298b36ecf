"""The one function that fills polygons, against a slow twin."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.masks.rle import decode_rows, encode_rle, fill_polygons
from camn.masks.shapes import fill_ellipse

SIZE = (12, 16)


def inside(points, x, y):
    """Even-odd: whether a ray from there to the right crosses the edges an odd number of times."""
    odd = False
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            odd = not odd
    return odd


def near(points, x, y):
    """The distance from the nearest edge."""
    found = np.inf
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        along = np.array([x1 - x0, y1 - y0])
        length = max(along @ along, 1e-12)
        share = np.clip(((x - x0) * along[0] + (y - y0) * along[1]) / length, 0, 1)
        found = min(found, np.hypot(x0 + share * along[0] - x, y0 + share * along[1] - y))
    return found


corner = st.tuples(st.floats(-3, SIZE[1] + 3), st.floats(-3, SIZE[0] + 3))


@settings(max_examples=30, deadline=None)
@given(st.lists(corner, min_size=3, max_size=7))
def test_pixels_by_their_centres(points):
    """But for those so near to an edge that COCO's grid of a fifth of a pixel decides."""
    filled = fill_polygons([[x for point in points for x in point]], *SIZE)
    for row in range(SIZE[0]):
        for column in range(SIZE[1]):
            x, y = column + 0.5, row + 0.5
            if near(points, x, y) > 0.75:
                assert filled[row, column] == inside(points, x, y), (row, column)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_corners_on_the_grid_of_pixels_are_exact(seed):
    rng = np.random.default_rng(seed)
    mask, parts = np.zeros(SIZE, bool), []
    for _ in range(3):
        top, left = rng.integers(0, SIZE[0] - 1), rng.integers(0, SIZE[1] - 1)
        bottom, right = rng.integers(top + 1, SIZE[0] + 1), rng.integers(left + 1, SIZE[1] + 1)
        mask[top:bottom, left:right] = True
        parts.append([int(x) for x in (left, top, right, top, right, bottom, left, bottom)])
    assert (fill_polygons(parts, *SIZE) == mask).all()


def test_a_polygon_that_crosses_itself():
    filled = fill_polygons([[2, 2, 14, 2, 14, 10, 2, 10, 2, 2, 5, 4, 5, 8, 11, 8, 11, 4, 5, 4]], *SIZE)
    assert filled[3, 8] and not filled[6, 8] and filled[9, 13]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_runs_along_rows_and_columns(seed):
    mask = np.random.default_rng(seed).random(SIZE) < 0.3
    edges = np.flatnonzero(np.diff(mask.ravel(), prepend=False))
    runs = np.diff(edges, prepend=0, append=mask.size).tolist()
    assert (decode_rows(runs, *SIZE) == mask).all()
    assert encode_rle(mask)["area"] == mask.sum()


def test_an_ellipse_by_the_centres_of_pixels():
    filled = fill_ellipse((8, 6), (6, 3), 90, *SIZE)
    for row in range(SIZE[0]):
        for column in range(SIZE[1]):
            x, y = column + 0.5 - 8, row + 0.5 - 6
            assert filled[row, column] == ((x / 3) ** 2 + (y / 6) ** 2 <= 1)
