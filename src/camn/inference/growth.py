"""Rules on what of a mask that was found is more than the object: see `Growth`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from camn.config.postprocess import TrackLossOptions
from camn.inference.parts import Parts

REACH = 0.1  # how far an outline moves from one frame to the next beside the motion, in diameters
RIM = 1  # pixels by which it widens without a doubt
LEAP = 0.75  # what comes at once and looks like the object is another one from this share of its size on
SPREAD = 1.6  # times `track_excess`: a mask that grew by more over some frames has spread, if most is of other colours
SMOOTH = 5  # pixels over which colours are told
LIKE = 0.5  # likeness from which something looks like the object


@dataclass(frozen=True, eq=False)
class Growth:
    """What was found, (h, w) bool: core, the object as it was, and beyond, what there is beside that. fresh (h, w): how
    far each pixel is from where the object was on the frame before, in pixels. apart: how far what is beyond has moved
    against the core, side: the object's diameter, in pixels; size, before: pixels that it may have now, and that it had
    some frames ago. likeness: gives (h, w), see `Looks`. seen: see `Motion.seen`: what was there before and was not the
    object may be spread onto; what was not there may be more of the object, come out from behind something."""

    core: np.ndarray
    beyond: np.ndarray
    fresh: np.ndarray
    apart: float
    side: float
    size: float
    before: float
    likeness: Callable[[], np.ndarray]
    seen: Callable[[np.ndarray], bool]
    options: TrackLossOptions

    def strange(self) -> np.ndarray:
        """(h, w) bool: what is something else."""
        new = np.zeros_like(self.core)
        extra = self.options.track_excess - 1
        if self._count(self.found) > self.options.track_excess * self.size and self._large(self.beyond, extra):
            new = self._at_once(extra)
            if self.apart > self.options.track_apart * self.side:
                new = new | self._split_off(extra)
        return new | self._spread(self.found & ~new)

    @property
    def found(self) -> np.ndarray:
        return self.core | self.beyond

    # --- inside ------------------------------------------------------------------------------------------------------

    def _at_once(self, extra: float) -> np.ndarray:
        """What came at once, if it is more than an object grows by and leaves what may be the object."""
        fresh = self.found & (self.fresh > max(2, REACH * self.side))
        large = self._large(fresh, LEAP) or (self._large(fresh, extra) and self.likeness()[fresh].mean() < LIKE)
        left = large and self._large(self.found & ~fresh, 0.5)
        return self.found & (self.fresh > RIM) & (left and self.seen(fresh))

    def _split_off(self, extra: float) -> np.ndarray:
        """The parts that are hardly of the core, if they are large and beside one that is, and has about the size."""
        parts = Parts.of(self.found)
        shares = parts.means(self.core)
        off = parts.mask(shares < 0.25)
        main = (shares > 0.5) & (2 * parts.areas > self.size)
        return off & (bool(main.any()) and self._large(off, extra))

    def _spread(self, left: np.ndarray) -> np.ndarray:
        """What of the rest has other colours than the object, if that has grown far and most of it has."""
        grown = self._count(left) > SPREAD * self.options.track_excess * self.before
        if not grown or not self.seen(left & (self.fresh > RIM)):
            return np.zeros_like(left)
        unlike = left & (cv2.blur(self.likeness(), (SMOOTH, SMOOTH)) < LIKE)
        return unlike & (2 * self._count(unlike) > self._count(left))

    def _count(self, mask: np.ndarray) -> int:
        return int(np.count_nonzero(mask))

    def _large(self, mask: np.ndarray, share: float) -> bool:
        return self._count(mask) > share * self.size
