"""A change of some pixels of a frame's mask: made on top of what is there, and taken back so."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

LEAVE = 255  # no object's id: as a pixel's new id, it stays; as what it must show, whatever it shows


@dataclass(frozen=True)
class Change:
    """New ids of some pixels. ids (h, w) uint8: LEAVE where a pixel stays. over (h, w) uint8: a pixel changes only
    where this id is shown, LEAVE: whatever is. top, left: where in the frame it lies."""

    ids: np.ndarray
    over: np.ndarray
    top: int = 0
    left: int = 0

    def back_to(self, ids: np.ndarray) -> Change:
        """The same pixels, to what they are in ids (H, W)."""
        return replace(self, ids=np.where(self.ids == LEAVE, LEAVE, self._part(ids)).astype(np.uint8))

    @property
    def empty(self) -> bool:
        return bool((self.ids == LEAVE).all())

    def on(self, shown: np.ndarray) -> Change:
        """Without the pixels where something else is shown by now; shown (H, W)."""
        there = (self.over == LEAVE) | (self.over == self._part(shown))
        return replace(self, ids=np.where(there, self.ids, LEAVE).astype(np.uint8))

    def made(self, shown: np.ndarray) -> np.ndarray:
        """What it makes of the shown ids (H, W)."""
        ids = shown.copy()
        np.copyto(self._part(ids), self.ids, where=self.ids != LEAVE)
        return ids

    def _part(self, ids: np.ndarray) -> np.ndarray:
        return ids[self.top : self.top + self.ids.shape[0], self.left : self.left + self.ids.shape[1]]


@dataclass(frozen=True)
class Before:
    """Of a frame before a change, to go back to. given: it had a mask from the user. absent: ids that this mask said
    are not on the frame."""

    given: bool = False
    absent: frozenset[int] = frozenset()
