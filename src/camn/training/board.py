"""What TensorBoard shows of a run: its numbers, and pictures of clips with their truth and prediction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from camn.errors import ConfigError
from camn.files import writing
from camn.masks import PALETTE
from camn.training.sequence import Step

SHOWN = ("loss", "rate", "norm", "jf")


class Board:
    """A log for TensorBoard in `folder`. What a killed run wrote there of steps from `step` on is disregarded.

    Raises ConfigError without the package tensorboard, OutputError, then or later, where the folder cannot be written.
    """

    def __init__(self, folder: Path, step: int):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                f"tensorboard: the package is not there ({error}); pip install 'camn[train]', or train without it"
            ) from None
        self.folder = folder
        with writing(folder):
            self._writer = SummaryWriter(str(folder), purge_step=step)

    def add(self, line: dict[str, Any]) -> None:
        """The numbers of a step, as the run's log has them."""
        with writing(self.folder):
            for name in SHOWN:
                if name in line:
                    self._writer.add_scalar(name, line[name], line["step"])

    def show(self, step: int, picture: np.ndarray) -> None:
        """picture (H, W, 3) uint8 RGB."""
        with writing(self.folder):
            self._writer.add_image("clip", picture, step, dataformats="HWC")

    def close(self) -> None:
        with writing(self.folder):
            self._writer.close()


def watched(steps: Iterator[Step], seen: list[Tensor]) -> Iterator[Step]:
    """A rollout's steps as they are; of each, the ids (H, W) predicted for the first clip are put to `seen`."""
    for step in steps:
        seen.append(step.logits[0].detach().argmax(0))
        yield step


def panel(frames: Tensor, labels: Tensor, predicted: list[Tensor]) -> np.ndarray:
    """One clip as a picture: a column for each frame, in it the frame, the truth and the prediction drawn over it.

    frames (T, 3, H, W) uint8, labels (T, H, W) uint8, predicted: ids (H, W) of frames 1..T-1 -> (3 H, T W, 3) uint8
    RGB. The first frame's prediction is its truth, which was given.
    """
    guesses = torch.stack([labels[0].long(), *(ids.to(labels.device).long() for ids in predicted)])
    columns = []
    for frame, truth, guess in zip(frames.cpu().numpy(), labels.cpu().numpy(), guesses.cpu().numpy(), strict=True):
        image = frame.transpose(1, 2, 0)
        columns.append(np.concatenate([image, _tinted(image, truth), _tinted(image, guess)]))
    return np.concatenate(columns, axis=1)


def _tinted(image: np.ndarray, ids: np.ndarray) -> np.ndarray:
    mixed = (image.astype(np.uint16) + PALETTE[ids]) // 2
    return np.where((ids > 0)[..., None], mixed, image).astype(np.uint8)
