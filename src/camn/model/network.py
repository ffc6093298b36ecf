"""The Collaborative Attention Memory Network: encode a frame, match it against labelled ones, decode its masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.config import ModelConfig
from camn.model.attention import instance_vector
from camn.model.backbones import build_backbone
from camn.model.context import ObjectContext
from camn.model.deeplab import DeepLab, SingleEmbedding
from camn.model.ensembler import CollaborativeEnsembler, join_background
from camn.model.frames import Embedding, LabelledFrame, Matched, ensembler_inputs
from camn.model.interface import Labelled, Network
from camn.model.matching import global_maps, of_others
from camn.model.memory import Entry, Memory, SpaceTimeMemory
from camn.model.pyramid import FeaturePyramid, PathAggregation
from camn.model.slots import Slots
from camn.model.windows import local_maps


class Camn(Network):
    """The network that a `ModelConfig` describes. Frames are RGB in 0..1 with sides 16 k + 1 (`work_size`)."""

    memory: Memory | None
    selective = True
    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.tensor(config.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(3, 1, 1), persistent=False)
        # Random weights follow from the seed by the order in which the parts are made: keep it.
        self.backbone = build_backbone(config.backbone)
        fine, middle, coarse = self.backbone.channels
        self.deeplab = DeepLab(fine, coarse, config.deeplab) if config.deeplab else None
        widths = {4: config.deeplab or fine, 8: middle, 16: config.deeplab or coarse}
        self.context = _context(config, widths[16])
        self.embedding = _embedding(config, widths)
        channels = [s.channels for s in config.scales]
        self.aggregation = PathAggregation(channels) if config.path_aggregation else None
        self.foreground_bias = nn.Parameter(torch.zeros(len(channels)))
        self.background_bias = nn.Parameter(torch.zeros(len(channels)))
        self.keys = None
        if config.matching.metric == "cosine":
            self.keys = nn.ModuleList(nn.Conv2d(s.channels, s.match_channels, 1) for s in config.scales)
            self.temperature = nn.Parameter(torch.full((len(channels),), 2.0))
        self.memory = _memory(config)
        self.pre_head = _pre_head(config)
        strides = [s.stride for s in config.scales]
        vector = 4 * channels[0]
        low = (fine, self.backbone.stem)
        self.ensembler = CollaborativeEnsembler(config.ensembler, _input_widths(config), strides, vector, low)

    @property
    def hard_masks(self) -> bool:
        return self.config.matching.masks == "nearest"

    @property
    def matched_frames(self) -> int:
        """Ours take one: what an object looked like lately finds parts that the first frame does not show."""
        return 0 if self.hard_masks else 1

    def work_size(self, height: int, width: int, short_side: int, max_side: int) -> tuple[int, int]:
        """See the function of this name; networks with hard masks, which are the published ones, never enlarge."""
        return work_size(height, width, min(short_side, height, width) if self.hard_masks else short_side, max_side)

    # --- one frame ---------------------------------------------------------------------------------------------------

    def encode(self, images: Tensor) -> Embedding:
        """images (B, 3, H, W) RGB in 0..1 -> Embedding of B frames."""
        if self.config.bgr:
            images = images.flip(1)
        stem, low, middle, coarse = self.backbone((images - self.mean) / self.std)
        fine = low
        if self.deeplab is not None:
            fine, coarse = self.deeplab(low, coarse)
        if self.context is not None:
            coarse = self.context(coarse)
        by_stride = {4: fine, 8: middle, 16: coarse}
        if self.config.pyramid == "single":
            maps = (self.embedding(fine),)
        else:
            maps = self.embedding([by_stride[s.stride] for s in self.config.scales])
        if self.aggregation is not None:
            maps = self.aggregation(maps)
        lows = (low, stem) if self.config.ensembler.edges else (low,)
        return Embedding(tuple(maps), tuple(self._key(i, m) for i, m in enumerate(maps)), lows)

    def _key(self, scale: int, embedding: Tensor) -> Tensor:
        if self.keys is None:
            return embedding[:, : self.config.scales[scale].match_channels]
        # Unit vectors times t: squared distances lie in 0..4 t^2, and D = 0 only for what looks the same.
        return F.normalize(self.keys[scale](embedding), dim=1, eps=1e-4) * self.temperature[scale]

    def label(self, embedding: Embedding, probabilities: Tensor) -> LabelledFrame:
        """Attach masks (N+1, H, W) in 0..1, channel 0 the background, to one frame's embedding."""
        masks = []
        for m, scale in zip(embedding.maps, self.config.scales, strict=True):
            masks.append(self.shrunk(probabilities[None], scale.stride, m.shape[-2:])[0])
        # It is matched against and never decoded again: what only decoding takes is not kept.
        return LabelledFrame(replace(embedding, low=()), tuple(masks), self.config.scales)

    def shrunk(self, masks: Tensor, stride: int, size: torch.Size) -> Tensor:
        """Masks (B, N, H, W) at a scale's stride and size, (B, N, h, w)."""
        if self.config.matching.masks == "nearest":
            return F.interpolate(masks, size, mode="nearest")
        # On sides 16 k + 1 the cell of map pixel i is centred at frame pixel stride * i; border cells are halved.
        return F.avg_pool2d(masks, stride + 1, stride, stride // 2, count_include_pad=False)

    def remember(self, frame: Labelled) -> Entry:
        """The space-time memory's entry for a labelled frame. Raises ValueError if this network has no memory."""
        if self.memory is None:
            raise ValueError(f"{self.config.name} has no space-time memory")
        return self.memory.remember(frame.embedding.maps[-1], frame.masks[-1][1:])

    def looks(self, frame: LabelledFrame) -> Tensor:
        """See `Network.looks`: the mean of the finest embedding over each object, which matching makes anyway."""
        return F.normalize(frame.sums.inside[1:], dim=1)

    # --- a frame against others --------------------------------------------------------------------------------------

    def match(
        self,
        query: Embedding,
        references: Sequence[LabelledFrame],
        previous: LabelledFrame,
        entries: Sequence[Any] = (),
    ) -> Matched:
        """One frame against labelled frames of the same objects. entries: of the memory, if the network has one."""
        first = 0 if self.config.ensembler.background_channel else 1
        scales = range(len(self.config.scales))
        maps = tuple(self._scale_maps(i, query, references, previous)[first:] for i in scales)
        masks = tuple(m[first:] for m in previous.masks)
        readout = None if self.memory is None else self._recalled(query, entries, first)
        vector = instance_vector([r.sums for r in references], previous.sums)[first:]
        return Matched(maps, masks, query.maps, previous.embedding.maps, readout, vector, query.low)

    def _recalled(self, query: Embedding, entries: Sequence[Any], first: int) -> Tensor:
        assert self.memory is not None
        readout = self.memory.recall(query.maps[-1], entries)
        if first == 0:  # the background's foreground is what no object takes: it reads as their mean, parts swapped
            swapped = torch.cat(readout.mean(0, keepdim=True).chunk(2, 1)[::-1], 1)
            readout = torch.cat([swapped, readout])
        return readout

    def _scale_maps(
        self, index: int, query: Embedding, references: Sequence[LabelledFrame], previous: LabelledFrame
    ) -> Tensor:
        """Matching maps (N+1, k, h, w) at a scale, and the previous masks among them."""
        scale = self.config.scales[index]
        key = query.keys[index][0]
        mask = previous.masks[index]
        bias = torch.cat([self.background_bias[index, None], self.foreground_bias[index].expand(len(mask) - 1)])
        far = global_maps(key, [r.pools[index] for r in references], bias)
        half = self.config.matching.half_size_windows
        near = local_maps(key, previous.embedding.keys[index][0], mask, bias, scale.radii, scale.local_stride, half)
        near = near.roll(1, 1)  # the largest window first, as published
        return torch.cat([far[:, None], near, mask[:, None], of_others(near), of_others(far)[:, None]], 1)

    def decode(self, frames: Sequence[Matched]) -> list[Tensor]:
        """Several frames at once -> for each its logits (N+1, h, w) at the last decoder stride; see `enlarge`."""
        counts = [len(f) for f in frames]
        sample = Slots.of(counts, frames[0].vector.device).clip
        foreground, background = self.ensembler(
            [torch.cat(maps) for maps in zip(*(ensembler_inputs(f, self.pre_head) for f in frames), strict=True)],
            torch.cat([f.vector for f in frames]),
            [torch.cat(maps) for maps in zip(*(f.low for f in frames), strict=True)],
            sample,
        )
        own = self.config.ensembler.background_channel
        pairs = zip(foreground.split(counts), background.split(counts), strict=True)
        return [join_background(f, b, own) for f, b in pairs]


def _context(config: ModelConfig, width: int) -> ObjectContext | None:
    return None if config.context == "none" else ObjectContext(config.context, width, width, config.context_keys)


def _embedding(config: ModelConfig, widths: dict[int, int]) -> SingleEmbedding | FeaturePyramid:
    """widths: channels of the maps it is made from, by stride."""
    channels = [s.channels for s in config.scales]
    if config.pyramid == "single":
        return SingleEmbedding(widths[4], channels[0])
    return FeaturePyramid([widths[s.stride] for s in config.scales], channels)


def _memory(config: ModelConfig) -> SpaceTimeMemory | None:
    m = config.memory
    return m and SpaceTimeMemory(config.scales[-1].channels, m.key_channels, m.value_channels, m.separation)


def _map_counts(config: ModelConfig) -> list[int]:
    """For each scale: global maps of object and background, the mask, and two local maps for each window."""
    return [3 + 2 * len(s.radii) for s in config.scales]


def _pre_head(config: ModelConfig) -> nn.ModuleList | None:
    width = config.ensembler.pre_head
    if not width:
        return None
    return nn.ModuleList(
        nn.Sequential(nn.Conv2d(m, width, 1), nn.GroupNorm(width // 4, width), nn.ReLU()) for m in _map_counts(config)
    )


def _input_widths(config: ModelConfig) -> list[int]:
    """Channels of the ensembler's input at each scale: matching maps, three embeddings, at the last the memory's."""
    maps = [config.ensembler.pre_head or m for m in _map_counts(config)]
    inputs = [3 * s.channels + m for s, m in zip(config.scales, maps, strict=True)]
    inputs[-1] += 2 * config.memory.value_channels if config.memory else 0
    return inputs


def enlarge(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Logits ([B,] N+1, h, w) -> ([B,] N+1, H, W), bilinear, corner pixels on corner pixels."""
    clips = logits if logits.dim() == 4 else logits[None]
    return F.interpolate(clips, tuple(size), mode="bilinear", align_corners=True).view(*logits.shape[:-2], *size)


def work_size(height: int, width: int, short_side: int, max_side: int) -> tuple[int, int]:
    """Nearest size 16 k + 1 at which a frame of (height, width) is worked on, its shape kept as well as that allows.

    No side exceeds max_side (17 or more)."""
    scale = min(short_side / min(height, width), max_side / max(height, width))
    most = (max_side - 1) // 16
    return tuple(max(1, min(most, round((s * scale - 1) / 16))) * 16 + 1 for s in (height, width))  # type: ignore[return-value]
