"""What the network keeps of a frame, and what it finds by matching one against others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from camn.config import Scale
from camn.model.attention import Sums
from camn.model.interface import Labelled
from camn.model.matching import Pool, owners, pool_of


@dataclass(frozen=True)
class Embedding:
    """What the network knows of a frame without any mask; B frames at once, or one.

    maps, keys: embeddings (B, C, h, w) and their matched parts, for each scale, finest first. low: the backbone's maps
    that decoding this frame takes, of stride 4 and, for a network with `edges`, of stride 2.
    """

    maps: tuple[Tensor, ...]
    keys: tuple[Tensor, ...]
    low: tuple[Tensor, ...]

    def __getitem__(self, index: int) -> Embedding:
        """One frame of several, its batch dimension kept. Raises IndexError outside 0..B-1."""
        if not 0 <= index < len(self.maps[0]):
            raise IndexError(f"frame {index} of {len(self.maps[0])}")
        return self._each(lambda m: m[index : index + 1])

    def rows(self, index: Tensor) -> Embedding:
        """Some of several frames, index (K,) long on their device."""
        return self._each(lambda m: m.index_select(0, index))

    def part(self, height: int, top: int, left: int, bottom: int, right: int) -> Embedding:
        """What lies between these pixels, multiples of 16 and the last two within, of frames that are `height` pixels
        high, 16 k + 1."""

        def cut(m: Tensor) -> Tensor:
            stride = (height - 1) // (m.shape[-2] - 1)
            return m[..., top // stride : bottom // stride + 1, left // stride : right // stride + 1]

        return self._each(cut)

    def unbind(self, clips: int) -> list[Embedding]:
        """F x B frames, F after F -> F times B frames. clips: B."""
        groups = (
            zip(*(m.unflatten(0, (-1, clips)).unbind(0) for m in group)) for group in (self.maps, self.keys, self.low)
        )
        return [Embedding(*frame) for frame in zip(*groups, strict=True)]

    def beside(self, *others: Embedding) -> Embedding:
        """The frames of all of them, in their order."""
        groups = zip(*((e.maps, e.keys, e.low) for e in (self, *others)), strict=True)
        return Embedding(*(tuple(map(torch.cat, zip(*group, strict=True))) for group in groups))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Embedding:
        return Embedding(*(tuple(map(change, group)) for group in (self.maps, self.keys, self.low)))

    def float(self) -> Embedding:
        """In single precision, in which frames are matched whatever they were encoded in."""
        return self._each(Tensor.float)


@dataclass(frozen=True)
class LabelledFrame(Labelled[Embedding]):
    """A frame with its masks, and what matching against it needs, made when first asked for and kept."""

    scales: tuple[Scale, ...]

    @cached_property
    def pools(self) -> tuple[Pool, ...]:
        """For each scale the pixels of each object and of the background, for `global_maps`."""
        found = zip(self.embedding.keys, self.masks, self.scales, strict=True)
        return tuple(pool_of(k[0], owners(m), s.global_stride, s.keep_all_below) for k, m, s in found)

    @cached_property
    def sums(self) -> Sums:
        """At the finest scale, of the background and each object."""
        return Sums.of(self.embedding.maps[0][0], self.masks[0])


@dataclass(frozen=True)
class Matched:
    """One frame matched: what the ensembler reads of its M objects (and the background where that has a channel).

    For each scale, finest first: maps (M, k, h, w) of matching, masks (M, h, w) of the frame before, and embeddings
    (1, C, h, w) of this frame and of the one before, which all objects share. readout (M, 2 Cv, h, w): the space-time
    memory's, of the last scale; None without one. vector (M, V): instance vector. low (1, C, h, w): see
    `Embedding`.
    """

    maps: tuple[Tensor, ...]
    masks: tuple[Tensor, ...]
    current: tuple[Tensor, ...]
    previous: tuple[Tensor, ...]
    readout: Tensor | None
    vector: Tensor
    low: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.vector)

    def tensors(self, objects: slice) -> list[Tensor]:
        """Some objects' tensors and the shared ones in the order of the fields: what a decoder takes."""
        own = [m[objects] for m in (*self.maps, *self.masks)]
        readout = [] if self.readout is None else [self.readout[objects]]
        return [*own, *self.current, *self.previous, *readout, self.vector[objects], *self.low]

    @classmethod
    def of(cls, tensors: Sequence[Tensor], scales: int, memory: bool) -> Matched:
        """The inverse of `tensors` for a network of so many scales, with or without a memory."""
        maps, masks, current, previous = (tuple(tensors[i * scales : (i + 1) * scales]) for i in range(4))
        readout, vector, *low = tensors[4 * scales :] if memory else (None, *tensors[4 * scales :])
        assert vector is not None
        return cls(maps, masks, current, previous, readout, vector, tuple(low))


def ensembler_inputs(frame: Matched, pre_head: nn.ModuleList | None) -> list[Tensor]:
    """Everything of a scale side by side, (M, C, h, w) for each: maps, current embedding, previous embedding of the
    object and of everything else, readout. With a pre-head the maps pass it, and then come behind the embeddings."""
    inputs = []
    for i, (maps, mask, current, last) in enumerate(
        zip(frame.maps, frame.masks, frame.current, frame.previous, strict=True)
    ):
        mask = mask[:, None]
        embeddings = [current.expand(len(mask), -1, -1, -1), last * mask, last * (1 - mask)]
        inputs.append([maps, *embeddings] if pre_head is None else [*embeddings, pre_head[i](maps)])
    if frame.readout is not None:
        inputs[-1].append(frame.readout)
    return [torch.cat(parts, 1) for parts in inputs]
