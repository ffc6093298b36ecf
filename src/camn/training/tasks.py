"""What a recipe trains: a network, and the loss of one part of a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from camn import lean, weights
from camn.clips.dataset import ClipBatch
from camn.config import ClickConfig, NetworkConfig, click_preset, network_preset
from camn.model.build import build_network
from camn.model.clicks import ClickNetwork
from camn.training.clicking import click_loss
from camn.training.losses import hard_fraction
from camn.training.recipe import Recipe
from camn.training.sequence import clip_loss, draws, rollout

Watch = Callable[[Any], Any]  # steps in, the same steps out, seen on their way


class Task(ABC):
    """config: of the network. notes: what its weights file says beside the recipe."""

    config: NetworkConfig | ClickConfig
    notes: Mapping[str, str] = {}

    def __init__(self, recipe: Recipe):
        self.recipe = recipe

    @abstractmethod
    def build(self) -> nn.Module:
        """The network, its weights random."""

    @abstractmethod
    def loss(self, network: Any, batch: ClipBatch, items: Sequence[int], step: int, watch: Watch | None) -> Tensor:
        """items: numbers of the clips among all. watch: sees the steps, where there are any."""

    def _chance(self, items: Sequence[int]) -> list[int]:
        """Seeds. Chance is each item's own: the same on a resumed run, and whichever process the item falls to."""
        return [1_000_003 * self.recipe.seed + item for item in items]

    def _hard(self, step: int) -> float:
        return hard_fraction(step, self.recipe.steps, *self.recipe.hard)


class Following(Task):
    """Clips are followed from the masks of their first frames."""

    def __init__(self, recipe: Recipe):
        super().__init__(recipe)
        self._network = self.config = network_preset(recipe.model)

    def build(self) -> nn.Module:
        return build_network(self._network)

    def loss(self, network: Any, batch: ClipBatch, items: Sequence[int], step: int, watch: Watch | None) -> Tensor:
        frames, labels = _uploaded(batch, network)
        chance = draws(self._chance(items), frames.shape[1])
        steps = rollout(network, frames, labels, batch.objects, chance, self.recipe.rollout)
        return clip_loss(watch(steps) if watch else steps, self._hard(step), self.recipe.jaccard)


class Clicking(Task):
    """Single frames are asked about by clicks. The encoder stays as it is and is no part of what is trained."""

    def __init__(self, recipe: Recipe):
        super().__init__(recipe)
        self._network = self.config = click_preset(recipe.model)
        read = weights.read(self._network.encoder)
        self.notes = {"encoder_sha256": read.sha256}
        network = build_network(read.config).requires_grad_(False).eval()
        network.load_state_dict(read.state)
        self.encoder = lean.of(network)  # in use it is this form whose embedding is at hand

    def build(self) -> nn.Module:
        return ClickNetwork(self._network)

    def loss(self, network: Any, batch: ClipBatch, items: Sequence[int], step: int, watch: Watch | None) -> Tensor:
        frames, labels = _uploaded(batch, network)
        with torch.no_grad():
            seen = self.encoder.to(frames.device).encode(frames[:, 0])
        hard, chance = (self._hard(step), self.recipe.jaccard), self._chance(items)
        return click_loss(network, seen, labels[:, 0], batch.objects, chance, self.recipe.clicks, hard, self.recipe.amp)


def task_of(recipe: Recipe) -> Task:
    return Clicking(recipe) if recipe.of_clicks else Following(recipe)


def _uploaded(batch: ClipBatch, network: nn.Module) -> tuple[Tensor, Tensor]:
    device = next(network.parameters()).device
    frames = batch.frames.to(device, non_blocking=True).float() / 255
    return frames, batch.labels.to(device, non_blocking=True)
