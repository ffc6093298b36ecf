"""EfficientNet-Lite (Tan & Le 2019, Lite variant) by the key names of the `efficientnet-lite-pytorch` package."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from camn.model.backbones import Backbone, FrozenBatchNorm, Maps, normed

# Of Lite0, up to the last stage of stride 16: expansion, channels, blocks, kernel, stride.
STAGES = ((1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2), (6, 112, 3, 5, 1))
GIVEN = (0, 1, 2, 4)  # the stages that end a stride


class LiteBlock(nn.Module):
    """EfficientNet-Lite's mobile inverted bottleneck: no squeeze-and-excitation, ReLU6."""

    behind = {"_bn0": "_expand_conv", "_bn1": "_depthwise_conv", "_bn2": "_project_conv"}

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int):
        super().__init__()
        hidden = inputs * expand
        self.expand = expand != 1
        if self.expand:
            self._expand_conv = nn.Conv2d(inputs, hidden, 1, bias=False)
            self._bn0 = FrozenBatchNorm(hidden, 1e-3)
        self._depthwise_conv = nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False)
        self._bn1 = FrozenBatchNorm(hidden, 1e-3)
        self._project_conv = nn.Conv2d(hidden, outputs, 1, bias=False)
        self._bn2 = FrozenBatchNorm(outputs, 1e-3)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(normed(self._expand_conv, self._bn0, x), inplace=True) if self.expand else x
        y = F.relu6(normed(self._depthwise_conv, self._bn1, y), inplace=True)
        y = normed(self._project_conv, self._bn2, y)
        if self.residual:
            y += x
        return y


class EfficientNetLite(Backbone):
    """EfficientNet-Lite up to its last stage of stride 16. width, depth: how much wider and deeper than Lite0 it is;
    the first convolution and the first stage's depth are never scaled.

    The published network pads as TensorFlow does; on the odd sizes 16 k + 1 that we feed that equals symmetric padding.
    """

    behind = {"_bn0": "_conv_stem"}

    def __init__(self, width: float = 1.0, depth: float = 1.0):
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self._bn0 = FrozenBatchNorm(32, 1e-3)
        self._blocks = nn.ModuleList()
        self.ends: tuple[int, ...] = ()  # the blocks whose maps are given
        inputs = 32
        for stage, (expand, outputs, count, kernel, stride) in enumerate(STAGES):
            outputs = scaled(outputs, width)
            for i in range(math.ceil(depth * count) if stage else count):
                self._blocks.append(LiteBlock(inputs, outputs, kernel, stride if i == 0 else 1, expand))
                inputs = outputs
            if stage in GIVEN:
                self.ends += (len(self._blocks) - 1,)

    def forward(self, x: Tensor) -> Maps:
        return self.maps(self._conv_stem(x))

    def maps(self, stem: Tensor) -> Maps:
        """From what the first convolution gives."""
        x = F.relu6(self._bn0(stem), inplace=True)
        maps = []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in self.ends:
                maps.append(x)
        return maps[0], maps[1], maps[2], maps[3]


def scaled(channels: int, width: float) -> int:
    """The multiple of 8 next to width * channels, or the one above where that lies more than a tenth below."""
    wanted = width * channels
    made = max(8, int(wanted + 4) // 8 * 8)
    return made + 8 if made < 0.9 * wanted else made
