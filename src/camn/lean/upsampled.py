"""Convolutions of enlarged maps, worked at the map's own size: both are linear, so they may change places."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def convolve_enlarged(x: Tensor, weight: Tensor, size: Sequence[int], mode: str) -> Tensor:
    """x (B, C, h, w) enlarged to `size` (H, W) with aligned corners, then convolved 3x3 with zeros around it.

    weight (O, C, 3, 3), mode bilinear or bicubic -> (B, O, H, W), channels last. Each tap of the kernel is a 1x1
    product at (h, w); enlarging and moving by the tap is a matrix for each axis. For a map enlarged fourfold that is a
    fifth of the operations of doing it in turn, and the enlarged map is never held.
    """
    batch, channels, h, w = x.shape
    out = len(weight)
    taps = F.conv2d(x, weight.permute(2, 3, 0, 1).reshape(9 * out, channels, 1, 1))
    taps = taps.permute(0, 2, 3, 1).reshape(batch, h, w, 3, 3, out)  # row, column, tap's row and column, channel
    across = enlarging_taps(w, size[1], mode, x)
    rows = torch.matmul(across, taps.permute(0, 3, 1, 4, 2, 5).reshape(batch, 3 * h, 3 * w, out))
    down = enlarging_taps(h, size[0], mode, x)
    made = torch.matmul(down, rows.reshape(batch, 3 * h, size[1] * out))
    return made.view(batch, *size, out).permute(0, 3, 1, 2)


def enlarging_taps(short: int, long: int, mode: str, like: Tensor) -> Tensor:
    """(long, 3 * short): from what three taps want of `short` values to their sum at each of `long` enlarged places.
    Tap t reads the place t - 1 further on, zero beyond the ends."""
    unit = torch.eye(short, dtype=like.dtype, device=like.device)
    # The bicubic kernel is two-dimensional: a row of height 1 is enlarged along its width only.
    enlarged = F.interpolate(unit[None, :, None], (1, long), mode=mode, align_corners=True)[0, :, 0].T
    padded = F.pad(enlarged, (0, 0, 1, 1))
    return torch.cat([padded[t : t + long] for t in range(3)], 1)


def convolve_doubled(x: Tensor, weight: Tensor) -> Tensor:
    """x (B, C, h, w) enlarged bilinearly to (2 h - 1, 2 w - 1) with aligned corners, then convolved 3x3 with zeros
    around it; weight (O, C, 3, 3) -> (B, O, 2 h - 1, 2 w - 1).

    Even pixels of the enlarged map are those of x and odd ones the means of two, so each of the four kinds of answer is
    a 3x3 convolution of x by a kernel of its own: one convolution with four times the channels, at a quarter of the
    pixels. That what lies beyond the enlarged map's edge is zero comes out if x goes on there with the sign turned.
    """
    even = weight.new_tensor([[0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5]])  # [tap, place in x before, at, behind]
    odd = weight.new_tensor([[0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]])
    kinds = torch.stack([even, odd])
    kernels = torch.einsum("octu,atr,bus->abocrs", weight, kinds, kinds).flatten(0, 2)
    x = torch.cat([-x[..., :1, :], x, -x[..., -1:, :]], 2)
    x = torch.cat([-x[..., :1], x, -x[..., -1:]], 3).contiguous(memory_format=torch.channels_last)
    made = F.conv2d(x, kernels).unflatten(1, (2, 2, len(weight)))  # (B, row's kind, column's kind, O, h, w)
    batch, _, _, out, h, w = made.shape
    made = made.permute(0, 4, 1, 5, 2, 3).reshape(batch, 2 * h, 2 * w, out)[:, : 2 * h - 1, : 2 * w - 1]
    return made.permute(0, 3, 1, 2)
