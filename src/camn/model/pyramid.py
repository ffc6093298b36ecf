"""Feature pyramids: top-down (FPN), bottom-up (path aggregation), and attention over a pyramid of pooled maps (FPA)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from camn.errors import ConfigError
from camn.model.layers import ConvNorm, resize


class FeaturePyramid(nn.Module):
    """Top-down feature pyramid (Lin et al. 2017), in the form of CFBI+ (Yang et al. 2021): group norm, late ReLU.

    Every map passes a 1x1 lateral layer to a common width; from the coarsest down, each merged map is enlarged and
    added to the next finer one. Merged maps then pass a 3x3 output layer, and all maps a ReLU. The coarsest map has
    nothing added, so it needs no smoothing: it passes a 1x1 output layer only if its width must change.

    in_channels: widths of the input maps, finest first. out_channels: one width for all maps, or one for each.
    width: the common width, by default the largest of out_channels.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int | Sequence[int], width: int | None = None):
        super().__init__()
        scales = len(in_channels)
        out = (out_channels,) * scales if isinstance(out_channels, int) else tuple(out_channels)
        if len(out) != scales:
            raise ConfigError(f"feature pyramid: {scales} input widths, but output widths {out}; give as many")
        width = width or max(out)
        self.lateral = nn.ModuleList(ConvNorm(c, width, activation=False) for c in in_channels)
        output: list[nn.Module] = [ConvNorm(width, c, kernel=3, activation=False) for c in out[:-1]]
        output.append(nn.Identity() if out[-1] == width else ConvNorm(width, out[-1], activation=False))
        self.output = nn.ModuleList(output)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps (B, in_channels[i], h_i, w_i), finest first -> maps (B, out_channels[i], h_i, w_i), finest first."""
        merged = [lateral(x) for lateral, x in zip(self.lateral, maps, strict=True)]
        for i in reversed(range(len(merged) - 1)):
            merged[i] = merged[i] + resize(merged[i + 1], merged[i].shape[-2:])
        return tuple(F.relu_(output(x)) for output, x in zip(self.output, merged, strict=True))


class PathAggregation(nn.Module):
    """Bottom-up path of PANet (Liu et al. 2018), set on a feature pyramid: strong edges reach the coarse maps quickly.

    The finest map goes out as it came. Each next one is the sum of its own map and the finer result through a 3x3
    convolution of stride 2, smoothed by a 3x3 convolution; group norm and ReLU after both.

    channels: width of each map, finest first, two or more.
    """

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        if len(channels) < 2:
            raise ConfigError(f"path aggregation: widths {tuple(channels)} name fewer than two maps; nothing to join")
        pairs = list(pairwise(channels))
        self.down = nn.ModuleList(ConvNorm(fine, coarse, kernel=3, stride=2) for fine, coarse in pairs)
        self.smooth = nn.ModuleList(ConvNorm(coarse, coarse, kernel=3) for _, coarse in pairs)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps (B, channels[i], h_i, w_i), finest first -> maps of the same shapes.

        Sizes should halve, rounded either way; a strided map that misses its partner by a pixel is resized to it.
        """
        paths = [maps[0]]
        for x, down, smooth in zip(maps[1:], self.down, self.smooth, strict=True):
            paths.append(smooth(x + resize(down(paths[-1]), x.shape[-2:])))
        return tuple(paths)


class FeaturePyramidAttention(nn.Module):
    """Feature pyramid attention (Li et al. 2018, "Pyramid Attention Network"), in the place of an ASPP.

    (B, in_channels, h, w) -> (B, out_channels, h, w). The map is pooled to 1/2, 1/4 and 1/8 with a 7x7, a 5x5 and a
    3x3 convolution on the way down; each level passes a second one of its size and is added to the level above it.
    The result is the attention that multiplies a 1x1 branch; a global-pool branch is added. Any size from 1x1 up.

    middle: width of the pooled pyramid, 2 or more; by default a quarter of out_channels.
    per_channel: attention of one value for each pixel and channel, else one value for each pixel.
    """

    KERNELS = (7, 5, 3)

    def __init__(self, in_channels: int, out_channels: int, middle: int | None = None, per_channel: bool = True):
        super().__init__()
        middle = max(out_channels // 4, 2) if middle is None else middle
        if middle < 2:
            raise ConfigError(f"feature pyramid attention: middle width {middle} is below 2, too few for group norm")
        inputs = (in_channels, middle, middle)
        self.down = nn.ModuleList(ConvNorm(c, middle, k) for c, k in zip(inputs, self.KERNELS, strict=True))
        self.across = nn.ModuleList(ConvNorm(middle, middle, k) for k in self.KERNELS)
        # The paper leaves the range of the attention open; a sigmoid keeps the product from growing without bound.
        self.attention = nn.Conv2d(middle, out_channels if per_channel else 1, 1)
        self.direct = ConvNorm(in_channels, out_channels)
        # No norm here: over one pixel it would leave little more than the signs within each group.
        self.whole = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        levels = []
        level = x
        for down in self.down:
            level = down(F.max_pool2d(level, 2, ceil_mode=True))  # ceil: a 1x1 map stays 1x1
            levels.append(level)
        merged = self.across[-1](levels[-1])
        for level, across in zip(levels[-2::-1], list(self.across)[-2::-1], strict=True):
            merged = across(level) + resize(merged, level.shape[-2:])
        # The 1x1 layer and bilinear resizing commute; the layer goes first, on a quarter of the pixels.
        attention = torch.sigmoid(resize(self.attention(merged), x.shape[-2:]))
        whole = F.relu(self.whole(x.mean(dim=(2, 3), keepdim=True)))
        return self.direct(x) * attention + whole
