"""The space-time memory for inference: what many objects remember alike is kept once and compared once.

Where an object is nowhere near, its foreground part is empty, with the key and value of nothing, and its background
part is the whole embedding; well within the object it is the other way round. Only along its edge has an object keys of
its own. So positions of the whole embedding are compared with the query once for all objects, and nothing is one key
that counts many times. A softmax over all of these is put together from softmaxes over disjoint sets of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.lean.known import known
from camn.model.memory import Memory, SpaceTimeMemory, wanted_objects

NEGLIGIBLE = 1e-3  # a mask that is nowhere larger within the kernel is empty: keys change by less than a thousandth
AWAY, WITHIN, EDGE = 0, 1, 2
ROWS, COLUMNS = 2048, 512  # queries and keys that are compared at once: 4 MiB, read again while in the cache
OBJECTS_A_WORD = 20  # two bits each, beside a number of a position, in 64


@dataclass(frozen=True)
class Own:
    """One object's edge: keys (2, E, Ck + 1), values (2, E, Cv + 1) of its foreground and its background part."""

    keys: Tensor
    values: Tensor


@dataclass(frozen=True)
class SharedEntry:
    """One remembered frame of hw positions. Keys end in 0, see `_compare`, and values in 1, which adds up weights.

    keys (hw, Ck + 1), values (hw, Cv + 1): of the whole embedding. place (N, hw) int64: whether a position is AWAY
    from an object, WITHIN it, or at its EDGE. own: N objects' edges; None for an object that was not known on this
    frame, which is at its EDGE everywhere, and so reads nothing.
    """

    keys: Tensor
    values: Tensor
    place: Tensor
    own: tuple[Own | None, ...]

    def select(self, index: Tensor | Sequence[int | None]) -> SharedEntry:
        """See `Entry.select`."""
        wanted = wanted_objects(index, len(self.own))
        place = torch.cat([self.place, self.place.new_full((1, self.place.shape[1]), EDGE)])[wanted]
        return SharedEntry(self.keys, self.values, place, tuple((*self.own, None)[i] for i in wanted))


class SharedMemory(Memory):
    """A `SpaceTimeMemory` that multiplies with masks: the same answers, without gradients."""

    def __init__(self, memory: SpaceTimeMemory):
        super().__init__()
        if memory.prior is not None:
            raise ValueError("a memory with a spatial prior has no empty parts to share")
        self.memory = memory

    def remember(self, embedding: Tensor, masks: Tensor) -> SharedEntry:
        """embedding (1, C, h, w), masks (N, h, w) soft foreground of each object in 0..1 -> entry of N objects."""
        key, value = self.memory.key, self.memory.value
        weight, nothing = torch.cat([key.weight, value.weight]).flatten(1).T, self._nothing(key, value)
        kernel, around = key.kernel_size, key.padding
        assert isinstance(around, tuple)
        seen = F.unfold(embedding, kernel, padding=around)[0].T  # (hw, C * k * k)
        shares = F.unfold(masks[:, None], kernel, padding=around).transpose(1, 2)  # (N, hw, k * k)
        whole = seen @ weight + nothing
        place = _places(masks, kernel, around)
        objects, at = (place == EDGE).nonzero(as_tuple=True)
        parts = seen[at].unflatten(1, (embedding.shape[1], -1)) * shares[objects, at][:, None]
        front = parts.flatten(1) @ weight + nothing
        # Convolutions are linear: the part that is left has what the whole has, less this one's.
        both = torch.stack([front, whole[at] - front + nothing])
        counts = torch.bincount(objects, minlength=len(masks)).tolist()
        edges = zip(*(x.split(counts, 1) for x in self._split(both)), strict=True)
        return SharedEntry(*self._split(whole), place, tuple(Own(k.contiguous(), v.contiguous()) for k, v in edges))

    def recall(self, query_embedding: Tensor, entries: Sequence[SharedEntry]) -> Tensor:
        """See `SpaceTimeMemory.recall`."""
        if not entries:
            raise ValueError("the memory is empty: remember a frame before recalling")
        size, count = query_embedding.shape[-2:], len(entries[0].own)
        queries = self.memory.query(query_embedding)[0].flatten(1).T
        known = [n for n in range(count) if any(entry.own[n] is not None for entry in entries)]
        readout = queries.new_zeros(count, 2 * len(self.memory.value.weight), *size)
        if known:
            queries = F.pad(queries / math.sqrt(queries.shape[1]), (0, 1), value=1)
            groups, own = _groups(entries, known), [self._own(entries, n) for n in known]
            parts = torch.cat([_read(part, groups, own) for part in queries.split(ROWS)], 2)
            readout[known] = parts.unflatten(0, (len(known), 2)).flatten(1, 2).unflatten(2, size)
        return readout

    def _own(self, entries: Sequence[SharedEntry], n: int) -> Own:
        """What object n alone reads: its edges, and nothing, as often as its parts are empty."""
        edges = [own for entry in entries if (own := entry.own[n]) is not None]
        place = torch.cat([entry.place[n] for entry in entries])
        empty = torch.stack([(place == AWAY).sum(), (place == WITHIN).sum()])
        key, value = self._split(self._nothing(self.memory.key, self.memory.value).expand(2, 1, -1))
        key = key.clone()
        key[:, 0, -1] = empty.log().clamp(min=-1e30)  # a key that is there c times has log c more of a logit
        return Own(torch.cat([*(e.keys for e in edges), key], 1), torch.cat([*(e.values for e in edges), value], 1))

    @staticmethod
    def _nothing(key: nn.Conv2d, value: nn.Conv2d) -> Tensor:
        """(Ck + Cv,): the key and value of an empty part."""
        biases = [
            layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias for layer in (key, value)
        ]
        return torch.cat(biases)

    def _split(self, both: Tensor) -> tuple[Tensor, Tensor]:
        """(..., Ck + Cv) -> keys that end in 0 and values that end in 1."""
        width = len(self.memory.key.weight)
        return F.pad(both[..., :width], (0, 1)), F.pad(both[..., width:], (0, 1), value=1)


def lean_memory(memory: Memory | None) -> Memory | None:
    """The memory for inference; one with a spatial prior stays as it is. Raises TypeError for a kind not known."""
    if memory is None:
        return None
    memory = known(memory, SpaceTimeMemory, "query", "key", "value", "prior")
    return memory if memory.prior is not None else SharedMemory(memory)


@dataclass(frozen=True)
class Group:
    """Shared positions of all entries that the same parts read. keys (Ck + 1, K), values (K, Cv + 1), readers (2 N,)
    bool: foreground and background of each object in turn."""

    keys: Tensor
    values: Tensor
    readers: Tensor


def _places(masks: Tensor, kernel: tuple[int, ...], around: tuple[int, ...]) -> Tensor:
    """masks (N, h, w) -> (N, hw): AWAY, WITHIN or EDGE, by what of the mask lies within the kernel."""
    most, rest = (F.max_pool2d(m[:, None], kernel, 1, around).flatten(1) for m in (masks, 1 - masks))
    return torch.where(most <= NEGLIGIBLE, AWAY, torch.where(rest <= NEGLIGIBLE, WITHIN, EDGE))


def _groups(entries: Sequence[SharedEntry], known: Sequence[int]) -> list[Group]:
    """Positions by who of the objects `known` reads them, at most COLUMNS in a group; what nobody reads is left out."""
    place = torch.cat([entry.place[known] for entry in entries], 1)
    keys, values = torch.cat([entry.keys for entry in entries]), torch.cat([entry.values for entry in entries])
    alike = torch.zeros_like(place[0])
    for some in place.split(OBJECTS_A_WORD):
        for row in some:
            alike = 4 * alike + row
        alike = torch.unique(alike, return_inverse=True)[1]
    order, counts = alike.argsort(), torch.bincount(alike).tolist()
    groups = []
    for positions in order.split(counts):
        at = place[:, positions[0]]
        readers = torch.stack([at == WITHIN, at == AWAY], 1).flatten()
        if readers.any():
            groups += [Group(keys[some].T.contiguous(), values[some], readers) for some in positions.split(COLUMNS)]
    return groups


def _read(queries: Tensor, groups: Sequence[Group], own: Sequence[Own]) -> Tensor:
    """queries (Q, Ck + 1) -> (2 N, Cv, Q): for each part the values weighed by the softmax over all keys it reads."""
    width = own[0].values.shape[-1]
    highest, totals = queries.new_empty(len(queries), len(groups)), queries.new_empty(len(queries), len(groups), width)
    for i, group in enumerate(groups):
        highest[:, i], totals[:, i] = _compare(queries, group.keys, group.values)
    alone = [_compare(queries, o.keys.transpose(1, 2), o.values) for o in own]
    own_highest, own_totals = (torch.cat(parts).transpose(0, 1) for parts in zip(*alone, strict=True))  # (Q, 2 N, ...)
    # Each set was weighed relative to its own highest logit; now all are, relative to the highest that a part reads.
    if groups:
        readers = torch.stack([group.readers for group in groups], 1)
        read = highest[:, None].masked_fill(~readers, -math.inf)
        top = torch.maximum(own_highest, read.amax(2))
        total = torch.bmm((read - top[..., None]).exp(), totals) + (own_highest - top).exp()[..., None] * own_totals
    else:
        total = own_totals
    return (total[..., :-1] / total[..., -1:]).permute(1, 2, 0)


def _compare(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """queries (Q, Ck + 1), keys (..., Ck + 1, K), values (..., K, Cv + 1) -> the highest logit (..., Q), and the sum of
    values by exp(logit - highest), (..., Q, Cv + 1). A query ends in 1: what a key ends in is added to its logit."""
    logits = queries @ keys
    highest = logits.amax(-1, keepdim=True)
    return highest[..., 0], logits.sub_(highest).exp_() @ values
