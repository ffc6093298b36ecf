"""Training of the fusion network on answers of its members that lie on disk; the members are not needed any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from camn.config import FusionConfig
from camn.errors import ConfigError, DataError, TrainingError, words_of
from camn.files import replacing, writing
from camn.masks import IGNORE
from camn.model.fusion import EPSILON, Fusion
from camn.training.losses import bootstrapped_cross_entropy, soft_jaccard_loss


@dataclass(frozen=True)
class Sample:
    """A frame: image (H, W, 3) uint8 RGB, labels (H, W) uint8 in 0..N or IGNORE, and what each member found there, its
    own previous answers before it: maps (M, N+1, H, W) float16 in 0..1, channel 0 the background."""

    image: np.ndarray
    labels: np.ndarray
    maps: np.ndarray

    def write(self, path: Path) -> None:
        """Whole or not at all. Raises OutputError."""
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, image=self.image, labels=self.labels, maps=self.maps)

    @classmethod
    def read(cls, path: Path) -> Sample:
        """Raises DataError for a file that is broken or none of these."""
        try:
            with np.load(path) as file:
                return cls(file["image"], file["labels"], file["maps"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(
                f"{path}: no answers of an ensemble's members ({words_of(error)}); remove it, and it is made anew"
            ) from None

    def crop(self, chance: np.random.Generator, side: int) -> Sample:
        """A random square of at most `side`, in one case of two mirrored; where objects are, if it hits upon them."""
        height, width = (min(side, n) for n in self.labels.shape)
        boxes = [self._box(chance, height, width) for _ in range(4)]
        rows, columns = next((box for box in boxes if (self.labels[box] % IGNORE).any()), boxes[0])
        step = -1 if chance.random() < 0.5 else 1
        cut = (self.image[rows, columns], self.labels[rows, columns], self.maps[..., rows, columns])
        return Sample(cut[0][:, ::step], cut[1][:, ::step], cut[2][..., ::step])

    def _box(self, chance: np.random.Generator, height: int, width: int) -> tuple[slice, slice]:
        top = int(chance.integers(self.labels.shape[0] - height + 1))
        left = int(chance.integers(self.labels.shape[1] - width + 1))
        return slice(top, top + height), slice(left, left + width)


@dataclass(frozen=True)
class FusionTraining:
    """steps of `batch` crops of `side` pixels; rate: AdamW's, falling to 0 along a cosine; hard: share of the hardest
    pixels that the cross-entropy counts; jaccard: weight of the soft Jaccard loss beside it."""

    steps: int = 1200
    batch: int = 6
    side: int = 193
    rate: float = 2e-3
    hard: float = 0.3
    jaccard: float = 0.5
    seed: int = 0

    def __post_init__(self):
        if min(self.steps, self.batch) < 1 or self.side < 32 or self.seed < 0:
            raise ConfigError(f"{self}: steps and batch must be 1 or more, side 32 or more, seed 0 or more")
        if not (self.rate > 0 and 0 < self.hard <= 1 and self.jaccard >= 0):
            raise ConfigError(f"{self}: rate must be over 0, hard in 0..1 and over 0, jaccard 0 or more")


def train_fusion(
    config: FusionConfig,
    files: Sequence[Path],
    plan: FusionTraining,
    report: Callable[[dict[str, Any]], None] = lambda line: None,
) -> Fusion:
    """The network, trained on samples of these files; the same on the same machine for the same seed.

    report: called with the step and its loss, and with `mean`, the loss of the members' mean on the same crops. Raises
    DataError, TrainingError for a loss that is not finite.
    """
    torch.manual_seed(plan.seed)
    network = Fusion(config)
    optimizer = torch.optim.AdamW(network.parameters(), plan.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.steps)
    chance = np.random.default_rng(plan.seed)
    for step in range(1, plan.steps + 1):
        picked = [files[int(chance.integers(len(files)))] for _ in range(plan.batch)]
        losses, means = [], []
        for crop in (Sample.read(file).crop(chance, plan.side) for file in picked):
            image, labels, maps = _tensors(crop)
            losses.append(_loss(network(image, maps), labels, plan))
            means.append(float(_loss(maps.mean(0), labels, plan)))
        loss = torch.stack(losses).mean()
        if not torch.isfinite(loss):
            raise TrainingError(
                f"loss is {loss.item()} at step {step}, on {', '.join(map(str, picked))}; look at these"
            )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        report({"step": step, "loss": loss.item(), "mean": float(np.mean(means))})
    return network.eval()


def _tensors(sample: Sample) -> tuple[Tensor, Tensor, Tensor]:
    image = torch.from_numpy(np.ascontiguousarray(sample.image)).permute(2, 0, 1).float() / 255
    labels = torch.from_numpy(np.ascontiguousarray(sample.labels)).long()
    return image, labels, torch.from_numpy(np.ascontiguousarray(sample.maps)).float()


def _loss(probabilities: Tensor, labels: Tensor, plan: FusionTraining) -> Tensor:
    logits = probabilities.clamp(min=EPSILON).log()
    logits, labels = logits[None], labels[None]
    losses = bootstrapped_cross_entropy(logits, labels, plan.hard) + plan.jaccard * soft_jaccard_loss(logits, labels)
    return losses.mean()
