"""Space-time memory network, STM (Oh et al., "Video Object Segmentation using Space-Time Memory Networks", 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.config import StmConfig
from camn.masks import soft_aggregate
from camn.model.backbones import FrozenBatchNorm, residual_stage
from camn.model.interface import Labelled, Network
from camn.model.memory import MemoryEntry, positions, read

STEP = 16


@dataclass(frozen=True)
class StmEmbedding:
    """A frame as the query encoder sees it. H and W are multiples of 16, `size` is the frame's own (h, w).

    image (1, 3, H, W): padded with black. fine, middle: maps (1, C, ...) at strides 4 and 8. key, value: (1, C, ...) at
    stride 16.
    """

    image: Tensor
    size: tuple[int, int]
    fine: Tensor
    middle: Tensor
    key: Tensor
    value: Tensor

    def float(self) -> StmEmbedding:
        """In single precision, in which the memory is read."""
        maps = {name: getattr(self, name).float() for name in ("image", "fine", "middle", "key", "value")}
        return replace(self, **maps)


@dataclass(frozen=True)
class Recalled:
    """What the decoder reads: values (N, 2 * Cv, h, w), those of memory before the query's own; the query's maps."""

    values: Tensor
    middle: Tensor
    fine: Tensor
    size: tuple[int, int]


class Encoder(nn.Module):
    """ResNet up to stride 16 with a key and a value head. It normalises images by ImageNet's mean and deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: StmConfig):
        super().__init__()
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1), persistent=False)
        planes, blocks = config.planes, config.blocks
        self.conv1 = nn.Conv2d(3, planes, 7, 2, 3, bias=False)
        self.bn1 = FrozenBatchNorm(planes)
        self.layer1 = residual_stage(planes, planes, 1, (1,) * blocks[0])
        self.layer2 = residual_stage(4 * planes, 2 * planes, 2, (1,) * blocks[1])
        self.layer3 = residual_stage(8 * planes, 4 * planes, 2, (1,) * blocks[2])
        self.key = nn.Conv2d(16 * planes, config.key_channels, 3, padding=1)
        self.value = nn.Conv2d(16 * planes, config.value_channels, 3, padding=1)

    def stem(self, images: Tensor) -> Tensor:
        """The first convolution, before its norm."""
        return self.conv1((images - self.mean) / self.std)

    def maps(self, stem: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps at strides 4, 8 and 16 from the stem's."""
        fine = self.layer1(F.max_pool2d(F.relu(self.bn1(stem)), 3, 2, 1))
        middle = self.layer2(fine)
        return fine, middle, self.layer3(middle)


class MemoryEncoder(Encoder):
    """The encoder of remembered frames: beside the image it sees an object's mask and the mask of all others."""

    def __init__(self, config: StmConfig):
        super().__init__(config)
        self.conv1_object = nn.Conv2d(1, config.planes, 7, 2, 3, bias=False)
        self.conv1_others = nn.Conv2d(1, config.planes, 7, 2, 3, bias=False)

    def forward(self, image: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """image (1, 3, H, W), masks (N, H, W) in 0..1 -> keys (N, Ck, h, w) and values (N, Cv, h, w) at stride 16."""
        stem, whole = self.stem(image), masks.sum(0)
        made = []
        for mask in masks:  # one at a time: a map of each block for each object would fill the memory
            others = (whole - mask).clamp(0, 1)
            seen = stem + self.conv1_object(mask[None, None]) + self.conv1_others(others[None, None])
            coarse = self.maps(seen)[-1]
            made.append((self.key(coarse), self.value(coarse)))
        keys, values = zip(*made, strict=True)
        return torch.cat(keys), torch.cat(values)


class Residual(nn.Module):
    """Two 3x3 convolutions, each behind a ReLU, and a shortcut."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class Refine(nn.Module):
    """A step up: the map from below, enlarged twofold, plus what the encoder's map of that stride adds."""

    def __init__(self, skip: int, width: int):
        super().__init__()
        self.skip = nn.Conv2d(skip, width, 3, padding=1)
        self.skip_residual = Residual(width)
        self.residual = Residual(width)

    def added(self, skip: Tensor) -> Tensor:
        """The encoder's part, (1, skip, h, w) -> (1, width, h, w): the same for all objects."""
        return self.skip_residual(self.skip(skip))

    def forward(self, coarse: Tensor, added: Tensor) -> Tensor:
        return self.residual(added + _enlarged(coarse, 2))


class Decoder(nn.Module):
    """Values at stride 16 -> probability of each object by itself at the image's size."""

    def __init__(self, config: StmConfig):
        super().__init__()
        width, planes = config.width, config.planes
        self.squeeze = nn.Conv2d(2 * config.value_channels, width, 3, padding=1)
        self.residual = Residual(width)
        self.middle = Refine(8 * planes, width)
        self.fine = Refine(4 * planes, width)
        self.predict = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, values: Tensor, middle: Tensor, fine: Tensor) -> Tensor:
        """values (N, 2 * Cv, h, w), the query's maps (1, ...) -> (N, 16 h, 16 w) in 0..1."""
        middle, fine = self.middle.added(middle), self.fine.added(fine)
        return torch.cat([self.alone(value[None], middle, fine) for value in values])

    def alone(self, values: Tensor, middle: Tensor, fine: Tensor) -> Tensor:
        """One object, as in the memory encoder: values (1, 2 * Cv, h, w), what is added at strides 8 and 4 (1, ...) ->
        (1, 16 h, 16 w) in 0..1."""
        x = self.residual(self.squeeze(values))
        x = self.fine(self.middle(x, middle), fine)
        return _enlarged(self.predict(F.relu(x)), 4).softmax(1)[:, 1]


class Stm(Network):
    """The network that a `StmConfig` describes. Frames are RGB in 0..1 of any size; inside they are padded to multiples
    of 16 with black, half of it on each side, the odd pixel right and below.

    It has no use for reference frames or the previous frame but by the memory; the published rule is to read from the
    first frame, every 5th and the previous one.
    """

    memory: MemoryEncoder
    memory_frames = 40  # as published it keeps every one; so it does on the benchmarks, whose clips end before

    def __init__(self, config: StmConfig):
        super().__init__()
        self.config = config
        self.query = Encoder(config)
        self.memory = MemoryEncoder(config)
        self.decoder = Decoder(config)

    def lean(self) -> Network:
        """See `Network.lean`, and `camn.model.lean_stm`."""
        from camn.model.lean_stm import LeanStm  # it is made from this class

        return LeanStm(self)

    def work_size(self, height: int, width: int, short_side: int, max_side: int) -> tuple[int, int]:
        """The frame's own size where the bounds allow it, never a larger one."""
        scale = min(1, short_side / min(height, width), max_side / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def encode(self, images: Tensor) -> StmEmbedding:
        """One image (1, 3, h, w) RGB in 0..1 -> its embedding."""
        height, width = images.shape[-2:]
        padded = F.pad(images, padding(height, width))
        fine, middle, coarse = self.query.maps(self.query.stem(padded))
        return StmEmbedding(padded, (height, width), fine, middle, self.query.key(coarse), self.query.value(coarse))

    def label(self, embedding: StmEmbedding, probabilities: Tensor) -> Labelled[Tensor]:
        """Attach masks (N+1, h, w) in 0..1, channel 0 the background, to a frame, of which its image is kept; what is
        padded is background."""
        around = padding(*embedding.size)
        masks = [F.pad(probabilities[:1], around, value=1), F.pad(probabilities[1:], around)]
        return Labelled(embedding.image, (torch.cat(masks),))

    def remember(self, frame: Labelled[Tensor]) -> MemoryEntry:
        """The memory's entry for a labelled frame of one object or more."""
        keys, values = self.memory(frame.embedding, frame.masks[0][1:])
        return MemoryEntry(positions(keys, 1), positions(values, 1))

    def match(
        self,
        query: StmEmbedding,
        references: Sequence[Labelled],
        previous: Labelled,
        entries: Sequence[MemoryEntry] = (),
    ) -> Recalled:
        """Read the entries' memory, of N objects each. references, previous: not looked at."""
        recalled = read(query.key, entries)[:, 0]
        own = query.value.expand(len(recalled), -1, -1, -1)
        return Recalled(torch.cat([recalled, own], 1), query.middle, query.fine, query.size)

    def decode(self, frames: Sequence[Recalled]) -> list[Tensor]:
        """For each frame its logits (N+1, h, w) at its own size: log of soft aggregation's probabilities."""
        return [self._decode(frame) for frame in frames]

    def alone(self, frame: Recalled) -> Tensor:
        """Probability (N, H, W) of each object by itself, at the padded size."""
        return self.decoder(frame.values, frame.middle, frame.fine)

    def _decode(self, frame: Recalled) -> Tensor:
        alone = self.alone(frame)
        height, width = frame.size
        left, _, top, _ = padding(height, width)
        return soft_aggregate(alone[:, top : top + height, left : left + width]).log()


def padding(height: int, width: int) -> tuple[int, int, int, int]:
    """(left, right, top, bottom), as `F.pad` takes it: what makes both sides multiples of 16."""
    down, across = -height % STEP, -width % STEP
    return across // 2, across - across // 2, down // 2, down - down // 2


def _enlarged(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
