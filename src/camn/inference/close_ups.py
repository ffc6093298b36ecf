"""Close-ups: which part of a frame is looked at once more, enlarged, and how its answer goes into that of the frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from camn.masks.extent import extent
from camn.masks.marks import Box, Click, pixel

Area = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels of the frame, the last two not within

MARGIN = 0.2  # around an object, of the object's side, on each side
ENLARGED = 2.0  # pixels at work of a pixel of the frame, at most
LEAST, MOST = 128, 300  # sides of what is shown of a change, in pixels at work before it is enlarged
FADE = 8  # pixels over which a close-up passes into what lies around it


def around(mask: np.ndarray | None, clicks: Iterable[Click], box: Box | None, size: Sequence[int]) -> Area:
    """The area of a mask (H, W) bool, all clicks and a box, of which one is there."""
    xs, ys = ([click[axis] for click in clicks] for axis in (0, 1))
    if mask is not None and (found := extent(mask)):
        rows, columns = found
        xs, ys = [*xs, columns.start, columns.stop - 1], [*ys, rows.start, rows.stop - 1]
    if box is not None:
        xs, ys = [*xs, box[0], box[2]], [*ys, box[1], box[3]]
    return int(min(xs)), int(min(ys)), min(size[1], int(max(xs)) + 1), min(size[0], int(max(ys)) + 1)


def within(box: Box, slack: float = 0.0) -> tuple[slice, slice]:
    """Rows and columns of a box, on each side by a share of it larger."""
    x0, y0, x1, y1 = box
    more = slack * (x1 - x0), slack * (y1 - y0)
    rows = slice(max(0, round(y0 - more[1])), round(y1 + more[1]) + 1)
    return rows, slice(max(0, round(x0 - more[0])), round(x1 + more[0]) + 1)


def wider(area: Area, size: Sequence[int]) -> Area:
    """With a margin, and at least 48 pixels each way, within the frame."""
    edges = []
    for low, high, most in ((area[0], area[2], size[1]), (area[1], area[3], size[0])):
        slack = max(MARGIN * (high - low), (48 - (high - low)) / 2, 8)
        edges.append((max(0, round(low - slack)), min(most, round(high + slack))))
    (x0, x1), (y0, y1) = edges
    return x0, y0, x1, y1


def enlarged(area: Area, side: int) -> tuple[int, int]:
    """The size (height, width) at work of a close-up, sides 16 k + 1."""
    height, width = area[3] - area[1], area[2] - area[0]
    scale = min(side / max(height, width), ENLARGED)
    return max(2, round(height * scale / 16)) * 16 + 1, max(2, round(width * scale / 16)) * 16 + 1


def changed(before: np.ndarray, now: np.ndarray, click: Click, scale: float, size: Sequence[int]) -> Area | None:
    """The area around the part of a mask that the last click changed, or around the click; None where that is large.

    before, now (H, W) bool. scale: pixels at work of a pixel of the frame."""
    column, row = pixel(click[0], click[1])
    _, parts, boxes, _ = cv2.connectedComponentsWithStats((before != now).astype(np.uint8))
    part = int(parts[row, column])
    left, top, width, height = (int(v) for v in boxes[part, :4]) if part else (column, row, 1, 1)
    edges = []
    for low, length, most in ((left, width, size[1]), (top, height, size[0])):
        side = min(max(LEAST / scale, 1.4 * length), most)
        if side * scale > MOST:
            return None
        first = min(max(0, low + length / 2 - side / 2), most - side)
        edges.append((round(first), round(first + side)))
    (x0, x1), (y0, y1) = edges
    return x0, y0, x1, y1


def fading(area: Area, size: Sequence[int]) -> np.ndarray:
    """(h, w) float32: 1 within an area, less towards those of its sides that are not the frame's."""
    x0, y0, x1, y1 = area
    ramps = []
    for low, high, most in ((y0, y1, size[0]), (x0, x1, size[1])):
        places = np.arange(low, high, dtype=np.float32) + 0.5
        rising = (places - low) / FADE if low > 0 else np.ones_like(places)
        falling = (high - places) / FADE if high < most else np.ones_like(places)
        ramps.append(np.clip(np.minimum(rising, falling), 0, 1))
    return np.minimum(ramps[0][:, None], ramps[1])


def holds(outer: Area, inner: Area) -> bool:
    """Whether a close-up still fits: all of it is there, and it is not lost in it."""
    inside = outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]
    large = (inner[2] - inner[0]) * (inner[3] - inner[1]) * 6 >= (outer[2] - outer[0]) * (outer[3] - outer[1])
    return inside and large
