"""STM's two encoders, of either kind of backbone: of the frame, and of a frame with an object's mask on it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.config import BACKBONES, StmConfig
from camn.model.backbones import FrozenBatchNorm, build_backbone, residual_stage
from camn.model.efficientnet import EfficientNetLite

PARTS = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "backbone.")  # a backbone's in an encoder, of either kind


class Encoder(nn.Module, ABC):
    """A backbone up to stride 16 with a key and a value head. channels: of its maps at strides 4, 8 and 16."""

    mean: Tensor
    std: Tensor
    channels: tuple[int, int, int]
    key: nn.Conv2d
    value: nn.Conv2d

    def __init__(self, config: StmConfig):
        super().__init__()
        self.register_buffer("mean", torch.tensor(config.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(3, 1, 1), persistent=False)

    @abstractmethod
    def first(self) -> tuple[nn.Conv2d, FrozenBatchNorm]:
        """The convolution of the image, and what follows it."""

    @abstractmethod
    def begin_with(self, layer: nn.Conv2d) -> None:
        """Put another convolution in the first one's place."""

    @abstractmethod
    def maps(self, stem: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps at strides 4, 8 and 16 from the stem's."""

    @abstractmethod
    def load_backbone(self, state: dict[str, Tensor]) -> None:
        """Begin with an ImageNet backbone's weights, as `camn.checkpoints.backbones.backbone_state` gives them."""

    def stem(self, images: Tensor) -> Tensor:
        """The first convolution, before its norm."""
        return self.first()[0]((images - self.mean) / self.std)


class ResNetEncoder(Encoder):
    """ResNet without its last stage, its layers by torchvision's names."""

    behind = {"bn1": "conv1"}

    def __init__(self, config: StmConfig):
        super().__init__(config)
        planes, blocks = config.planes, config.blocks
        self.channels = (4 * planes, 8 * planes, 16 * planes)
        self.conv1 = nn.Conv2d(3, planes, 7, 2, 3, bias=False)
        self.bn1 = FrozenBatchNorm(planes)
        self.layer1 = residual_stage(planes, planes, 1, (1,) * blocks[0])
        self.layer2 = residual_stage(4 * planes, 2 * planes, 2, (1,) * blocks[1])
        self.layer3 = residual_stage(8 * planes, 4 * planes, 2, (1,) * blocks[2])
        self.key = nn.Conv2d(16 * planes, config.key_channels, 3, padding=1)
        self.value = nn.Conv2d(16 * planes, config.value_channels, 3, padding=1)

    def first(self) -> tuple[nn.Conv2d, FrozenBatchNorm]:
        return self.conv1, self.bn1

    def begin_with(self, layer: nn.Conv2d) -> None:
        self.conv1 = layer

    def maps(self, stem: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.layer1(F.max_pool2d(F.relu(self.bn1(stem)), 3, 2, 1))
        middle = self.layer2(fine)
        return fine, middle, self.layer3(middle)

    def load_backbone(self, state: dict[str, Tensor]) -> None:
        own = {name: tensor for name, tensor in state.items() if not name.startswith("layer4.")}
        self.load_state_dict(self.state_dict() | own)


class LiteEncoder(Encoder):
    """EfficientNet-Lite, in `backbone`. masks: of the value's channels, how many are made of masks."""

    def __init__(self, config: StmConfig, masks: int = 0):
        super().__init__(config)
        backbone = build_backbone(config.backbone)
        assert isinstance(backbone, EfficientNetLite)
        self.backbone, self.channels = backbone, backbone.channels
        self.spread = BACKBONES[config.backbone].spread
        self.key = nn.Conv2d(self.channels[2], config.key_channels, 3, padding=1)
        self.value = nn.Conv2d(self.channels[2], config.value_channels - masks, 3, padding=1)

    def first(self) -> tuple[nn.Conv2d, FrozenBatchNorm]:
        return self.backbone._conv_stem, self.backbone._bn0

    def begin_with(self, layer: nn.Conv2d) -> None:
        self.backbone._conv_stem = layer

    def maps(self, stem: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        _, fine, middle, coarse = self.backbone.maps(stem)
        return fine / self.spread, middle / self.spread, coarse / self.spread

    def load_backbone(self, state: dict[str, Tensor]) -> None:
        self.backbone.load_state_dict(state)


class MemoryEncoder(Encoder):
    """A mixin: beside the image it sees an object's mask and the mask of all others."""

    masked_values: bool

    def see_masks(self, config: StmConfig) -> None:
        """Add what the masks pass; called once, by the constructor."""
        self.masked_values = config.masked_values
        first = self.first()[0]
        size, around = first.kernel_size[0], first.padding[0]
        assert isinstance(around, int)
        self.conv1_object = nn.Conv2d(1, first.out_channels, size, 2, around, bias=False)
        self.conv1_others = nn.Conv2d(1, first.out_channels, size, 2, around, bias=False)

    def forward(self, images: Tensor, masks: Tensor, others: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
        """images (B, 3, H, W), masks and others (N, 1, H, W) in 0..1 of N objects, frame (N,) long: which of the images
        each is on -> keys (N, Ck, h, w) and values (N, Cv, h, w) at stride 16."""
        stem = self.stem(images)[frame] + self.conv1_object(masks) + self.conv1_others(others)
        return self.heads(self.maps(stem)[-1], masks, others)

    def heads(self, coarse: Tensor, masks: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """The stride-16 map (N, C, h, w) -> keys and values."""
        value = self.value(coarse)
        if self.masked_values:
            # As `Camn.label`: on sides 16 k + 1 the cell of map pixel i is centred at frame pixel 16 * i.
            shrunk = F.avg_pool2d(torch.cat([masks, others], 1), 17, 16, 8, count_include_pad=False)
            value = torch.cat([value, shrunk], 1)
        return self.key(coarse), value


class ResNetMemory(MemoryEncoder, ResNetEncoder):
    """As published."""

    behind = ResNetEncoder.behind

    def __init__(self, config: StmConfig):
        super().__init__(config)
        self.see_masks(config)


class LiteMemory(MemoryEncoder, LiteEncoder):
    """Of EfficientNet-Lite."""

    def __init__(self, config: StmConfig):
        super().__init__(config, 2 if config.masked_values else 0)
        self.see_masks(config)

    def load_backbone(self, state: dict[str, Tensor]) -> None:
        """An object begins as light on the image, all others as shade: what the backbone knows to see."""
        super().load_backbone(state)
        light = self.backbone._conv_stem.weight.detach().sum(1, keepdim=True)
        for layer, sign in ((self.conv1_object, 1), (self.conv1_others, -1)):
            layer.weight.data.copy_(sign * light)


def query_encoder(config: StmConfig) -> Encoder:
    return ResNetEncoder(config) if config.backbone == "resnet" else LiteEncoder(config)


def memory_encoder(config: StmConfig) -> MemoryEncoder:
    return ResNetMemory(config) if config.backbone == "resnet" else LiteMemory(config)
