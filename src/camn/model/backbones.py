"""Image classification networks as feature extractors at output stride 16, with frozen batch norm.

Every backbone answers with four maps, finest first: strides 2, 4, 8 and 16. `stem` and `channels` give their widths.
ResNets (He et al. 2016) and MobileNetV2 (Sandler et al. 2018) bear torchvision's key names, so its ImageNet files load;
EfficientNet-Lite0 (Tan & Le 2019, Lite variant) bears those of the `efficientnet-lite-pytorch` package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Maps = tuple[Tensor, Tensor, Tensor, Tensor]


class Backbone(nn.Module):
    """Image (B, 3, H, W), normalised -> its maps of strides 2, 4, 8 and 16. stem: width of the first, channels: of the
    others."""

    stem: int
    channels: tuple[int, int, int]


class FrozenBatchNorm(nn.Module):
    """Batch norm whose statistics and scale never change: y = x * scale + shift, scale and shift folded on the fly.

    What it answers is not needed for its gradient, so what follows may work in place."""

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

    def _load_from_state_dict(self, state_dict, prefix, *args):
        # Files written with ordinary batch norm carry a counter that frozen statistics have no use for.
        state_dict.pop(prefix + "num_batches_tracked", None)
        super()._load_from_state_dict(state_dict, prefix, *args)


def normed(convolution: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
    """norm(convolution(x)). Where gradients are recorded a frozen norm goes into the weights instead of over the map:
    the same answer, with a pass less there and back."""
    if not (torch.is_grad_enabled() and isinstance(norm, FrozenBatchNorm) and isinstance(convolution, nn.Conv2d)):
        return norm(convolution(x))
    scale = norm.weight * (norm.running_var + norm.epsilon).rsqrt()
    weight, shift = convolution.weight * scale.view(-1, 1, 1, 1), norm.bias - norm.running_mean * scale
    return convolution._conv_forward(x, weight, shift)


class ResidualBottleneck(nn.Module):
    """1x1, 3x3 (strided, dilated), 1x1 with a shortcut; output 4 * planes channels."""

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

    stem = 64
    channels = (256, 512, 2048)

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

    stem = 16
    channels = (24, 32, 320)
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


class LiteBlock(nn.Module):
    """EfficientNet-Lite's mobile inverted bottleneck: no squeeze-and-excitation, ReLU6."""

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


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 up to its last stage of stride 16 (blocks 0 to 10 of 16).

    The published network pads as TensorFlow does; on the odd sizes 16 k + 1 that we feed that equals symmetric padding.
    """

    stem = 16
    channels = (24, 40, 112)
    _stages = ((1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2), (6, 112, 3, 5, 1))

    def __init__(self):
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self._bn0 = FrozenBatchNorm(32, 1e-3)
        self._blocks = nn.ModuleList()
        inputs = 32
        for expand, outputs, count, kernel, stride in self._stages:
            for i in range(count):
                self._blocks.append(LiteBlock(inputs, outputs, kernel, stride if i == 0 else 1, expand))
                inputs = outputs

    def forward(self, x: Tensor) -> Maps:
        return self.maps(self._conv_stem(x))

    def maps(self, stem: Tensor) -> Maps:
        """From what the first convolution gives."""
        x = F.relu6(self._bn0(stem), inplace=True)
        maps = []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in (0, 2, 4, 10):
                maps.append(x)
        return maps[0], maps[1], maps[2], maps[3]


_BUILDERS: dict[str, Callable[[], Backbone]] = {
    "resnet50": lambda: ResNet((3, 4, 6)),
    "resnet101": lambda: ResNet((3, 4, 23)),
    "mobilenet_v2": MobileNetV2,
    "efficientnet_lite0": EfficientNetLite0,
}


def build_backbone(name: str) -> Backbone:
    """A backbone by its name in `camn.config.BACKBONES`; weights are random until loaded."""
    return _BUILDERS[name]()


def backbone_keys(state: Iterable[str], backbone: nn.Module) -> tuple[list[str], list[str]]:
    """(missing, unused): keys that the backbone needs and `state` lacks, and keys of `state` it has no use for.

    The classifier of an ImageNet file is expected to be unused."""
    have, need = {k for k in state if not k.endswith("num_batches_tracked")}, set(backbone.state_dict())
    return sorted(need - have), sorted(have - need)
