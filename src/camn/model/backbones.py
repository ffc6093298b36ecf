"""Image classification networks as feature extractors at output stride 16, with frozen batch norm.

Every backbone answers with four maps, finest first: strides 2, 4, 8 and 16. `camn.config.BACKBONES` is their table.
ResNets (He et al. 2016) and MobileNetV2 (Sandler et al. 2018) bear torchvision's key names, so its ImageNet files load.
"""

from __future__ import annotations

from collections.abc import Iterable
from pkgutil import resolve_name

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.config import BACKBONES

Maps = tuple[Tensor, Tensor, Tensor, Tensor]


class Backbone(nn.Module):
    """Image (B, 3, H, W), normalised -> its maps of strides 2, 4, 8 and 16. stem: width of the first, channels: of the
    others, both by the table."""

    stem: int
    channels: tuple[int, int, int]


class FrozenBatchNorm(nn.Module):
    """Batch norm whose statistics and scale never change: y = x * scale + shift, scale and shift folded on the fly.

    What it answers is not needed for its gradient, so what follows may work in place. A class that has norms names in
    `behind` the convolution that each is applied behind, for `camn.lean.folding`; a sequence need not."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, epsilon: float = 1e-5):
        super().__init__()
        self.epsilon = epsilon
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.epsilon)

    def affine(self) -> tuple[Tensor, Tensor]:
        """(scale, shift), (C,) each: it answers x * scale + shift."""
        scale = self.weight * (self.running_var + self.epsilon).rsqrt()
        return scale, self.bias - self.running_mean * scale

    def _load_from_state_dict(self, state_dict, prefix, *args):
        # Files written with ordinary batch norm carry a counter that frozen statistics have no use for.
        state_dict.pop(prefix + "num_batches_tracked", None)
        super()._load_from_state_dict(state_dict, prefix, *args)


def normed(convolution: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """norm(convolution(x)). Where gradients are recorded a frozen norm goes into the weights instead of over the map:
    the same answer, with a pass less there and back."""
    if not (torch.is_grad_enabled() and isinstance(norm, FrozenBatchNorm) and isinstance(convolution, nn.Conv2d)):
        return norm(convolution(x))
    scale, shift = norm.affine()
    return convolution._conv_forward(x, convolution.weight * scale.view(-1, 1, 1, 1), shift)


class ResidualBottleneck(nn.Module):
    """1x1, 3x3 (strided, dilated), 1x1 with a shortcut; output 4 * planes channels."""

    behind = {"bn1": "conv1", "bn2": "conv2", "bn3": "conv3"}

    def __init__(self, inputs: int, planes: int, stride: int = 1, dilation: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = FrozenBatchNorm(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, dilation, dilation, bias=False)
        self.bn2 = FrozenBatchNorm(planes)
        self.conv3 = nn.Conv2d(planes, planes * 4, 1, bias=False)
        self.bn3 = FrozenBatchNorm(planes * 4)
        self.downsample = None
        if stride != 1 or inputs != planes * 4:
            shortcut = nn.Conv2d(inputs, planes * 4, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, FrozenBatchNorm(planes * 4))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu_(normed(self.conv1, self.bn1, x))
        y = F.relu_(normed(self.conv2, self.bn2, y))
        y = normed(self.conv3, self.bn3, y)
        y += x if self.downsample is None else self.downsample(x)
        return F.relu_(y)


def residual_stage(inputs: int, planes: int, stride: int, dilations: tuple[int, ...]) -> nn.Sequential:
    """Bottlenecks one after the other, one for each dilation; the first is strided."""
    first = ResidualBottleneck(inputs, planes, stride, dilations[0])
    return nn.Sequential(first, *(ResidualBottleneck(planes * 4, planes, 1, d) for d in dilations[1:]))


class ResNet(Backbone):
    """ResNet-50/101 at output stride 16: the last stage is dilated by 2 with multi-grid (1, 2, 4), as in DeepLabV3."""

    behind = {"bn1": "conv1"}

    def __init__(self, blocks: tuple[int, int, int]):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = FrozenBatchNorm(64)
        self.layer1 = residual_stage(64, 64, 1, (1,) * blocks[0])
        self.layer2 = residual_stage(256, 128, 2, (1,) * blocks[1])
        self.layer3 = residual_stage(512, 256, 2, (1,) * blocks[2])
        self.layer4 = residual_stage(1024, 512, 1, (2, 4, 8))

    def forward(self, x: Tensor) -> Maps:
        stem = F.relu_(normed(self.conv1, self.bn1, x))
        fine = self.layer1(F.max_pool2d(stem, 3, 2, 1))
        middle = self.layer2(fine)
        return stem, fine, middle, self.layer4(self.layer3(middle))


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand 1x1, depthwise 3x3, project 1x1, ReLU6 between."""

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int, expand: int):
        super().__init__()
        hidden = inputs * expand
        depthwise = nn.Conv2d(hidden, hidden, 3, stride, dilation, dilation, groups=hidden, bias=False)
        layers: list[nn.Module] = []
        if expand != 1:
            layers += [nn.Conv2d(inputs, hidden, 1, bias=False), FrozenBatchNorm(hidden), nn.ReLU6(inplace=True)]
        layers += [depthwise, FrozenBatchNorm(hidden), nn.ReLU6(inplace=True)]
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), FrozenBatchNorm(outputs)]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class PaddedInvertedResidual(InvertedResidual):
    """The block as the DeepLab MobileNetV2 that CFBI builds on has it: the input is padded with zeros *before* the
    expansion, so that the depthwise convolution sees expanded zeros (batch norm's shift) beyond the border."""

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int, expand: int):
        super().__init__(inputs, outputs, stride, dilation, expand)
        self.pad = dilation
        depthwise = self.conv[0 if expand == 1 else 3]
        assert isinstance(depthwise, nn.Conv2d)
        depthwise.padding = (0, 0)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(F.pad(x, (self.pad,) * 4))
        return x + y if self.residual else y


class MobileNetV2(Backbone):
    """MobileNetV2 at output stride 16, without its classifier's last 1x1 convolution."""

    _stages = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )

    def __init__(self, block: type[InvertedResidual] = PaddedInvertedResidual):
        super().__init__()
        layers: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), FrozenBatchNorm(32), nn.ReLU6(inplace=True))
        ]
        inputs, reached, dilation = 32, 2, 1
        for expand, outputs, count, stride in self._stages:
            # Past stride 16 a stage is dilated instead of strided; its first block still has the dilation before it.
            first = dilation
            if reached == 16:
                dilation, stride = dilation * stride, 1
            reached *= stride
            for i in range(count):
                layers.append(block(inputs, outputs, stride if i == 0 else 1, first if i == 0 else dilation, expand))
                inputs = outputs
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Maps:
        stem = self.features[:2](x)
        fine = self.features[2:4](stem)
        middle = self.features[4:7](fine)
        return stem, fine, middle, self.features[7:](middle)


def build_backbone(name: str) -> Backbone:
    """A backbone by its name in `camn.config.BACKBONES`; weights are random until loaded."""
    entry = BACKBONES[name]
    backbone = resolve_name(entry.network)(*entry.shape)
    backbone.stem, backbone.channels = entry.stem, entry.channels
    return backbone


def backbone_keys(state: Iterable[str], backbone: nn.Module) -> tuple[list[str], list[str]]:
    """(missing, unused): keys that the backbone needs and `state` lacks, and keys of `state` it has no use for.

    The classifier of an ImageNet file is expected to be unused."""
    have, need = {k for k in state if not k.endswith("num_batches_tracked")}, set(backbone.state_dict())
    return sorted(need - have), sorted(have - need)
