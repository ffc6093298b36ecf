"""A change of some pixels of a frame's mask: made on top of what is there, told, and taken back so."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from camn.masks.extent import extent

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


@dataclass(frozen=True)
class Step:
    """What was done to a frame, so that it can be taken back, and made again. pixels: of what is shown; None: none."""

    before: Before
    after: Before
    pixels: Change | None


def difference(before: np.ndarray, after: np.ndarray) -> Change | None:
    """What makes the one map of ids (H, W) the other; None: they are the same."""
    if (part := extent(before != after)) is None:
        return None
    old, new = before[part], after[part]
    ids, over = (np.where(old == new, LEAVE, one).astype(np.uint8) for one in (new, old))
    return Change(ids, over, part[0].start, part[1].start)
