"""A measure over the frames of a video, and its mean, recall and decay as DAVIS 2016 defines them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Statistics:
    """A measure over time. mean and recall (share of frames above 0.5) are 0..1; decay is how much it falls."""

    mean: float
    recall: float
    decay: float


def statistics(values: np.ndarray) -> Statistics:
    """Mean, recall and decay of a measure over frames, (T,) with T >= 1.

    Decay is the first quarter's mean minus the last's; by DAVIS' rule neighbouring quarters share the frame between.
    """
    first, second, _, fourth, last = np.floor(np.linspace(1, len(values), 5) + 0.5 + 1e-10).astype(int) - 1
    decay = values[first : second + 1].mean() - values[fourth : last + 1].mean()
    return Statistics(float(values.mean()), float((values > 0.5).mean()), float(decay))


def mean_of(items: Iterable[Statistics]) -> Statistics:
    """The mean of each of the three numbers, over one item or more."""
    rows = [(item.mean, item.recall, item.decay) for item in items]
    return Statistics(*(float(value) for value in np.mean(rows, axis=0)))
