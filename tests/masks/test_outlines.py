"""A mask as one polygon, and as runs along rows: what readers make of them is the mask."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from camn.masks.outlines import as_one_polygon
from camn.masks.rle import decode_rows, encode_rows, fill_polygons

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.booleans())


@given(masks.filter(np.any))
def test_one_polygon_gives_the_mask(mask):
    polygon = as_one_polygon(mask)
    assert len(polygon) >= 4
    assert (fill_polygons([polygon.ravel().tolist()], *mask.shape) == mask).all()
    drawn = cv2.fillPoly(np.zeros(mask.shape, np.uint8), [polygon.astype(np.int32)], 1) > 0
    pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] - 1
    assert drawn[mask].all() and (pieces > 1 or not drawn[~mask].any())


def test_seams_are_short():
    """Three blocks in a row are joined by a straight line, and a hole to the border beside it."""
    mask = np.zeros((20, 60), bool)
    mask[5:15, 2:12] = mask[5:15, 20:30] = mask[5:15, 50:58] = True
    mask[7:9, 3:5] = False
    drawn = cv2.fillPoly(np.zeros(mask.shape, np.uint8), [as_one_polygon(mask).astype(np.int32)], 1) > 0
    assert np.count_nonzero(drawn & ~mask) == 8 + 20


@given(masks)
def test_rows_there_and_back(mask):
    runs, left, top, width, height = encode_rows(mask)
    found = np.zeros_like(mask)
    found[top : top + height, left : left + width] = decode_rows(runs, height, width)
    assert (found == mask).all() and all(runs[1:]) and (not mask.any() or (width, height) == box(mask))


def box(mask: np.ndarray) -> tuple[int, int]:
    width, height = (int(np.ptp(np.flatnonzero(mask.any(axis)))) + 1 for axis in (0, 1))
    return width, height
