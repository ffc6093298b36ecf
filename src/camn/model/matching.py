"""Foreground-background matching of a frame against reference frames (global) and the previous frame (local).

The map of an object is D = 2 (sigmoid(d + b) - 1/2), d the smallest squared distance from a pixel's embedding to an
embedding of that object, b a learnt bias (CFBI, Yang et al. 2020, eq. 2). A pixel that does not belong to the object,
or lies outside the frame or the window, counts as distance FAR.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

FAR = 5e4
TRACE = 1 / 64  # of a pixel; at stride 16 four pixels of the frame
TILE = 1 << 22  # elements of a distance matrix made at once: 16 MiB in float32


def nearest(query: Tensor, keys: Tensor, owner: Tensor, tile: int = TILE) -> Tensor:
    """Squared distance from each query to the nearest key of each object.

    query (Q, C), keys (K, C), owner (K, N) bool -> (Q, N); FAR where an object owns no key.
    """
    columns = []
    for mine in owner.unbind(1):
        own = keys[mine]
        if len(own) == 0:
            columns.append(query.new_full((len(query),), FAR))
            continue
        # |q - k|^2 = |q|^2 - (2 q.k - |k|^2): the part without q is one product with an added row.
        norms, transposed = own.pow(2).sum(1), -2 * own.T
        rows = max(1, tile // len(own))
        parts = [torch.addmm(norms, part, transposed).amin(1) for part in query.split(rows)]
        columns.append(torch.cat(parts))
    distance = torch.stack(columns, 1) + query.pow(2).sum(1, keepdim=True)
    return distance.clamp(max=FAR)


def nearest_in_windows(query: Tensor, keys: Tensor, owner: Tensor, radii: Sequence[int], stride: int = 1) -> Tensor:
    """Squared distance from each pixel to the nearest pixel of each object, within square windows around it.

    query, keys (C, H, W), owner (N, H, W) bool, radii rising, offsets in multiples of stride -> (N, len(radii), H, W).
    Row by row of offsets: one batched product of image rows gives all horizontal offsets at once, whose band is then
    read off the products. Nothing larger than one row of offsets is ever held.
    """
    _, height, width = query.shape
    reach = radii[-1]
    rows = -2 * query.permute(1, 2, 0)
    padded = F.pad(keys, (reach,) * 4).permute(1, 0, 2).contiguous()
    # |q - k|^2 without |q|^2, which is the same for all keys. What is not the object's gets a norm beyond any distance.
    norms = F.pad(torch.where(owner, keys.pow(2).sum(0), 2 * FAR), (reach,) * 4, value=2 * FAR)
    best: list[Tensor | None] = [None] * len(radii)
    for dy in range(-reach, reach + 1, stride):
        band = slice(reach + dy, reach + dy + height)
        # Offsets become the leading axis: minima over it run along memory, several times faster than across it.
        products = _band(torch.bmm(rows, padded[band]), reach)[..., ::stride].permute(2, 0, 1).contiguous()
        shifted = norms[:, band].unfold(2, 2 * reach + 1, 1)[..., ::stride].permute(0, 3, 1, 2).contiguous()
        distance = products + shifted
        for i, radius in enumerate(radii):
            if abs(dy) <= radius:
                margin = (reach - radius) // stride
                row = distance[:, margin : distance.shape[1] - margin].amin(1)
                found = best[i]
                best[i] = row if found is None else torch.minimum(found, row)
    return (torch.stack([b for b in best if b is not None], 1) + query.pow(2).sum(0)).clamp(max=FAR)


def _band(products: Tensor, reach: int) -> Tensor:
    """(H, W, W + 2 r) products of each pixel with a padded row -> (H, W, 2 r + 1) with its own neighbours.

    Entry (x, x + o) for o = 0..2r lies on a diagonal; one column more per row turns diagonals into columns.
    """
    height, width, padded = products.shape
    skewed = F.pad(products.flatten(1), (0, width)).view(height, width, padded + 1)
    return skewed[..., : 2 * reach + 1]


def similarity_map(distance: Tensor, bias: Tensor) -> Tensor:
    """D = 2 (sigmoid(d + b) - 1/2): at bias 0, 0 for equal embeddings and 1 for none near.

    distance (N, ...), bias (N,) -> (N, ...)."""
    return 2 * (torch.sigmoid(distance + bias.view(-1, *(1,) * (distance.dim() - 1))) - 0.5)


def of_others(maps: Tensor) -> Tensor:
    """Background maps: for each object the minimum over all other objects' maps. (N, ...) -> (N, ...); one as it is."""
    if len(maps) == 1:
        return maps
    # The minimum over the others is the overall minimum, except for its owner, which gets the second smallest.
    smallest = maps.topk(2, dim=0, largest=False)
    mine = torch.arange(len(maps), device=maps.device).view(-1, *(1,) * (maps.dim() - 1))
    return torch.where(smallest.indices[:1] == mine, smallest.values[1:2], smallest.values[:1])


def owners(masks: Tensor) -> Tensor:
    """Which pixels are an object's own: mask values (N, h, w) in 0..1 -> bool. At least half of the pixel, or for an
    object too small to fill half of any pixel, at least half of what it fills most. A trace is nobody's: else the
    leftover probability of an object that has left would still own the pixels where it is largest."""
    most = masks.amax((1, 2), keepdim=True)
    return (masks >= 0.5 * most.clamp(max=1.0)) & (masks > TRACE)


def global_maps(
    query: Tensor,
    references: Sequence[tuple[Tensor, Tensor]],
    bias: Tensor,
    stride: int = 1,
    keep_all_below: int = 0,
) -> Tensor:
    """Maps of a frame against the pixels of all reference frames together.

    query (C, h, w); references: pairs of keys (C, h, w) and owner (N, h, w) bool; bias (N,) -> (N, h, w).
    Ones where no reference has a labelled pixel. stride, keep_all_below: see `camn.config.Scale`.
    """
    pool, owned = [], []
    for keys, owner in references:
        owner = _thinned(owner, stride, keep_all_below)
        some = owner.any(0)
        pool.append(keys[:, some].T)
        owned.append(owner[:, some].T)
    distance = nearest(query.flatten(1).T, torch.cat(pool), torch.cat(owned))
    return similarity_map(distance.T, bias).unflatten(1, query.shape[-2:])


def _thinned(owner: Tensor, stride: int, keep_all_below: int) -> Tensor:
    """Only every stride-th row and column of `owner`, but all of an object of few pixels."""
    if stride == 1:
        return owner
    chosen = torch.zeros_like(owner[0])
    chosen[::stride, ::stride] = True
    small = owner.sum((1, 2), keepdim=True) <= keep_all_below * stride**2
    return owner & (chosen | small)


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
