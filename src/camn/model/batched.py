"""Networks over several clips at once, as training runs them: a step's cost is arithmetic, not calls.

What `Camn` and `Stm` do for one frame of one video is done here for one frame of each of B clips, by the same layers:
masks are padded to the most objects that a clip has, what each object passes through is packed, see `Slots`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from camn.masks import soft_aggregate
from camn.model.attention import Sums, instance_vector
from camn.model.dense import TILE, nearest_in_all_windows, nearest_of_all
from camn.model.frames import Embedding, Matched, ensembler_inputs
from camn.model.interface import Network
from camn.model.layers import single
from camn.model.matching import of_others, owners, similarity_map, thinned
from camn.model.memory import MemoryEntry, SpaceTimeMemory, positions, read
from camn.model.network import Camn
from camn.model.slots import NOWHERE, Slots
from camn.model.stm import Recalled, Stm, StmEmbedding, aggregated, padding

Embedded = TypeVar("Embedded")


@dataclass(frozen=True)
class Labelled(Generic[Embedded]):
    """One frame of each of B clips with its masks: what `interface.Labelled` is of one.

    masks (B, N+1, h, w) in 0..1 for each scale at which the network wants them, channel 0 the background, zeros for
    objects that are not there. known (B,) 0 or 1: clips that have such a frame at all; None for all of them.
    """

    embedding: Embedded
    masks: tuple[Tensor, ...]
    known: Tensor | None = None

    def rows(self, index: Tensor, known: Tensor) -> Labelled[Embedded]:
        """Of F x B frames, F after F, one for each clip: index (B,) long, the row of each."""
        masks = tuple(m.index_select(0, index) * known.view(-1, 1, 1, 1) for m in self.masks)
        return Labelled(self.embedding.rows(index), masks, known)  # type: ignore[attr-defined]


class Batched(ABC):
    """A network, and the objects of the clips that it is run on."""

    def __init__(self, slots: Slots):
        self.slots = slots

    @abstractmethod
    def label(self, embedding: Any, probabilities: Tensor) -> Labelled:
        """Attach masks (B, N+1, H, W) in 0..1, channel 0 the background, to encoded frames."""

    @abstractmethod
    def remember(self, frames: Labelled) -> MemoryEntry | None:
        """The memory's entry of all M objects; None in a network without a memory."""

    @abstractmethod
    def match(
        self, query: Any, references: Sequence[Labelled], previous: Labelled, entries: Sequence[MemoryEntry]
    ) -> Any:
        """Encoded frames against labelled ones of the same clips -> what `decode` reads."""

    @abstractmethod
    def decode(self, matched: Any) -> Tensor:
        """-> logits (B, N+1, h, w) in single precision or better, NOWHERE for objects that are not there."""


class BatchedCamn(Batched):
    """See `Camn`, whose methods of these names do the same for one clip. tile: see `nearest_of_all`."""

    def __init__(self, network: Camn, slots: Slots, tile: int = TILE):
        super().__init__(slots)
        self.network, self.tile = network, tile
        self.own = network.config.ensembler.background_channel
        # What passes the ensembler: the objects, and the background where that has a channel of its own.
        device = slots.present.device
        self.passing = Slots.of([n + 1 for n in slots.counts], device) if self.own else slots

    def label(self, embedding: Embedding, probabilities: Tensor) -> Labelled[Embedding]:
        sizes = zip(self.network.config.scales, embedding.maps, strict=True)
        return Labelled(embedding, tuple(self.network.shrunk(probabilities, s.stride, m.shape[-2:]) for s, m in sizes))

    def remember(self, frames: Labelled[Embedding]) -> MemoryEntry | None:
        memory, slots = self.network.memory, self.slots
        if memory is None:
            return None
        assert isinstance(memory, SpaceTimeMemory)
        return memory.remember(slots.spread(frames.embedding.maps[-1]), slots.pack(frames.masks[-1][:, 1:]))

    def match(
        self,
        query: Embedding,
        references: Sequence[Labelled[Embedding]],
        previous: Labelled[Embedding],
        entries: Sequence[MemoryEntry],
    ) -> Matched:
        first, slots = 0 if self.own else 1, self.passing
        scales = range(len(self.network.config.scales))
        maps = tuple(slots.pack(self._scale_maps(i, query, references, previous)[:, first:]) for i in scales)
        masks = tuple(slots.pack(m[:, first:]) for m in previous.masks)
        current, last = (tuple(slots.spread(m) for m in e.maps) for e in (query, previous.embedding))
        readout = self._recalled(query, entries) if entries else None
        vector = instance_vector([_sums(r) for r in references], _sums(previous))[:, first:]
        return Matched(maps, masks, current, last, readout, slots.pack(vector), query.low)

    def _scale_maps(
        self, index: int, query: Embedding, references: Sequence[Labelled[Embedding]], previous: Labelled[Embedding]
    ) -> Tensor:
        """Matching maps (B, N+1, k, h, w) at a scale, and the previous masks among them."""
        network = self.network
        scale, half = network.config.scales[index], network.config.matching.half_size_windows
        bias = torch.cat([network.background_bias[index, None], network.foreground_bias[index, None]])
        far = self._far(index, query.keys[index], references, bias)
        mask, key, last = previous.masks[index], query.keys[index], previous.embedding.keys[index]
        size, smaller = mask.shape[-2:], mask
        if half:
            at = [s // 2 + 1 for s in size]
            key, last = (F.interpolate(x, at, mode="bilinear", align_corners=True) for x in (key, last))
            smaller = F.interpolate(mask, at, mode="nearest")
        near = nearest_in_all_windows(key, last, owned(smaller), scale.radii, scale.local_stride)
        near = _similarity(near, bias)
        if half:
            flat = F.interpolate(near.flatten(0, 1), size, mode="bilinear", align_corners=True)
            near = flat.unflatten(0, mask.shape[:2])
        near = near.roll(1, 2)  # the largest window first, as published
        others = of_others(near.transpose(0, 1)).transpose(0, 1), of_others(far.transpose(0, 1)).transpose(0, 1)
        return torch.cat([far[:, :, None], near, mask[:, :, None], others[0], others[1][:, :, None]], 2)

    def _far(self, index: int, query: Tensor, references: Sequence[Labelled[Embedding]], bias: Tensor) -> Tensor:
        """Maps (B, N+1, h, w) of query keys (B, C, h, w) against the pixels of all references together."""
        scale = self.network.config.scales[index]
        keys, own = [], []
        for frame in references:
            key, owner = frame.embedding.keys[index], owned(frame.masks[index])
            if scale.keep_all_below:
                owner = thinned(owner.flatten(0, 1), scale.global_stride, scale.keep_all_below).view_as(owner)
            else:
                key, owner = (x[..., :: scale.global_stride, :: scale.global_stride] for x in (key, owner))
            keys.append(key.flatten(2).transpose(1, 2))
            own.append(owner.flatten(2))
        found = nearest_of_all(query.flatten(2).transpose(1, 2), torch.cat(keys, 1), torch.cat(own, 2), self.tile)
        return _similarity(found, bias).unflatten(2, query.shape[-2:])

    def _recalled(self, query: Embedding, entries: Sequence[MemoryEntry]) -> Tensor:
        memory, slots = self.network.memory, self.slots
        assert isinstance(memory, SpaceTimeMemory)
        readout = read(slots.spread(memory.query(query.maps[-1])), entries).flatten(1, 2)
        if not self.own:
            return readout
        # The background's foreground is what no object takes: it reads as their mean, parts swapped.
        padded = slots.pad(readout, 0)
        mean = padded.sum(1, keepdim=True) / slots.present.sum(1).view(-1, 1, 1, 1, 1)
        return self.passing.pack(torch.cat([torch.cat(mean.chunk(2, 2)[::-1], 2), padded], 1))

    def decode(self, matched: Matched) -> Tensor:
        network, slots = self.network, self.passing
        inputs = ensembler_inputs(matched, network.pre_head)
        foreground, background = network.ensembler(inputs, matched.vector, matched.low, slots.clip)
        foreground, background = (single(x) for x in (foreground, background))
        foreground, background = slots.pad(foreground, NOWHERE), slots.pad(background, torch.inf)
        if not self.own:
            return torch.cat([background.amin(1, keepdim=True), foreground], 1)
        augmented = foreground[:, :1] + background[:, 1:].amin(1, keepdim=True)
        return torch.cat([augmented, foreground[:, 1:]], 1)


class BatchedStm(Batched):
    """See `Stm`, whose methods of these names do the same for one clip."""

    def __init__(self, network: Stm, slots: Slots):
        super().__init__(slots)
        self.network = network

    def label(self, embedding: StmEmbedding, probabilities: Tensor) -> Labelled[StmEmbedding]:
        around = self.network.around(*embedding.size)
        background, objects = F.pad(probabilities[:, :1], around, value=1), F.pad(probabilities[:, 1:], around)
        return Labelled(embedding, (torch.cat([background, objects], 1),))

    def remember(self, frames: Labelled[StmEmbedding]) -> MemoryEntry:
        slots, masks = self.slots, frames.masks[0][:, 1:]
        others = (masks.sum(1, keepdim=True) - masks).clamp(0, 1)
        own, theirs = slots.pack(masks)[:, None], slots.pack(others)[:, None]
        keys, values = self.network.memory(frames.embedding.image, own, theirs, slots.clip)
        return MemoryEntry(positions(keys, 1), positions(values, 1))

    def match(
        self,
        query: StmEmbedding,
        references: Sequence[Labelled],
        previous: Labelled,
        entries: Sequence[MemoryEntry],
    ) -> Recalled:
        """references, previous: not looked at."""
        recalled = read(self.slots.spread(query.key), entries)[:, 0]
        values = torch.cat([recalled, self.slots.spread(query.value)], 1)
        return Recalled(values, query.middle, query.fine, query.size)

    def decode(self, matched: Recalled) -> Tensor:
        slots, decoder = self.slots, self.network.decoder
        middle, fine = decoder.middle.added(matched.middle), decoder.fine.added(matched.fine)
        alone = single(decoder(matched.values, slots.spread(middle), slots.spread(fine)))
        if self.network.config.aligned:
            return aggregated(slots.pad(alone, NOWHERE).transpose(0, 1)).transpose(0, 1)
        height, width = matched.size
        left, _, top, _ = padding(height, width)
        alone = slots.pad(alone[:, top : top + height, left : left + width], 0).transpose(0, 1)
        return soft_aggregate(alone).log().transpose(0, 1)


def batched(network: Network, slots: Slots, tile: int = TILE) -> Batched:
    """The network over clips with these objects. tile: see `nearest_of_all`.

    Raises TypeError for a kind of network that has no such form."""
    if isinstance(network, Camn):
        return BatchedCamn(network, slots, tile)
    if isinstance(network, Stm):
        return BatchedStm(network, slots)
    raise TypeError(f"{type(network).__name__} has no form that runs several clips at once; see camn.model.batched")


def owned(masks: Tensor) -> Tensor:
    """(B, N, h, w) -> bool; see `matching.owners`."""
    return owners(masks.flatten(0, 1)).view_as(masks)


def _similarity(distance: Tensor, bias: Tensor) -> Tensor:
    """`similarity_map` of (B, N+1, ...), bias (2,): of the background, and of each object."""
    each = torch.cat([bias[:1], bias[1:].expand(distance.shape[1] - 1)]).repeat(len(distance))
    return similarity_map(distance.flatten(0, 1), each).view_as(distance)


def _sums(frame: Labelled[Embedding]) -> Sums:
    """At the finest scale; nothing of clips that do not have the frame."""
    sums = Sums.of(frame.embedding.maps[0], frame.masks[0])
    if frame.known is None:
        return sums
    known = frame.known[:, None, None]
    return Sums(sums.inside, sums.outside * known, sums.area, sums.others * known)
