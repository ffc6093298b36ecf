"""CAMN for inference on a device that runs ahead of the host: all objects at once, and no value read from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from camn.lean.folding import folded
from camn.lean.in_parts import InParts
from camn.lean.known import known_camn
from camn.model.batched import BatchedCamn, Labelled
from camn.model.frames import Embedding, LabelledFrame, Matched
from camn.model.network import Camn
from camn.model.slots import Slots

TILE = 1 << 26  # distances that are held at once: 256 MiB in single precision


class CamnAtOnce(InParts, Camn):
    """A trained network, its answers the same; the calls of a frame hardly grow with its objects.

    part: `encode`, images (1, 3, H, W) -> embeddings of each scale, keys of each scale, `low`.
    """

    def __init__(self, network: Camn):
        nn.Module.__init__(self)  # not Camn's, which makes new parts
        network = known_camn(network)
        self.config = network.config
        self.foreground_bias, self.background_bias = network.foreground_bias, network.background_bias
        self.memory, self.ensembler, self.pre_head = network.memory, network.ensembler, network.pre_head
        # As they are: convolutions are quickened for a CPU only.
        self.pure, self.elsewhere = nn.ModuleDict({"encode": Encoder(network)}), {}
        self._slots: dict[int, Slots] = {}

    def encode(self, images: Tensor) -> Embedding:
        """As `Camn.encode`."""
        made, scales = self.run("encode", images), len(self.config.scales)
        return Embedding(tuple(made[:scales]), tuple(made[scales : 2 * scales]), tuple(made[2 * scales :]))

    def match(
        self,
        query: Embedding,
        references: Sequence[LabelledFrame],
        previous: LabelledFrame,
        entries: Sequence[Any] = (),
    ) -> Matched:
        """As `Camn.match`."""
        clips = [Labelled(f.embedding, tuple(m[None] for m in f.masks)) for f in (*references, previous)]
        return self._batched(len(previous.masks[0]) - 1).match(query, clips[:-1], clips[-1], entries)

    def decode(self, frames: Sequence[Matched]) -> list[Tensor]:
        """As `Camn.decode`, a frame at a time."""
        background = self.config.ensembler.background_channel
        return [self._batched(len(frame) - background).decode(frame)[0] for frame in frames]

    def _batched(self, objects: int) -> BatchedCamn:
        """The network over one clip of so many objects, whose places are brought to the device once."""
        device = self.foreground_bias.device
        slots = self._slots.get(objects)
        if slots is None or slots.clip.device != device:
            slots = self._slots[objects] = Slots.of((objects,), device)
        return BatchedCamn(self, slots, TILE)


class Encoder(nn.Module):
    """`Camn.encode` as a part, its norms folded."""

    def __init__(self, network: Camn):
        super().__init__()
        self.network = folded(network)
        for other in ("memory", "ensembler", "pre_head"):
            setattr(self.network, other, None)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        made = self.network.encode(images)
        return (*made.maps, *made.keys, *made.low)
