"""3x3 convolutions by Winograd's minimal filtering F(4x4, 3x3): a quarter of the multiplications.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016: Y = A^T [(G g G^T) * (B^T d B)] A, where d is
a tile of 6 x 6 pixels that overlaps its neighbours by two, g the kernel, and Y the 4 x 4 answers in the middle. The
products of all tiles and channels are 36 matrix products. Sums and differences of the tiles cost passes over memory, so
this pays where channels are many, see `quickened`.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.lean.joined import graphed

Part = TypeVar("Part", bound=nn.Module)

LEAST_CHANNELS, LEAST_PIXELS = 128, 1500  # measured: from these on it is faster
TILES = 256  # worked at a time: their buffers then stay in the processor's cache


class WinogradConvolution(nn.Conv2d):
    """A convolution 3x3 of stride 1 with zeros around the map, whose answers differ by rounding, 1e-5 of the largest.
    Small maps, other devices, whose libraries choose such ways themselves, and graphs take the plain way."""

    @classmethod
    def of(cls, plain: nn.Conv2d) -> WinogradConvolution:
        """The same convolution, its tensors shared."""
        made = cls(plain.in_channels, plain.out_channels, 3, padding=1, bias=plain.bias is not None, device="meta")
        made._parameters = dict(plain._parameters)
        return made.eval()

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, O, h, w)."""
        small = input.shape[-2] * input.shape[-1] < LEAST_PIXELS
        if graphed() or small or input.device.type != "cpu" or input.dtype != torch.float32:
            return super().forward(input)
        return convolve(input, self.weight, self.bias)


def quickened(module: Part) -> Part:
    """A copy of the module, its tensors shared, in which the convolutions that gain are `WinogradConvolution`s: 3x3, of
    stride 1, not dilated, with `LEAST_CHANNELS` in and out. For inference only."""
    made = copy(module)
    made._modules = {name: child and _quickened(child) for name, child in module._modules.items()}
    return made


def _quickened(module: nn.Module) -> nn.Module:
    return WinogradConvolution.of(module) if type(module) is nn.Conv2d and _gains(module) else quickened(module)


def _gains(convolution: nn.Conv2d) -> bool:
    c, one = convolution, (1, 1)
    plain = c.kernel_size == (3, 3) and c.padding == c.stride == c.dilation == one and c.padding_mode == "zeros"
    return plain and c.groups == 1 and min(c.in_channels, c.out_channels) >= LEAST_CHANNELS


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (B, C, h, w), weight (O, C, 3, 3), bias (O,) -> (B, O, h, w), channels last."""
    (batch, _, h, w), out = x.shape, len(weight)
    kernels, made = _transformed(weight), x.new_empty(batch, h, w, out)
    step = 4 * max(1, TILES // -(-w // 4))
    for whole, answer in zip(x.permute(0, 2, 3, 1), made, strict=True):
        for top in range(0, h, step):
            rows = answer[top : top + step]
            band = _band(whole, top, len(rows))
            products = torch.bmm(band.flatten(2, 3).flatten(0, 1), kernels)
            answers = _answers(products.unflatten(1, band.shape[2:4]))[: len(rows), :w]
            rows.copy_(answers) if bias is None else torch.add(answers, bias, out=rows)
    return made.permute(0, 3, 1, 2)


def _transformed(weight: Tensor) -> Tensor:
    """G g G^T of each kernel, (O, C, 3, 3) -> (36, C, O). Made at each use: that costs a tenth of what is gained, and
    kept for all convolutions they would be four times the network's weights."""
    rows = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]
    matrix = weight.new_tensor(rows) / 24
    made = torch.kron(matrix, matrix) @ weight.permute(2, 3, 1, 0).reshape(9, -1)
    return made.view(36, weight.shape[1], weight.shape[0])


def _band(x: Tensor, top: int, height: int) -> Tensor:
    """B^T d B of the tiles whose answers are rows top .. top + height of x (h, w, C) -> (6, 6, down, across, C)."""
    h, w, channels = x.shape
    down, across = -(-height // 4), -(-w // 4)
    last = top + 4 * down + 1
    edges = (0, 0, 1, 4 * across + 1 - w, int(top == 0), max(last - h, 0))
    padded = F.pad(x[max(top - 1, 0) : last], edges)
    half = x.new_empty(6, down, 4 * across + 2, channels)
    _analyse([padded[i : i + 4 * down - 3 : 4] for i in range(6)], half.unbind())
    made = x.new_empty(6, 6, down, across, channels)
    _analyse([half[:, :, i : i + 4 * across - 3 : 4] for i in range(6)], made.unbind(1))
    return made


def _answers(products: Tensor) -> Tensor:
    """A^T M A of each tile's products (36, down, across, O) -> (4 down, 4 across, O)."""
    _, down, across, channels = products.shape
    half = products.new_empty(6, 4, down, across, channels)
    _synthesise(products.unflatten(0, (6, 6)).unbind(), half.unbind(1))
    made = products.new_empty(down, 4, across, 4, channels)
    _synthesise(half.unbind(), made.permute(1, 0, 2, 3, 4).unbind(3))
    return made.view(4 * down, 4 * across, channels)


def _analyse(d: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    """out = B^T d along one axis of the tiles, six pixels to six values."""
    even, odd = d[4] - d[2], d[3] - d[1]
    torch.add(even, d[0] - d[2], alpha=4, out=out[0])
    torch.add(even, odd, alpha=2, out=out[3])
    torch.sub(even, odd, alpha=2, out=out[4])
    torch.sub(d[5] - d[3], odd, alpha=4, out=out[5])
    torch.sub(d[4], d[2], alpha=4, out=even)
    torch.sub(d[3], d[1], alpha=4, out=odd)
    torch.add(even, odd, out=out[1])
    torch.sub(even, odd, out=out[2])


def _synthesise(m: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    """out = A^T m along one axis of the tiles, six values to four answers."""
    sum1, difference1, sum2, difference2 = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    torch.add(m[0], sum1, out=out[0]).add_(sum2)
    torch.add(difference1, difference2, alpha=2, out=out[1])
    torch.add(sum1, sum2, alpha=4, out=out[2])
    torch.add(m[5], difference1, out=out[3]).add_(difference2, alpha=8)
