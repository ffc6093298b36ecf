"""STM for inference: the same answers as `Stm`, its batch norms folded, in parts that see one object each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.lean.folding import fold, folded
from camn.lean.in_parts import InParts
from camn.lean.known import known, unknown
from camn.model.interface import Labelled
from camn.model.memory import MemoryEntry, positions
from camn.model.stm import Recalled, Stm, StmEmbedding
from camn.model.stm_decoder import Decoder
from camn.model.stm_encoders import LiteMemory, MemoryEncoder, ResNetMemory


class LeanStm(InParts, Stm):
    """A trained STM made lean.

    parts: `encode`, image (1, 3, H, W) padded -> what the decoder adds at strides 4 and 8, key and value at stride 16;
    `remember`, image, an object's mask and that of all others, (1, 1, H, W) both -> key and value; `decode`, values
    (1, 2 * Cv, h, w) and what is added at strides 8 and 4 -> see `Decoder`.
    """

    def __init__(self, network: Stm):
        nn.Module.__init__(self)  # not Stm's, which makes new parts
        network = known(network, Stm, "query", "memory", "decoder")
        self.config = network.config
        parts = {"encode": LeanQuery(network), "remember": LeanMemory(network.memory)}
        self.take({**parts, "decode": LeanStmDecoder(network.decoder)})
        self.add_module("memory", nn.Identity())  # that there is one; its entries are made by a part

    def encode(self, images: Tensor) -> StmEmbedding:
        """As `Stm.encode`, of one image; its fine and middle maps are what the decoder adds."""
        height, width = images.shape[-2:]
        padded = F.pad(images, self.around(height, width))
        return StmEmbedding(padded, (height, width), *self.run("encode", padded))

    def remember_all(self, frames: Sequence[Labelled[Tensor]]) -> list[MemoryEntry]:
        """As `Stm.remember_all`, one object at a time: a map of each block for each would fill the memory."""
        return [self._remembered(frame) for frame in frames]

    def _remembered(self, frame: Labelled[Tensor]) -> MemoryEntry:
        masks = frame.masks[0][1:, None, None]
        whole = masks.sum(0)
        made = [self.run("remember", frame.embedding, mask, (whole - mask).clamp(0, 1)) for mask in masks]
        keys, values = (torch.cat(maps) for maps in zip(*made, strict=True))
        return MemoryEntry(positions(keys, 1), positions(values, 1))

    def alone(self, frames: Sequence[Recalled], counts: Sequence[int]) -> Tensor:
        """As `Stm.alone`, one object at a time."""
        made = [self.run("decode", v[None], frame.middle, frame.fine)[0] for frame in frames for v in frame.values]
        return torch.cat(made)


class LeanQuery(nn.Module):
    """See `encode` of `LeanStm`'s parts."""

    def __init__(self, network: Stm):
        super().__init__()
        self.encoder, self.middle, self.fine = folded(network.query), network.decoder.middle, network.decoder.fine

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        encoder = self.encoder
        fine, middle, coarse = encoder.maps(encoder.stem(image))
        return self.fine.added(fine), self.middle.added(middle), encoder.key(coarse), encoder.value(coarse)


class LeanMemory(nn.Module):
    """See `remember` of `LeanStm`'s parts. Image, mask and others pass one convolution of five channels."""

    def __init__(self, memory: MemoryEncoder):
        super().__init__()
        if type(memory) not in (ResNetMemory, LiteMemory):
            raise unknown(memory, "it may see masks in another way")
        self.encoder = folded(memory)
        first, norm = memory.first()
        weights = torch.cat([first.weight, memory.conv1_object.weight, memory.conv1_others.weight], 1).detach()
        around = first.padding
        assert isinstance(around, tuple)
        stem = nn.Conv2d(5, len(weights), weights.shape[-1], 2, around[0], bias=False, device="meta")
        stem.weight = nn.Parameter(weights, requires_grad=False)
        self.encoder.begin_with(fold(stem, norm))

    def forward(self, image: Tensor, mask: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        encoder = self.encoder
        seen = torch.cat([(image - encoder.mean) / encoder.std, mask, others], 1)
        coarse = encoder.maps(encoder.first()[0](seen))[-1]
        return encoder.heads(coarse, mask, others)


class LeanStmDecoder(nn.Module):
    """See `decode` of `LeanStm`'s parts."""

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, values: Tensor, middle: Tensor, fine: Tensor) -> tuple[Tensor]:
        return (self.decoder(values, middle, fine),)
