"""Small layers that every other module of the networks is built from."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def single(x: Tensor) -> Tensor:
    """x in single precision, or as it is where that is higher. Sums over whole maps are made so: half precision, which
    convolutions answer in under autocast, ends at 65,504."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def group_norm(channels: int, most: int = 32) -> nn.GroupNorm:
    """Group norm over `channels`, with as many groups as divide it, at most `most`, each of two channels or more.

    A group of one channel would take the mean out of every channel and leave nothing of a 1x1 map; so 256, 64 and 32
    channels get 32, 32 and 16 groups.
    """
    groups = max((g for g in range(1, most + 1) if channels % g == 0 and channels // g >= 2), default=1)
    return nn.GroupNorm(groups, channels)


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize of (B, C, h, w) to `size` (H, W), corner pixels on corner pixels; x itself if it has that size.

    Aligned corners are what the networks' 16k + 1 work sizes are for: pixel (0, 0) is one place at every stride.
    """
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def area(x: Tensor, size: Sequence[int]) -> Tensor:
    """(B, C, h, w) -> (B, C, H, W): each pixel the mean of those of x that it touches. `F.interpolate` in mode `area`,
    which does the same, is not there on every device where the sizes do not divide each other."""
    for axis, count in zip((-2, -1), size, strict=True):
        x = x if x.shape[axis] == count else _means(x, axis, count)
    return x


def _means(x: Tensor, axis: int, count: int) -> Tensor:
    """Along one axis: the mean of the pixels from floor(i h / H) on to below ceil((i + 1) h / H)."""
    length = x.shape[axis]
    at = torch.arange(count, device=x.device)
    first, stop = at * length // count, ((at + 1) * length + count - 1) // count
    least = -(-length // count)  # pixels that every one touches; some touch one more
    more = (stop - first - least).to(x.dtype).view([count, 1] if axis == -2 else [count])
    total = x.index_select(axis, (first + least).clamp(max=length - 1)) * more
    for tap in range(least):
        total = total + x.index_select(axis, first + tap)
    return total / (least + more)


class ConvNorm(nn.Module):
    """Convolution without bias, group norm and, if `activation`, ReLU.

    (B, in, h, w) -> (B, out, ceil(h / stride), ceil(w / stride)). `kernel` is odd; the
    padding keeps the size at stride 1, whatever the dilation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        activation: bool = True,
    ):
        super().__init__()
        padding = dilation * (kernel // 2)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, bias=False)
        self.norm = group_norm(out_channels)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return F.relu(x, inplace=True) if self.activation else x


def attend(query: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None = None) -> Tensor:
    """Attention: softmax(query keys^T / sqrt(C)) values.

    query (B, M, Q, C), keys (B, M, K, C), values (B, M, K, D) -> (B, M, Q, D).
    allowed: bool, broadcasts to (B, M, Q, K); False leaves a key out. Each query needs a key that is allowed.
    Several times faster, and flat in memory, where the channels lie side by side (last stride 1).
    """
    scale = 1 / math.sqrt(query.shape[-1])
    # The kernels that never hold the Q x K matrix want C = D; zero channels make it so and change nothing.
    width = values.shape[-1]
    common = max(width, keys.shape[-1])
    query, keys, values = (
        F.pad(x, (0, common - x.shape[-1])) if x.shape[-1] < common else x for x in (query, keys, values)
    )
    return F.scaled_dot_product_attention(query, keys, values, attn_mask=allowed, scale=scale)[..., :width]
