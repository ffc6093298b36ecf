"""Space-time memory network, STM (Oh et al., "Video Object Segmentation using Space-Time Memory Networks", 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from camn.config import StmConfig
from camn.masks import soft_aggregate
from camn.masks.ids import EPSILON
from camn.model.interface import Labelled, Network
from camn.model.layers import single
from camn.model.memory import MemoryEntry, positions, read
from camn.model.network import work_size
from camn.model.slots import Slots
from camn.model.stm_decoder import Decoder
from camn.model.stm_encoders import PARTS, MemoryEncoder, memory_encoder, query_encoder

STEP = 16
MAPS = ("image", "fine", "middle", "key", "value")


@dataclass(frozen=True)
class StmEmbedding:
    """B frames, or one, as the query encoder sees them. H and W are those of the network's input, `size` is the frames'
    own (h, w).

    image (B, 3, H, W): padded with black where not `aligned`. fine, middle: maps (B, C, ...) at strides 4 and 8. key,
    value: (B, C, ...) at stride 16.
    """

    image: Tensor
    size: tuple[int, int]
    fine: Tensor
    middle: Tensor
    key: Tensor
    value: Tensor

    def __getitem__(self, index: int) -> StmEmbedding:
        """One frame of several, its batch dimension kept. Raises IndexError outside 0..B-1."""
        if not 0 <= index < len(self.image):
            raise IndexError(f"frame {index} of {len(self.image)}")
        return replace(self, **{name: getattr(self, name)[index : index + 1] for name in MAPS})

    def rows(self, index: Tensor) -> StmEmbedding:
        """Some of several frames, index (K,) long on their device."""
        return replace(self, **{name: getattr(self, name).index_select(0, index) for name in MAPS})

    def unbind(self, clips: int) -> list[StmEmbedding]:
        """F x B frames, F after F -> F times B frames. clips: B."""
        parts = [getattr(self, name).unflatten(0, (-1, clips)).unbind(0) for name in MAPS]
        return [replace(self, **dict(zip(MAPS, frame, strict=True))) for frame in zip(*parts, strict=True)]

    def beside(self, *others: StmEmbedding) -> StmEmbedding:
        """The frames of all of them, in their order."""
        return replace(self, **{name: torch.cat([getattr(e, name) for e in (self, *others)]) for name in MAPS})

    def float(self) -> StmEmbedding:
        """In single precision, in which the memory is read."""
        return replace(self, **{name: getattr(self, name).float() for name in MAPS})


@dataclass(frozen=True)
class Recalled:
    """What the decoder reads: values (N, 2 * Cv, h, w), those of memory before the query's own; the query's maps."""

    values: Tensor
    middle: Tensor
    fine: Tensor
    size: tuple[int, int]


class Stm(Network):
    """The network that a `StmConfig` describes. Frames are RGB in 0..1. Where it is `aligned` their sides are 16 k + 1;
    else any, and inside they are padded to multiples of 16 with black, half of it on each side, the odd pixel right and
    below.

    It has no use for reference frames or the previous frame but by the memory; the published rule is to read from the
    first frame, every 5th and the previous one.
    """

    memory: MemoryEncoder

    def __init__(self, config: StmConfig):
        super().__init__()
        self.config = config
        # Random weights follow from the seed by the order in which the parts are made: keep it.
        self.query = query_encoder(config)
        self.memory = memory_encoder(config)
        self.decoder = Decoder(config, self.query.channels)

    @property
    def memory_frames(self) -> int:
        """See `StmConfig`."""
        return self.config.memory_frames

    def backbone_part(self, name: str) -> str:
        """See `Network.backbone_part`: those of both encoders go by the same names."""
        encoder, _, part = name.partition(".")
        if encoder not in ("query", "memory") or not part.startswith(PARTS):
            return ""
        return part if part.startswith("backbone.") else f"backbone.{part}"

    def load_backbone(self, state: dict[str, Tensor]) -> None:
        """See `Network.load_backbone`. Both encoders begin with it, and with keys that compare frames by their looks;
        the answer begins undecided."""
        for encoder in (self.query, self.memory):
            encoder.load_backbone(state)
        self.memory.key.load_state_dict(self.query.key.state_dict())
        for parameter in self.decoder.predict.parameters():
            parameter.data.mul_(0.1)

    def work_size(self, height: int, width: int, short_side: int, max_side: int) -> tuple[int, int]:
        """Where it is not aligned, the frame's own size where the bounds allow it, never a larger one."""
        if self.config.aligned:
            return work_size(height, width, short_side, max_side)
        scale = min(1, short_side / min(height, width), max_side / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def around(self, height: int, width: int) -> tuple[int, int, int, int]:
        """What is padded, (left, right, top, bottom)."""
        return (0, 0, 0, 0) if self.config.aligned else padding(height, width)

    def encode(self, images: Tensor) -> StmEmbedding:
        """Images (B, 3, h, w) RGB in 0..1 -> their embedding."""
        height, width = images.shape[-2:]
        padded = F.pad(images, self.around(height, width))
        fine, middle, coarse = self.query.maps(self.query.stem(padded))
        return StmEmbedding(padded, (height, width), fine, middle, self.query.key(coarse), self.query.value(coarse))

    def label(self, embedding: StmEmbedding, probabilities: Tensor) -> Labelled[Tensor]:
        """Attach masks (N+1, h, w) in 0..1, channel 0 the background, to a frame, of which its image is kept; what is
        padded is background."""
        around = self.around(*embedding.size)
        masks = [F.pad(probabilities[:1], around, value=1), F.pad(probabilities[1:], around)]
        return Labelled(embedding.image, (torch.cat(masks),))

    def remember(self, frame: Labelled[Tensor]) -> MemoryEntry:
        """The memory's entry for a labelled frame of one object or more."""
        return self.remember_all([frame])[0]

    def remember_all(self, frames: Sequence[Labelled[Tensor]]) -> list[MemoryEntry]:
        """See `Network.remember_all`; all objects of all frames at once."""
        masks = [frame.masks[0][1:, None] for frame in frames]
        others = torch.cat([(m.sum(0) - m).clamp(0, 1) for m in masks])
        counts = [len(m) for m in masks]
        at = Slots.of(counts, others.device).clip
        keys, values = self.memory(torch.cat([frame.embedding for frame in frames]), torch.cat(masks), others, at)
        pairs = zip(positions(keys, 1).split(counts), positions(values, 1).split(counts), strict=True)
        return [MemoryEntry(key, value) for key, value in pairs]

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
        """Frames of one size, at once -> for each its logits, of soft aggregation's probabilities: (N+1, h, w) at its
        own size, where it is aligned at stride 4."""
        counts = [len(frame.values) for frame in frames]
        alone = self.alone(frames, counts).split(counts)
        return [self._joined(one, frame.size) for one, frame in zip(alone, frames, strict=True)]

    def alone(self, frames: Sequence[Recalled], counts: Sequence[int]) -> Tensor:
        """What the decoder answers for all objects, `counts` of each frame."""
        at = Slots.of(counts, frames[0].values.device).clip
        middle = self.decoder.middle.added(torch.cat([frame.middle for frame in frames]))
        fine = self.decoder.fine.added(torch.cat([frame.fine for frame in frames]))
        return self.decoder(torch.cat([frame.values for frame in frames]), middle[at], fine[at])

    def _joined(self, alone: Tensor, size: tuple[int, int]) -> Tensor:
        if self.config.aligned:
            return aggregated(single(alone))
        height, width = size
        left, _, top, _ = padding(height, width)
        return soft_aggregate(alone[:, top : top + height, left : left + width]).log()


def aggregated(odds: Tensor) -> Tensor:
    """Log-odds (N, h, w) of each object by itself -> logits (N+1, h, w), whose softmax is `soft_aggregate` of their
    probabilities; without a probability between, so that no gradient is lost or without bound."""
    none = F.logsigmoid(-odds).sum(0, keepdim=True).clamp(max=-EPSILON)  # log of the product of all 1 - p
    return torch.cat([none - torch.log(-torch.expm1(none)), odds])


def padding(height: int, width: int) -> tuple[int, int, int, int]:
    """(left, right, top, bottom), as `F.pad` takes it: what makes both sides multiples of 16."""
    down, across = -height % STEP, -width % STEP
    return across // 2, across - across // 2, down // 2, down - down // 2
