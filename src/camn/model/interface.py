"""What a network must answer to be run over a video or trained: one interface, whatever the network is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from camn.model.memory import Entry

Embedded = TypeVar("Embedded")


@dataclass(frozen=True)
class Labelled(Generic[Embedded]):
    """A frame with its masks: what the network keeps of the frame, and masks (N+1, h, w) in 0..1 for each scale at
    which it wants them, channel 0 the background."""

    embedding: Embedded
    masks: tuple[Tensor, ...]

    def select(self, channels: Sequence[int | None]) -> Labelled[Embedded]:
        """The same frame with other channels: for each wanted one its old position, None for an object unknown here."""
        return replace(self, masks=tuple(select_channels(m, channels) for m in self.masks))


def select_channels(masks: Tensor, channels: Sequence[int | None]) -> Tensor:
    """masks (N, h, w), positions in it or None -> (len(channels), h, w), zeros for None."""
    zeros = masks.new_zeros(masks.shape[1:])
    return torch.stack([zeros if c is None else masks[c] for c in channels])


class Network(nn.Module, ABC):
    """A network that follows objects. What `encode` and `match` give is each network's own affair.

    config: what it was made from. memory: what makes entries of the space-time memory, None in a network without one.
    memory_frames: how many frames it remembers unless told otherwise, beside those that always stay, see
    `InferenceConfig`. selective: whether it remembers only what it is sure of, and rather what is new; else every k-th
    frame whatever it shows, as STM does by its paper.
    """

    config: Any
    memory: nn.Module | None
    memory_frames: int = 3
    selective: bool = False

    @property
    def matched_frames(self) -> int:
        """How many of the newest of these are matched against, too, unless told otherwise; none by the papers."""
        return 0

    @property
    def hard_masks(self) -> bool:
        """Whether masks are fed back hard and at the frame's own size, as in CFBI; else soft and at the work size."""
        return False

    def parts(self) -> dict[str, nn.Module]:
        """What is heavy of a lean network, by name: modules that take tensors and return tuples of tensors, whose
        shapes follow from the work size alone. Empty where a network cannot be parted."""
        return {}

    def with_parts(self, parts: Mapping[str, Callable[..., Any]]) -> Network:
        """The same network with some of its `parts` run by these, which take and return what the parts do. The parts
        themselves are let go. Raises ValueError for a name that is no part."""
        if parts:
            raise ValueError(f"no such parts: {', '.join(sorted(parts))}; this network has none")
        return self

    def backbone_part(self, name: str) -> str:
        """What a parameter is called within a backbone, `backbone.` before it; empty for one that is in none."""
        return name if name.startswith("backbone.") else ""

    def load_backbone(self, state: dict[str, Tensor]) -> None:
        """Begin with an ImageNet backbone's weights, as `camn.checkpoints.backbones.backbone_state` gives them."""
        self.get_submodule("backbone").load_state_dict(state)

    @abstractmethod
    def work_size(self, height: int, width: int, short_side: int, max_side: int) -> tuple[int, int]:
        """The size at which a frame of (height, width) is worked on; no side exceeds max_side."""

    @abstractmethod
    def encode(self, images: Tensor) -> Any:
        """Images (B, 3, H, W) RGB in 0..1, of a work size -> what the network knows of them without any mask.

        The answer's `float()` is the same in single precision."""

    @abstractmethod
    def label(self, embedding: Any, probabilities: Tensor) -> Labelled:
        """Attach masks (N+1, H, W) in 0..1, channel 0 the background, to one encoded frame."""

    @abstractmethod
    def remember(self, frame: Labelled) -> Entry:
        """The space-time memory's entry for a labelled frame."""

    def looks(self, frame: Labelled) -> Tensor | None:
        """What each object looks like on a labelled frame: (N, C), of length 1 and the nearer the more alike, zeros for
        an object that has no pixel there. None in a network that is not selective."""
        return None

    def remember_all(self, frames: Sequence[Labelled]) -> list[Any]:
        """The entries of several frames of one size."""
        return [self.remember(frame) for frame in frames]

    @abstractmethod
    def match(
        self, query: Any, references: Sequence[Labelled], previous: Labelled, entries: Sequence[Entry] = ()
    ) -> Any:
        """One encoded frame against labelled frames of the same objects -> what `decode` reads."""

    @abstractmethod
    def decode(self, frames: Sequence[Any]) -> list[Tensor]:
        """Several matched frames -> for each its logits (N+1, h, w), which `camn.model.network.enlarge` brings to the
        frame's size; their softmax is the answer."""
