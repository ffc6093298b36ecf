"""Object context (OCNet, Yuan & Wang 2018): each pixel gathers the features of the pixels that look like its object."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from camn.errors import ConfigError
from camn.model.layers import ConvNorm, attend

ContextKind = Literal["base", "pyramid", "aspp"]


class SelfAttention(nn.Module):
    """Self-attention whose query and key are one transform f, so that likeness is symmetric.

    (B, in_channels, h, w) -> (B, out_channels, h, w): W sum_q softmax_q(f(x_p).f(x_q) / sqrt(key_channels)) g(x_q),
    with q over the positions of the map or, when splits is above 1, of p's own region. The regions are tiles of
    ceil(h / splits) x ceil(w / splits); those at the right and lower edge may be smaller.
    """

    def __init__(self, in_channels: int, out_channels: int, key_channels: int, splits: int = 1):
        super().__init__()
        self.key = ConvNorm(in_channels, key_channels)
        self.value = nn.Conv2d(in_channels, key_channels, 1)
        self.out = nn.Conv2d(key_channels, out_channels, 1)
        self.splits = splits

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        tile = (-(-h // self.splits), -(-w // self.splits))
        keys, values = tiles(self.key(x), tile), tiles(self.value(x), tile)
        allowed = None
        if h % tile[0] or w % tile[1]:  # some tiles are padded; each still holds a pixel of the map
            allowed = tiles(x.new_ones(1, 1, h, w), tile).transpose(2, 3) > 0
        return self.out(untile(attend(keys, keys, values, allowed), tile, (h, w)))


class ObjectContext(nn.Module):
    """Object context module: (B, in_channels, h, w) -> (B, out_channels, h, w); meant for the stride-16 map.

    kind: which maps are concatenated before the 1x1 fusion,
        "base" the input and its self-attention;
        "pyramid" the input and self-attention in the regions of 1, 2, 3 and 6 splits a side;
        "aspp" self-attention, a 1x1 and three dilated 3x3 convolutions (rates 12, 24, 36).
    key_channels: width of keys and values.
    """

    SPLITS = (1, 2, 3, 6)
    RATES = (12, 24, 36)

    def __init__(self, kind: ContextKind, in_channels: int, out_channels: int, key_channels: int):
        super().__init__()

        def attention(splits: int = 1) -> nn.Module:
            return SelfAttention(in_channels, out_channels, key_channels, splits)

        branches: list[nn.Module]
        if kind == "base":
            branches = [nn.Identity(), attention()]
        elif kind == "pyramid":
            branches = [nn.Identity(), *map(attention, self.SPLITS)]
        elif kind == "aspp":
            dilated = [ConvNorm(in_channels, out_channels, kernel=3, dilation=rate) for rate in self.RATES]
            branches = [attention(), ConvNorm(in_channels, out_channels), *dilated]
        else:
            raise ConfigError(f"object context kind {kind!r} is unknown; use 'base', 'pyramid' or 'aspp'")
        self.branches = nn.ModuleList(branches)
        widths = [in_channels if isinstance(branch, nn.Identity) else out_channels for branch in branches]
        self.fuse = ConvNorm(sum(widths), out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.fuse(torch.cat([branch(x) for branch in self.branches], dim=1))


def tiles(x: Tensor, tile: tuple[int, int]) -> Tensor:
    """(B, C, h, w) -> (B, tiles, positions, C): tiles of th x tw, row by row, zeros where one overhangs the map."""
    (th, tw), (h, w) = tile, x.shape[-2:]
    x = F.pad(x, (0, -w % tw, 0, -h % th)) if h % th or w % tw else x
    x = x.unflatten(3, (-1, tw)).unflatten(2, (-1, th))  # (B, C, rows, th, columns, tw)
    return x.permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(1, 2).contiguous()


def untile(x: Tensor, tile: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """The inverse of `tiles` for a map of `size` (h, w): (B, tiles, positions, C) -> (B, C, h, w)."""
    (th, tw), (h, w) = tile, size
    x = x.unflatten(2, (th, tw)).unflatten(1, (-(-h // th), -(-w // tw)))  # (B, rows, columns, th, tw, C)
    return x.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)[..., :h, :w]
