"""Matching of all clips and all objects at once: the answers of `matching` and `windows` from a fixed number of calls.

Those two leave out what cannot matter, object by object, which is what a CPU needs; here every distance is computed and
masked, no loop runs over clips or objects, and no value is read from the device: what a GPU needs, and training.

The search for the nearest key records no gradient. It has an index as its answer, and the distance to the key found is
computed from that key alone: the gradient of a minimum is that of its least entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from camn.model.matching import FAR

TILE = 1 << 19  # distances of one clip that are held at once, about; clips and not tiles make a batch large
ROWS = 16  # rows of pixels whose windows are looked at together


def nearest_of_all(query: Tensor, keys: Tensor, owner: Tensor, tile: int = TILE) -> Tensor:
    """Squared distance from each query to the nearest key of each object; see `matching.nearest`.

    query (B, Q, C), keys (B, K, C), owner (B, N, K) bool -> (B, N, Q); FAR where an object has no key.
    """
    with torch.no_grad():
        norms = _norms(keys, owner)
        across = -2 * keys.transpose(1, 2)
        rows = max(1, tile // (owner.shape[1] * max(1, keys.shape[1])))
        parts = [((part @ across)[:, None] + norms[:, :, None]).min(-1) for part in query.split(rows, 1)]
        least, at = (torch.cat(found, 2) for found in zip(*parts, strict=True))
    return _distances(query[:, None], keys, least, at)


def nearest_in_all_windows(query: Tensor, keys: Tensor, owner: Tensor, radii: Sequence[int], stride: int = 1) -> Tensor:
    """Squared distance from each pixel to the nearest pixel of each object, within square windows around it; see
    `windows.nearest_in_windows`.

    query, keys (B, C, H, W), owner (B, N, H, W) bool, radii rising, multiples of stride -> (B, N, len(radii), H, W).
    """
    if stride == 1:
        return _in_windows(query, keys, owner, tuple(radii))
    # Offsets in steps of `stride` never leave a pixel's own grid of every stride-th row and column: grids are clips.
    size = query.shape[-2:]
    query, keys, owner = (_gridded(x, stride) for x in (query, keys, owner))
    found = _in_windows(query, keys, owner, tuple(radius // stride for radius in radii))
    found = found.unflatten(0, (-1, stride, stride))  # (B, y, x, N, R, h, w)
    whole = found.permute(0, 3, 4, 5, 1, 6, 2).flatten(5, 6).flatten(3, 4)
    return whole[..., : size[0], : size[1]]


def _gridded(x: Tensor, stride: int) -> Tensor:
    """(B, C, H, W) -> (B * stride * stride, C, h, w): every stride-th row and column, from each of the first; zeros and
    False where a grid lacks a last one."""
    x = F.pad(x, (0, -x.shape[-1] % stride, 0, -x.shape[-2] % stride))
    x = x.unflatten(3, (-1, stride)).unflatten(2, (-1, stride))  # (B, C, h, y, w, x)
    return x.permute(0, 3, 5, 1, 2, 4).flatten(0, 2)


def _in_windows(query: Tensor, keys: Tensor, owner: Tensor, radii: tuple[int, ...]) -> Tensor:
    """`nearest_in_all_windows` at stride 1."""
    height, width = query.shape[-2:]
    with torch.no_grad():
        blocks = [_search(query, keys, owner, radii, y) for y in range(0, height, ROWS)]
        least, at = (torch.cat(found, 3).flatten(3) for found in zip(*blocks, strict=True))
    pixels, others = query.flatten(2).transpose(1, 2), keys.flatten(2).transpose(1, 2)
    return _distances(pixels[:, None, None], others, least, at).unflatten(3, (height, width))


def _search(query: Tensor, keys: Tensor, owner: Tensor, radii: tuple[int, ...], top: int) -> tuple[Tensor, Tensor]:
    """Of the pixels in ROWS rows from `top` on, for each object and window -> least distances less |q|^2, and which key
    has it, both (B, N, R, rows, W)."""
    reach, (height, width) = radii[-1], query.shape[-2:]
    span, rows, across = 2 * reach + 1, min(ROWS, height - top), width + 2 * reach
    around = (reach, reach, max(0, reach - top), max(0, top + rows + reach - height))
    above, below = max(0, top - reach), min(height, top + rows + reach)
    seen, own = F.pad(keys[:, :, above:below], around), F.pad(owner[:, :, above:below], around)
    products = query[:, :, top : top + rows].flatten(2).transpose(1, 2) @ seen.flatten(2)  # (B, rows * W, keys)
    # Pixel (y, x) and its neighbour lie at (y * W + x, (y + dy) * across + x + dx): each axis is a step of its own.
    many = products.shape[2]
    size, steps = (rows, width, span, span), (width * many + across, many + 1, across, 1)
    band = products.as_strided((len(query), *size), (products.stride(0), *steps))
    norms = _norms(seen.flatten(2).transpose(1, 2), own.flatten(2)).unflatten(2, own.shape[-2:])
    norms = norms.unfold(2, span, 1).unfold(3, span, 1)  # (B, N, rows, W, span, span)
    distances = torch.add(norms, band[:, None], alpha=-2).flatten(4)
    least, offset = _by_window(distances, radii)
    y, x = _grid(rows, width, str(query.device))
    down, right = torch.div(offset, span, rounding_mode="floor") - reach, offset % span - reach
    at = (y + top + down) * width + x + right
    return least, at.clamp(0, height * width - 1)  # one outside the frame is nobody's, and FAR


def _by_window(distances: Tensor, radii: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """distances (B, N, h, w, span^2) by offset -> the least of each window and its offset, (B, N, R, h, w). Every
    offset is looked at once, for the smallest window that contains it."""
    least: list[Tensor] = []
    offsets: list[Tensor] = []
    for ring in _rings(radii, str(distances.device)):
        value, place = distances[..., ring].min(-1)
        offset = ring[place]
        if least:
            closer = value < least[-1]
            value, offset = torch.minimum(value, least[-1]), torch.where(closer, offset, offsets[-1])
        least.append(value)
        offsets.append(offset)
    return torch.stack(least, 2), torch.stack(offsets, 2)


# Both are made once for a device, since to bring them there would wait for it.
@lru_cache(64)
def _rings(radii: tuple[int, ...], device: str) -> tuple[Tensor, ...]:
    """For each window the offsets, counted row by row in the largest, that no smaller window holds."""
    reach = radii[-1]
    around = torch.arange(-reach, reach + 1).abs()
    away = torch.maximum(around[:, None], around).flatten()
    bounds = zip((-1, *radii), radii, strict=False)
    return tuple(((away > inner) & (away <= outer)).nonzero().flatten().to(device) for inner, outer in bounds)


@lru_cache(64)
def _grid(height: int, width: int, device: str) -> tuple[Tensor, Tensor]:
    return torch.arange(height, device=device)[:, None], torch.arange(width, device=device)


def _norms(keys: Tensor, owner: Tensor) -> Tensor:
    """|k|^2 of each object's own keys, and beyond any distance for all others: keys (B, K, C), owner (B, N, K) ->
    (B, N, K)."""
    return torch.where(owner, keys.square().sum(-1)[:, None], 2 * FAR)


def _distances(query: Tensor, keys: Tensor, least: Tensor, at: Tensor) -> Tensor:
    """Squared distances of queries (B, 1, .., Q, C) to the keys (B, K, C) numbered `at` (B, N, .., Q); FAR where
    `least`, the distances less |q|^2, says that none was found."""
    if not torch.is_grad_enabled():
        return (least + query.square().sum(-1)).clamp(0, FAR)
    found = keys.gather(1, at.flatten(1)[..., None].expand(-1, -1, keys.shape[-1]))
    away = (query - found.view(*at.shape, -1)).square().sum(-1)
    return torch.where(least < FAR, away, FAR)
