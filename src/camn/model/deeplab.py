"""DeepLabV3+ (Chen et al. 2018): atrous spatial pyramid pooling and decoder over a backbone, batch norm frozen."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from camn.model.backbones import FrozenBatchNorm
from camn.model.layers import resize


class ConvBatchNorm(nn.Sequential):
    """Convolution without bias, frozen batch norm, ReLU; size kept."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, dilation: int = 1):
        padding = dilation * (kernel // 2)
        convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=False)
        super().__init__(convolution, FrozenBatchNorm(outputs), nn.ReLU(inplace=True))


class AtrousPyramid(nn.Module):
    """ASPP at output stride 16: 1x1, 3x3 convolutions of dilations 6, 12 and 18, the image's mean; joined by 1x1."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.branches = nn.ModuleList(
            [ConvBatchNorm(inputs, outputs), *(ConvBatchNorm(inputs, outputs, 3, d) for d in (6, 12, 18))]
        )
        self.whole = ConvBatchNorm(inputs, outputs)
        self.join = ConvBatchNorm(5 * outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        whole = self.whole(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        return self.join(torch.cat([*(branch(x) for branch in self.branches), whole], 1))


class DeepLab(nn.Module):
    """Stride-16 map (B, coarse, ...) and stride-4 map (B, fine, ...) -> ASPP's map and the decoder's at stride 4."""

    def __init__(self, fine: int, coarse: int, width: int = 256, skip: int = 48):
        super().__init__()
        self.pyramid = AtrousPyramid(coarse, width)
        self.skip = ConvBatchNorm(fine, skip)
        self.decoder = nn.Sequential(ConvBatchNorm(width + skip, width, 3), ConvBatchNorm(width, width, 3))

    def forward(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """-> (decoder's map (B, width, h4, w4), ASPP's map (B, width, h16, w16))."""
        pooled = self.pyramid(coarse)
        skip = self.skip(fine)
        return self.decoder(torch.cat([resize(pooled, skip.shape[-2:]), skip], 1)), pooled


class SingleEmbedding(nn.Sequential):
    """CFBI's embedding: depthwise 3x3, group norm, ReLU, 1x1, group norm, ReLU."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs),
            nn.GroupNorm(32, inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 1),
            nn.GroupNorm(outputs // 4, outputs),
            nn.ReLU(),
        )
