"""CVAT's run lengths: row by row, within the box of the mask."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from camn.masks.extent import extent


class RowRuns(NamedTuple):
    """runs: lengths of background and object in turn, the background first; 0 where there is none. left, top, width,
    height: the box that they fill, in pixels."""

    runs: list[int]
    left: int
    top: int
    width: int
    height: int


def row_runs(binary: np.ndarray) -> RowRuns:
    """Binary mask (H, W) bool -> its runs. An empty mask is one pixel of background."""
    box = extent(binary)
    if box is None:
        return RowRuns([1], 0, 0, 1, 1)
    rows, columns = box
    inside = binary[box]
    flat = np.concatenate(([False], inside.ravel(), [not inside[-1, -1]]))
    starts = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(starts, prepend=0).tolist()
    return RowRuns(runs, columns.start, rows.start, inside.shape[1], inside.shape[0])
