"""Foreground-background space-time memory: what each object and its background looked like on past frames."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from camn.errors import ConfigError
from camn.model.layers import attend

Separation = Literal["multiply", "prior"]


class Entry(Protocol):
    """One remembered frame, of some objects; how it looks inside is its memory's own affair."""

    def select(self, index: Tensor | Sequence[int | None]) -> Any:
        """The entry for objects `index[0], index[1], ...` of this one, as in `[2, None, 0]`; objects may repeat.

        None, or -1 in a tensor, is an object that was not known on this frame. IndexError for any other index that
        is not in 0..N-1.
        """


@dataclass(frozen=True)
class MemoryEntry:
    """One remembered frame in P parts: foreground and background in CAMN, one in STM. hw counts positions, row by row.

    keys: (N, P, Ck, hw). values: (N, P, Cv, hw).
    valid: (N,) bool, False for an object that was not known on this frame: its positions here are never read.
        None stands for all True, and spares every reading the mask.
    """

    keys: Tensor
    values: Tensor
    valid: Tensor | None = None

    def select(self, index: Tensor | Sequence[int | None]) -> "MemoryEntry":
        """See `Entry.select`."""
        wanted = wanted_objects(index, self.keys.shape[0])
        valid = self.valid
        if valid is not None or -1 in wanted:
            known = _valid(self)
            valid = torch.cat([known, known.new_zeros(1)])[wanted]
        return MemoryEntry(_take(self.keys, wanted), _take(self.values, wanted), valid)


def wanted_objects(index: Tensor | Sequence[int | None], count: int) -> list[int]:
    """The objects that `select` is asked for, -1 for one that was not known. IndexError for one that is not there."""
    wanted = [-1 if i is None else int(i) for i in (index.tolist() if isinstance(index, Tensor) else index)]
    if any(not -1 <= i < count for i in wanted):
        raise IndexError(f"memory entry of {count} objects cannot select {wanted}; use None for an unknown object")
    return wanted


class Memory(nn.Module, ABC):
    """What makes entries of labelled frames, and reads them."""

    @abstractmethod
    def remember(self, embedding: Tensor, masks: Tensor) -> Any:
        """embedding (1, C, h, w), masks (N, h, w) soft foreground of each object in 0..1 -> entry of N objects."""

    @abstractmethod
    def recall(self, query_embedding: Tensor, entries: Sequence[Any]) -> Tensor:
        """query_embedding (1, C, h, w), its own entries of N objects each -> (N, 2 * Cv, h, w)."""


class SpaceTimeMemory(Memory):
    """Foreground-background space-time memory of CAMN, after STM (Oh et al. 2019), on the shared backbone's embedding.

    Writing parts the embedding in the object's foreground and background, and makes a key and a value of each part.
    Reading compares each pixel's query with every remembered position, apart for foreground and background:
    softmax(q.k / sqrt(Ck)) over all positions of all entries weighs the values.

    separation: "multiply" takes the embedding times the mask m, and times 1 - m; "prior" learns a spatial prior
        sigmoid(conv1x1([embedding, m])) of one channel to multiply with, and the same with 1 - m.
    kernel: size of the query, key and value convolutions, odd.

    Foreground and background share the key and value convolutions: both describe how a part of the image looks, one
    object's background is the next one's foreground, and the reader tells the two by their place in the readout.
    """

    def __init__(
        self,
        channels: int,
        key_channels: int,
        value_channels: int,
        separation: Separation = "multiply",
        kernel: int = 3,
    ):
        super().__init__()
        if separation not in ("multiply", "prior"):
            raise ConfigError(f"memory separation {separation!r} is unknown; use 'multiply' or 'prior'")
        if kernel % 2 == 0:
            raise ConfigError(f"memory kernel {kernel} is even; use an odd size such as 3")
        self.query = nn.Conv2d(channels, key_channels, kernel, padding=kernel // 2)
        self.key = nn.Conv2d(channels, key_channels, kernel, padding=kernel // 2)
        self.value = nn.Conv2d(channels, value_channels, kernel, padding=kernel // 2)
        self.prior = _prior(channels) if separation == "prior" else None

    def remember(self, embedding: Tensor, masks: Tensor) -> MemoryEntry:
        """embedding (1 or N, C, h, w), masks (N, h, w) soft foreground of each object in 0..1 -> entry of N objects."""
        parts = self.separate(embedding, masks).flatten(0, 1)
        return MemoryEntry(positions(self.key(parts), 2), positions(self.value(parts), 2))

    def separate(self, embedding: Tensor, masks: Tensor) -> Tensor:
        """embedding (1 or N, C, h, w), masks (N, h, w) -> (N, 2, C, h, w): its foreground and background parts."""
        shares = torch.stack([masks, 1 - masks], dim=1)
        if self.prior is not None:
            # conv([embedding, m]) = conv(embedding) + weight * m: the first term is the same for every part.
            weight = self.prior.weight
            common = F.conv2d(embedding, weight[:, :-1], self.prior.bias)
            shares = torch.sigmoid(common + weight[0, -1] * shares)
        return embedding[:, None] * shares[:, :, None]

    def recall(self, query_embedding: Tensor, entries: Sequence[MemoryEntry]) -> Tensor:
        """query_embedding (1, C, h, w), entries of N objects each -> (N, 2 * Cv, h, w): foreground, then background.

        Zeros for an object that no entry knows. Entries may differ in their number of positions, not in N.
        ValueError if there is no entry, for then N is unknown.
        """
        return read(self.query(query_embedding), entries).flatten(1, 2)


def read(query: Tensor, entries: Sequence[MemoryEntry]) -> Tensor:
    """query (1, Ck, h, w), entries of N objects in P parts -> (N, P, Cv, h, w): the values, weighed by
    softmax(q.k / sqrt(Ck)) over all positions of all entries that know the object. See `SpaceTimeMemory.recall`.
    """
    if not entries:
        raise ValueError("the memory is empty: remember a frame before recalling")
    h, w = query.shape[-2:]
    keys = torch.cat([entry.keys.transpose(2, 3) for entry in entries], dim=2)
    values = torch.cat([entry.values.transpose(2, 3) for entry in entries], dim=2)
    query = query.flatten(2).transpose(1, 2).contiguous()
    query = query[:, None].expand(*keys.shape[:2], -1, -1)
    known = _known(entries)
    if known is None:
        readout = attend(query, keys, values)
    else:
        # A softmax over nothing is undefined: an object no entry knows reads everything, then its readout is 0.
        ever = known.any(dim=1)[:, None, None, None]
        readout = attend(query, keys, values, known[:, None, None] | ~ever)
        readout = readout.masked_fill(~ever, 0)
    return readout.transpose(2, 3).unflatten(3, (h, w))


def positions(parts: Tensor, count: int) -> Tensor:
    """(N * P, C, h, w) -> (N, P, C, hw) for P = count, laid out position by position: copied here once, not at each
    reading."""
    rows = parts.unflatten(0, (parts.shape[0] // count, count)).flatten(3)
    return rows.transpose(2, 3).contiguous().transpose(2, 3)


def _prior(channels: int) -> nn.Conv2d:
    """The layer of the spatial prior; it starts near the mask itself, as sigmoid(4 m - 2), and learns from there."""
    layer = nn.Conv2d(channels + 1, 1, 1)
    assert layer.bias is not None
    with torch.no_grad():
        layer.weight[:, -1] = 4.0
        layer.bias.fill_(-2.0)
    return layer


def _take(x: Tensor, index: list[int]) -> Tensor:
    """(N, P, C, hw) -> (len(index), P, C, hw), zeros for -1; keeps the layout of `positions`."""
    x = x.transpose(2, 3)
    return torch.cat([x, x.new_zeros(1, *x.shape[1:])])[index].transpose(2, 3)


def _known(entries: Sequence[MemoryEntry]) -> Tensor | None:
    """(N, positions of all entries) bool, True where an object may read; None if it may everywhere."""
    if all(entry.valid is None for entry in entries):
        return None
    return torch.cat([_valid(entry)[:, None].expand(-1, entry.keys.shape[-1]) for entry in entries], dim=1)


def _valid(entry: MemoryEntry) -> Tensor:
    """The entry's (N,) validity, spelt out where it is None."""
    if entry.valid is not None:
        return entry.valid
    return torch.ones(entry.keys.shape[0], dtype=torch.bool, device=entry.keys.device)
