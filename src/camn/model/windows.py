"""Local matching: a frame against square windows of the previous one, all window sizes in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from camn.model.matching import FAR, owners, similarity_map

BLOCK = 16  # pixels of a row that are multiplied with one stretch of keys; wider wastes products, narrower is slower

Box = tuple[slice, slice]


def local_maps(
    query: Tensor,
    keys: Tensor,
    masks: Tensor,
    bias: Tensor,
    radii: Sequence[int],
    stride: int = 1,
    half_size: bool = False,
) -> Tensor:
    """Maps of a frame against windows of the previous frame. query, keys (C, h, w), masks (N, h, w) -> (N, R, h, w)."""
    size = query.shape[-2:]
    if half_size:
        half = [s // 2 + 1 for s in size]
        query, keys = (F.interpolate(x[None], half, mode="bilinear", align_corners=True)[0] for x in (query, keys))
        masks = F.interpolate(masks[None], half, mode="nearest")[0]
    maps = similarity_map(nearest_in_windows(query, keys, owners(masks), radii, stride), bias)
    return F.interpolate(maps, size, mode="bilinear", align_corners=True) if half_size else maps


def nearest_in_windows(query: Tensor, keys: Tensor, owner: Tensor, radii: Sequence[int], stride: int = 1) -> Tensor:
    """Squared distance from each pixel to the nearest pixel of each object, within square windows around it.

    query, keys (C, H, W), owner (N, H, W) bool, radii rising, multiples of stride as are the offsets ->
    (N, len(radii), H, W); FAR where the window holds no pixel of the object.
    """
    if stride == 1:
        return _nearest(query, keys, owner, radii)
    # Offsets in steps of `stride` never leave a pixel's own grid of every stride-th row and column.
    found = query.new_empty(len(owner), len(radii), *query.shape[1:])
    steps = [radius // stride for radius in radii]
    for y in range(min(stride, query.shape[1])):
        for x in range(min(stride, query.shape[2])):
            grid = (..., slice(y, None, stride), slice(x, None, stride))
            found[grid] = _nearest(query[grid], keys[grid], owner[grid], steps)
    return found


def _nearest(query: Tensor, keys: Tensor, owner: Tensor, radii: Sequence[int]) -> Tensor:
    """`nearest_in_windows` at stride 1. The products of a row of offsets serve all objects, each of which looks only
    at the pixels that its own can reach. Every offset is looked at once, for the smallest window that contains it."""
    reach = radii[-1]
    boxes = _boxes(owner, reach)
    # |q - k|^2 without |q|^2, which is the same for all keys. What is not the object's gets a norm beyond any distance.
    norms = F.pad(torch.where(owner, keys.pow(2).sum(0), 2 * FAR), (reach,) * 4, value=2 * FAR)
    products = _products(query, keys, reach)
    best: list[list[Tensor | None]] = [[None] * len(radii) for _ in owner]
    for i, (inner, radius) in enumerate(pairwise((-1, *radii))):
        rows = _nearest_rows(products, norms, boxes, [dy for dy in range(-radius, radius + 1) if abs(dy) > inner])
        for n, row in enumerate(rows):
            if row is not None:
                best[n] = [_least(*pair) for pair in zip(best[n], _by_window(row, radii, i), strict=True)]
    whole = [_nested(b, box, query.shape[1:]) for b, box in zip(best, boxes, strict=True)]
    far = query.new_full((len(radii), *query.shape[1:]), 2 * FAR)
    return (torch.stack([far if w is None else w for w in whole]) + query.pow(2).sum(0)).clamp(max=FAR)


def _boxes(owner: Tensor, reach: int) -> list[Box | None]:
    """For each object of (N, H, W) the rows and columns within `reach` of its pixels, None where it has none."""
    height, width = owner.shape[1:]
    boxes: list[Box | None] = []
    for rows, columns in zip(owner.any(2).cpu(), owner.any(1).cpu(), strict=True):
        ys, xs = rows.nonzero().flatten().tolist(), columns.nonzero().flatten().tolist()
        near = [slice(max(0, at[0] - reach), min(n, at[-1] + reach + 1)) for at, n in ((ys, height), (xs, width)) if at]
        boxes.append((near[0], near[1]) if near else None)
    return boxes


def _products(query: Tensor, keys: Tensor, reach: int) -> Callable[[int], Tensor]:
    """-> function of dy that gives -2 q.k of each pixel with its neighbours dy rows below: (2 reach + 1, H, W or more),
    entry (reach + dx, y, x) that of (y, x) with (y + dy, x + dx); anything where that is outside the frame."""
    channels, height, width = query.shape
    blocks = -(-width // BLOCK)
    more, span = blocks * BLOCK - width, BLOCK + 2 * reach
    rows = F.pad(-2 * query, (0, more)).view(channels, height, blocks, BLOCK).permute(1, 2, 3, 0)
    rows = rows.reshape(height * blocks, BLOCK, channels)
    padded = F.pad(keys, (reach, reach + more, reach, reach))
    stretches = padded.unfold(2, span, BLOCK).permute(1, 2, 0, 3).contiguous()  # (H + 2 r, blocks, C, span)

    def of(dy: int) -> Tensor:
        below = stretches[reach + dy : reach + dy + height].flatten(0, 1)
        products = torch.bmm(rows, below)
        # Pixel x of a block and its neighbour lie at (x, x + reach + dx): rows one longer make diagonals columns.
        band = products.as_strided((len(rows), BLOCK, 2 * reach + 1), (BLOCK * span, span + 1, 1))
        # Offsets become the leading axis: minima over it run along memory, several times faster than across it.
        return band.permute(2, 0, 1).reshape(2 * reach + 1, height, blocks * BLOCK)

    return of


def _nearest_rows(
    products: Callable[[int], Tensor], norms: Tensor, boxes: Sequence[Box | None], offsets: Sequence[int]
) -> list[Tensor | None]:
    """For each object the least distance over vertical offsets, (2 reach + 1, h, w) in its box; None without one."""
    found: list[Tensor | None] = [None] * len(boxes)
    for dy in offsets:
        band = products(dy)
        span = len(band)
        reach = span // 2
        for n, box in enumerate(boxes):
            if box is not None:
                ys, xs = box
                moved = norms[n, ys.start + reach + dy : ys.stop + reach + dy, xs.start : xs.stop + 2 * reach]
                distance = band[:, ys, xs] + moved.unfold(1, span, 1).permute(2, 0, 1)
                found[n] = _least(found[n], distance)
    return found


def _by_window(row: Tensor, radii: Sequence[int], first: int) -> list[Tensor | None]:
    """Least distances (2 reach + 1, h, w) of vertical offsets that window `first` is the smallest to hold -> for each
    window the least over the horizontal offsets that it is the first to hold, (h, w); None for windows before."""
    reach = radii[-1]
    least: list[Tensor | None] = [None] * len(radii)
    least[first] = row[reach - radii[first] : reach + radii[first] + 1].amin(0)
    for i in range(first + 1, len(radii)):
        inner, outer = radii[i - 1], radii[i]
        left, right = row[reach - outer : reach - inner], row[reach + inner + 1 : reach + outer + 1]
        least[i] = torch.minimum(left.amin(0), right.amin(0))
    return least


def _nested(rings: Sequence[Tensor | None], box: Box | None, size: Sequence[int]) -> Tensor | None:
    """Each ring's least distance in the box -> each whole window's over the frame (R, H, W); None without a box."""
    if box is None:
        return None
    windows: list[Tensor] = []
    for ring in rings:
        assert ring is not None  # every window is the first to hold some row
        windows.append(torch.minimum(windows[-1], ring) if windows else ring)
    (ys, xs), (height, width) = box, size
    margins = (xs.start, width - xs.stop, ys.start, height - ys.stop)
    return F.pad(torch.stack(windows), margins, value=2 * FAR)


def _least(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """The smaller of the two, entry by entry, where both are there."""
    if a is None or b is None:
        return b if a is None else a
    return torch.minimum(a, b)
