"""Foreground-background matching of a frame against reference frames; `windows` does so against the previous one.

The map of an object is D = 2 (sigmoid(d + b) - 1/2), d the smallest squared distance from a pixel's embedding to an
embedding of that object, b a learnt bias (CFBI, Yang et al. 2020, eq. 2). A pixel that does not belong to the object,
or lies outside the frame or the window, counts as distance FAR.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain

import torch
from torch import Tensor

FAR = 5e4
TRACE = 1 / 64  # of a pixel; at stride 16 four pixels of the frame
TILE = 1 << 21  # elements of a distance matrix made at once: 8 MiB in float32, reduced while still in the cache
COLUMNS = 2048  # keys in a tile at most


@dataclass(frozen=True)
class Pool:
    """What each of N objects looks like on a reference frame, laid out for `nearest`: made once, read on every frame.

    tiles: for each object its own keys k, as tensors (C + 1, K) of -2 k with a row of |k|^2 below; none without a key.
    """

    tiles: tuple[tuple[Tensor, ...], ...]

    @classmethod
    def of(cls, keys: Tensor, owner: Tensor, columns: int = COLUMNS) -> Pool:
        """keys (K, C), owner (K, N) bool; columns: most keys in a tile."""
        rows = torch.cat([-2 * keys, keys.pow(2).sum(1, keepdim=True)], 1)
        chosen = (mine.nonzero().flatten().split(columns) for mine in owner.unbind(1))
        return cls(tuple(tuple(rows[at].T.contiguous() for at in parts if len(at)) for parts in chosen))


def nearest(query: Tensor, pools: Sequence[Pool], tile: int = TILE) -> Tensor:
    """Squared distance from each query to the nearest key of each object in any of the pools.

    query (Q, C), pools of N objects -> (Q, N); FAR where an object has no key. Each object's own keys are looked at
    and no others, and no more than `tile` distances are ever held (those of one query at the least).
    """
    # |q - k|^2 = |q|^2 + (|k|^2 - 2 q.k): the part with k is one product with [q, 1].
    norms = query.pow(2).sum(1, keepdim=True)
    extended = torch.cat([query, torch.ones_like(norms)], 1)
    columns = []
    for own in zip(*(pool.tiles for pool in pools), strict=True):
        found = [_least(extended, keys, tile) for keys in chain(*own)]
        columns.append(reduce(torch.minimum, found) if found else query.new_full((len(query),), 2 * FAR))
    return (torch.stack(columns, 1) + norms).clamp(max=FAR)


def _least(queries: Tensor, keys: Tensor, tile: int) -> Tensor:
    """The least product of each query, rows of (Q, C), with the keys, columns of (C, K) -> (Q,)."""
    rows = max(1, tile // keys.shape[1])
    return torch.cat([(part @ keys).amin(1) for part in queries.split(rows)])


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


def pool_of(keys: Tensor, owner: Tensor, stride: int = 1, keep_all_below: int = 0) -> Pool:
    """The pool of a reference frame. keys (C, h, w), owner (N, h, w) bool. stride, keep_all_below: see
    `camn.config.Scale`."""
    return Pool.of(keys.flatten(1).T, thinned(owner, stride, keep_all_below).flatten(1).T)


def global_maps(query: Tensor, pools: Sequence[Pool], bias: Tensor) -> Tensor:
    """Maps of a frame against the pixels of all reference frames together. query (C, h, w), bias (N,) -> (N, h, w).

    Ones where no reference has a labelled pixel.
    """
    return similarity_map(nearest(query.flatten(1).T, pools).T, bias).unflatten(1, query.shape[-2:])


def thinned(owner: Tensor, stride: int, keep_all_below: int) -> Tensor:
    """Only every stride-th row and column of `owner`, but all of an object of few pixels."""
    if stride == 1:
        return owner
    chosen = torch.zeros_like(owner[0])
    chosen[::stride, ::stride] = True
    small = owner.sum((1, 2), keepdim=True) <= keep_all_below * stride**2
    return owner & (chosen | small)
