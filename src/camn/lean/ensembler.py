"""The collaborative ensembler for one object, of lean `blocks`; a convolution of maps side by side is the sum of
convolutions of each, so the maps are never joined."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.config import DecoderStep
from camn.lean.blocks import HIGH, LeanBlock, gate_factor, gate_of, linear_of, plain, transform_factor, transform_of
from camn.lean.joined import Joined, Parted, energy, graphed, joined
from camn.lean.known import known, unknown
from camn.lean.upsampled import convolve_doubled, convolve_enlarged
from camn.model.ensembler import (
    CollaborativeEnsembler,
    DecoderUp,
    Edges,
    GatedStage,
)
from camn.model.frames import Matched
from camn.model.layers import single

ENLARGED = 3  # from this factor on, maps are convolved before they are enlarged
NARROW = 32  # channels up to which that pays for twice the size, too: convolutions to so few are slow


UP = ("transform", "skip", "skip_norm", "gates", "convolutions", "norms")


class LeanUp(nn.Module):
    """A `DecoderUp`. shared: its skip connection comes ready, see `shared_skip`."""

    def __init__(self, up: DecoderUp, stride: int, shared: bool):
        super().__init__()
        up = known(up, DecoderUp, *UP)
        self.stride, self.mode = stride, up.mode
        self.gates, self.norms = nn.ModuleList(map(gate_of, up.gates)), up.norms
        first, *others = up.convolutions
        self.first, self.others = plain(first), nn.ModuleList(others)
        if not shared:
            self.transform, self.skip, self.skip_norm = transform_of(up.transform), plain(up.skip), up.skip_norm

    def forward(self, x: Tensor, skips: Sequence[Tensor], vector: Tensor) -> Tensor:
        """x (1, C, h, w), skips (1, C_i, H, W) -> (1, C_out, H, W)."""
        factors = [gate_factor(gate, vector)[..., None, None] for gate in self.gates]
        x = F.relu_(self.norms[0](self._first(x, self._skip(skips), factors[0])))
        for factor, convolution, norm in zip(factors[1:], self.others, list(self.norms)[1:], strict=True):
            x = F.relu_(norm(convolution(x * factor)))
        return x

    def _skip(self, skips: Sequence[Tensor]) -> Tensor:
        if not hasattr(self, "skip"):
            return skips[0]
        x = joined(*skips)
        return F.relu_(self.skip_norm(x.convolve(self.skip.weight, transform_factor(self.transform, x.energy))))

    def _first(self, x: Tensor, skip: Tensor, factor: Tensor) -> Tensor:
        wide, size, weight = x.shape[1], skip.shape[-2:], self.first.weight
        doubled = size == (2 * x.shape[-2] - 1, 2 * x.shape[-1] - 1) and self.mode == "bilinear"
        if doubled and len(weight) <= NARROW:
            large = convolve_doubled(x * factor[:, :wide], weight[:, :wide])
        elif size[0] >= ENLARGED * x.shape[-2]:
            large = convolve_enlarged(x * factor[:, :wide], weight[:, :wide], size, self.mode)
        else:
            large = F.interpolate(x, size, mode=self.mode, align_corners=True)
            both = torch.cat([large, skip], 1)
            if graphed():  # weights that stay the same are worth more to other backends than a pass saved
                return self.first(both * factor)
            return F.conv2d(both, weight * factor, padding=1)
        return large.add_(F.conv2d(skip * factor[:, wide:], weight[:, wide:], padding=1))


def shared_skip(ensembler: CollaborativeEnsembler) -> DecoderUp | None:
    """The decoder's step whose skip connection is the stride-4 map alone, if there is one: what it makes of that is the
    same for all objects, so the encoder makes it."""
    strides = [s.stride for s in ensembler.config.stages]
    shared = [up for up, step in decoder_steps(ensembler) if step.stride not in strides]
    return shared[0] if shared else None


def decoder_steps(ensembler: CollaborativeEnsembler) -> list[tuple[DecoderUp, DecoderStep]]:
    """The decoder's steps with their configurations."""
    ups = [known(up, DecoderUp, *UP) for up in ensembler.decoder]
    return list(zip(ups, ensembler.config.decoder, strict=True))


def classified(x: Tensor, classifiers: Sequence[nn.Linear], vector: Tensor) -> Tensor:
    """What two dynamic classifiers answer for one object, (1, 2, h, w)."""
    both = torch.cat([linear(vector) for linear in classifiers])
    return F.conv2d(x, both[:, :-1, None, None], both[:, -1])


class LeanEdges(nn.Module):
    """An `Edges` for one object, whose layer over the stride-2 map the encoder has passed."""

    def __init__(self, edges: Edges):
        super().__init__()
        edges = known(edges, Edges, "coarse", "fine", "mixed", "foreground", "background")
        self.coarse, self.mixed = edges.coarse, edges.mixed
        self.foreground, self.background = linear_of(edges.foreground), linear_of(edges.background)

    def forward(self, x: Tensor, logits: Tensor, fine: Tensor, vector: Tensor) -> Tensor:
        """x (1, C, h, w), logits (1, 2, h, w), fine (1, width, H, W) -> logits (1, 2, H, W)."""
        both = torch.cat([self.coarse(x), logits], 1)
        large = F.interpolate(both, fine.shape[-2:], mode="bilinear", align_corners=True)
        mixed = F.relu_(self.mixed(F.relu_(large[:, :-2] + fine)))
        return large[:, -2:] + classified(mixed, (self.foreground, self.background), vector)


class LeanEnsembler(nn.Module):
    """A `CollaborativeEnsembler` for one object, with the pre-head where there is one."""

    def __init__(self, ensembler: CollaborativeEnsembler, pre_head: nn.ModuleList | None, memory: bool):
        super().__init__()
        last = ("high_gate", "high", "decoder", "foreground", "background", "edges")
        ensembler = known(ensembler, CollaborativeEnsembler, "stages", *last)
        self.config, self.scales, self.memory = ensembler.config, ensembler.scales, memory
        self.pre_head = pre_head
        stages = [known(stage, GatedStage, "blocks").blocks for stage in ensembler.stages]
        self.stages = nn.ModuleList(nn.ModuleList(LeanBlock(b) for b in blocks) for blocks in stages)
        if type(ensembler.high) not in HIGH:
            raise unknown(ensembler.high, f"{', '.join(kind.__name__ for kind in HIGH)} are known in its place")
        self.high = HIGH[type(ensembler.high)](ensembler.high_gate, ensembler.high)
        shared = shared_skip(ensembler)
        self.decoder = nn.ModuleList(LeanUp(up, step.stride, up is shared) for up, step in decoder_steps(ensembler))
        self.foreground, self.background = linear_of(ensembler.foreground), linear_of(ensembler.background)
        self.edges = ensembler.edges and LeanEdges(ensembler.edges)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        """`Matched.tensors` of one object, and `energies` of each scale -> foreground and background logits, (1, h, w).

        low is what the encoder made of the maps of strides 4, see `shared_skip`, and 2."""
        count = len(self.scales)
        frame = Matched.of(tensors[:-count], count, self.memory)
        inputs = dict(zip(self.scales, self._inputs(frame, tensors[-count:]), strict=True))
        x, kept, vector = Joined((), frame.vector[:, :0]), {}, frame.vector
        for n, (stage, config) in enumerate(zip(self.stages, self.config.stages, strict=True)):
            for i, block in enumerate(stage):  # pyright: ignore[reportArgumentType]
                if i == min(n, 1) and config.stride in inputs:
                    x = x.beside(inputs[config.stride])
                x = joined(block(x, vector))
            kept[config.stride] = x.maps[0]
        x = self.high(x.maps[0], vector)
        for up in self.decoder:
            own = kept.get(up.stride)
            skips = [frame.low[0]] if own is None else [frame.low[0], own] if up.stride == 4 else [own]
            x = up(x, skips, vector)
        logits = classified(x, (self.foreground, self.background), vector)
        if self.edges is not None:
            logits = self.edges(x, logits, frame.low[1], vector)
        foreground, background = logits.unbind(1)
        return foreground, background

    def _inputs(self, frame: Matched, energies: Sequence[Tensor]) -> list[Joined]:
        """As `ensembler_inputs`, but side by side."""
        inputs = []
        for i, (maps, sums) in enumerate(zip(frame.maps, energies, strict=True)):
            maps = maps.contiguous(memory_format=torch.channels_last)
            maps = joined(maps if self.pre_head is None else self.pre_head[i](maps))
            parted = Parted(frame.previous[i], frame.masks[i][:, None])
            embeddings = Joined((frame.current[i], parted), sums)
            inputs.append(maps.beside(embeddings) if self.pre_head is None else embeddings.beside(maps))
        if frame.readout is not None:
            readout = frame.readout.contiguous(memory_format=torch.channels_last)
            inputs[-1] = inputs[-1].beside(joined(readout))
        return inputs


def energies(frame: Matched) -> list[Tensor]:
    """For each scale (M, 3 C): sums of squares of the channels of the current embedding, of the previous one times the
    mask, and times what the mask leaves. One product for all objects in the place of a pass over the maps for each; in
    `single` precision, which autocast would take a product out of."""
    made = []
    for current, previous, mask in zip(frame.current, frame.previous, frame.masks, strict=True):
        mask, previous = single(mask).flatten(1), single(previous)
        squares = previous.pow(2).permute(0, 2, 3, 1).reshape(-1, previous.shape[1])
        with torch.autocast(mask.device.type, enabled=False):
            inside, outside = (torch.cat([mask, 1 - mask]).square() @ squares).chunk(2)
        made.append(torch.cat([energy(current).expand(len(mask), -1), inside, outside], 1))
    return made
