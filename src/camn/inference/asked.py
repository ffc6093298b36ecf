"""What is asked of an object on a frame, and what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from camn.inference.close_ups import Area
from camn.masks.marks import Box, Click
from camn.model.frames import Embedding


@dataclass(frozen=True)
class Candidate:
    """One reading of what was asked. probability (H, W) float32 in 0..1, of the frame's size. score: the IoU with what
    was meant that it is thought to have, 0..1."""

    probability: np.ndarray
    score: float

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool."""
        return self.probability > 0.5


@dataclass(frozen=True)
class Answer(Candidate):
    """candidates: other readings, itself among them, best first; after a single click up to three, else one."""

    candidates: tuple[Candidate, ...] = ()

    def choose(self, candidate: int) -> Answer:
        chosen = self.candidates[candidate]
        return Answer(chosen.probability, chosen.score, self.candidates)


@dataclass(frozen=True)
class Seen:
    """What the network knows of a part of the frame. area: x0, y0, x1, y1 in pixels of the frame. size: at work."""

    embedding: Embedding
    area: Area
    size: tuple[int, int]


@dataclass(frozen=True)
class Asked:
    """All that was asked of one object, and what it needs to be asked anew, after the `Asked` before it.

    clicks: (x, y, positive). box: x0, y0, x1, y1. base: the mask to begin from, (H, W) float32. others: clicks on other
    objects at that time. anew: it does not go on from the answer before. given: the mask to begin from is the answer.
    rough: see `Marker.click`. chosen: the candidate that was taken. answer: to all of it, and close, the close-up; None
    where they were dropped.
    """

    clicks: tuple[Click, ...] = ()
    box: Box | None = None
    base: np.ndarray | None = None
    others: tuple[Click, ...] = ()
    anew: bool = False
    given: bool = False
    rough: bool = False
    chosen: int = 0
    answer: Answer | None = None
    close: Seen | None = None

    def before(self, last: Asked) -> np.ndarray | None:
        """The mask that it goes on from, (H, W) float32. last: the one before it."""
        return self.base if self.anew or last.answer is None else last.answer.probability


def dropped(asked: Sequence[Asked], kept: int) -> list[Asked]:
    """Without the answers of all but the last ones, and the first: what led to that is not known any longer."""
    first, old, new = asked[:1], asked[1:-kept], asked[1:][-kept:]
    return [*first, *(replace(one, answer=None, close=None) for one in old), *new]
