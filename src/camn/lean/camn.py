"""CAMN for inference: the same answers as `Camn`, from fewer operations and in less memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.lean.ensembler import LeanEnsembler, energies, shared_skip
from camn.lean.folding import folded
from camn.lean.in_parts import InParts
from camn.lean.known import known, known_camn
from camn.lean.memory import lean_memory
from camn.lean.upsampled import convolve_enlarged
from camn.model.deeplab import ConvBatchNorm, DeepLab
from camn.model.ensembler import join_background
from camn.model.frames import Embedding, Matched
from camn.model.network import Camn


class LeanCamn(InParts, Camn):
    """A trained network made lean. It gives no gradients, and its weights are not those of the network's file.

    parts: `encode`, images (1, 3, H, W) -> see `LeanEncoder`; `decode`, `Matched.tensors` of one object and its
    `energies` of each scale -> its foreground and its background logits, (1, h, w) each.
    """

    def __init__(self, network: Camn):
        nn.Module.__init__(self)  # not Camn's, which makes new parts
        network = known_camn(network)
        self.config = network.config
        self.foreground_bias, self.background_bias = network.foreground_bias, network.background_bias
        self.memory = lean_memory(network.memory)
        ensembler = LeanEnsembler(network.ensembler, network.pre_head, network.memory is not None)
        self.take({"encode": LeanEncoder(network), "decode": ensembler})

    def encode(self, images: Tensor) -> Embedding:
        """As `Camn.encode`."""
        scales = self.config.scales
        made = self.run("encode", images)
        lows = len(scales) + (2 if self.config.ensembler.edges else 1)
        maps, low, keys = tuple(made[: len(scales)]), tuple(made[len(scales) : lows]), tuple(made[lows:])
        if not keys:
            keys = tuple(m[:, : s.match_channels] for m, s in zip(maps, scales, strict=True))
        return Embedding(maps, keys, low)

    def decode(self, frames: Sequence[Matched]) -> list[Tensor]:
        """As `Camn.decode`, one object at a time."""
        return [self._decode(frame) for frame in frames]

    def _decode(self, frame: Matched) -> Tensor:
        known = energies(frame)
        pairs = []
        for one in (slice(i, i + 1) for i in range(len(frame))):
            pairs.append(self.run("decode", *frame.tensors(one), *(e[one] for e in known)))
        foreground, background = (torch.cat(logits) for logits in zip(*pairs, strict=True))
        return join_background(foreground, background, self.config.ensembler.background_channel)


class LeanEncoder(nn.Module):
    """`Camn.encode` of images (B, 3, H, W) RGB in 0..1 -> embeddings of each scale, finest first; the stride-4 map, or
    what the decoder makes of it for all objects; with `edges` what these make of the stride-2 map; and with the cosine
    metric the keys of each scale."""

    def __init__(self, network: Camn):
        super().__init__()
        self.network = folded(network)
        for heavy in ("memory", "ensembler", "pre_head"):
            setattr(self.network, heavy, None)
        up = shared_skip(network.ensembler)
        if self.network.deeplab is not None:
            self.network.add_module("deeplab", LeanDeepLab(self.network.deeplab))
        self.skip = up and nn.Sequential(up.transform, up.skip, up.skip_norm, nn.ReLU())
        self.fine = network.ensembler.edges and network.ensembler.edges.fine

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        made = self.network.encode(images)
        low = [made.low[0] if self.skip is None else self.skip(made.low[0])]
        if self.fine is not None:
            low.append(self.fine(made.low[1]))
        return (*made.maps, *low, *(made.keys if self.network.keys is not None else ()))


class LeanDeepLab(nn.Module):
    """A `DeepLab`, its norms folded, which convolves the enlarged map at its own size."""

    def __init__(self, deeplab: DeepLab):
        super().__init__()
        deeplab = known(deeplab, DeepLab, "pyramid", "skip", "decoder")
        self.pyramid, self.skip = deeplab.pyramid, deeplab.skip
        step, self.second = deeplab.decoder
        # Its norm is folded in, so what is left of that does nothing; a ReLU must follow.
        first = known(known(step, ConvBatchNorm, "0", "1", "2")[0], nn.Conv2d, "weight", "bias")
        assert first.bias is not None
        width = first.out_channels
        self.wide, self.narrow, self.bias = (
            nn.Parameter(t.detach(), requires_grad=False)
            for t in (first.weight[:, :width], first.weight[:, width:], first.bias)
        )

    def forward(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """As `DeepLab.forward`."""
        pooled, skip = self.pyramid(coarse), self.skip(fine)
        x = convolve_enlarged(pooled, self.wide, skip.shape[-2:], "bilinear")
        x += F.conv2d(skip, self.narrow, self.bias, padding=1)
        return self.second(F.relu_(x)), pooled
