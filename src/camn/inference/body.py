"""An object's shape and size of late, and what of a mask found goes beyond them: parts that split off, and spreading.

All of it on small pictures, see `motion`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from camn.config.postprocess import TrackLossOptions
from camn.inference.growth import LIKE, RIM, SPREAD, Growth
from camn.inference.motion import Motion, moved
from camn.inference.parts import Parts, distance, longer_side

LEAST = 48  # pixels that a part must have for its size and motion to tell anything
GROWS = 1.03  # an area grows by so much a frame as objects come nearer
SOUND = 1.1  # an area of at most so many times the size is the object's
FORGET = 5  # frames for which something else is followed where nothing of it is found
SETTLED = 25  # frames without anything else after which all that moves with the object is its own
RELEASE = 10  # frames after which something else that moves with the object and looks like it is taken for its part

Likeness = Callable[[], np.ndarray]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What is told of a mask that was found, (h, w) bool: core and beyond are the object, others something else. apart:
    see `Body`. size: pixels that the object may have. trust: 0..1, less where more was found in one piece with the
    object than is its own. like: the others look like the object."""

    core: np.ndarray
    beyond: np.ndarray
    others: np.ndarray
    apart: np.ndarray
    size: float
    trust: float
    like: bool

    @property
    def kept(self) -> np.ndarray:
        return self.core | self.beyond


@dataclass(frozen=True, eq=False)
class Body:
    """Masks (h, w) bool of the frame last seen. core: the object as it was when its area was last sound, followed;
    beyond: what it has beside that. others: something else, which was found with it. sizes: the object's areas of late,
    in pixels; none counts for much more than those before. apart (x, y): how far what is not the core has moved against
    it, in pixels. refused, missed: frames in succession on which others were found, and were not.
    """

    core: np.ndarray
    beyond: np.ndarray
    others: np.ndarray
    sizes: tuple[float, ...]
    apart: np.ndarray = field(default_factory=lambda: np.zeros(2, int))
    refused: int = 0
    missed: int = 0

    @classmethod
    def of(cls, mask: np.ndarray) -> Body:
        """mask (h, w) bool, somewhere true."""
        nothing = np.zeros_like(mask)
        return cls(mask, nothing, nothing, (float(np.count_nonzero(mask)),))

    @property
    def size(self) -> float:
        return max(self.sizes)

    def judged(self, found: np.ndarray, motion: Motion, likeness: Likeness, options: TrackLossOptions) -> Verdict:
        """found (h, w) bool: what a network takes for the object on the next frame. likeness: gives (h, w), see
        `Looks`."""
        if not (self.others.any() or self.beyond.any()) and np.count_nonzero(found) <= SOUND * self.size:
            return self._as_before(found)
        with_core = motion.of(self.core)
        ways = [motion.of(m) if np.count_nonzero(m) >= LEAST else with_core for m in (self.beyond, self.others)]
        to_core, to_beyond, to_others = (
            distance(moved(mask, way))
            for mask, way in zip((self.core, self.beyond, self.others), (with_core, *ways), strict=True)
        )
        side = longer_side(self.core | self.beyond)
        last = np.minimum(to_core, to_beyond)
        others = found & (to_others < last) & (to_others <= side / 4)
        mine = found & ~others
        core = mine & (to_core <= RIM) & (to_core <= to_beyond)
        beyond = mine & ~core
        apart = self.apart + (ways[1] if self.others.any() else ways[0]) - with_core
        size = max(self.size * GROWS, float(np.count_nonzero(core)))
        if size >= LEAST and np.count_nonzero(mine) > SOUND * self.sizes[0]:
            # Beside that, as a whole: the motion of a narrow strip is a guess.
            fresh = np.minimum(last, distance(moved(self.core | self.beyond, with_core)))
            turn = float(np.hypot(*apart))
            seen = partial(motion.seen, ways=(with_core, *ways))
            new = Growth(core, beyond, fresh, turn, side, size, self.sizes[0], likeness, seen, options).strange()
            others, core, beyond = others | new, core & ~new, beyond & ~new
        like = bool(others.any() and likeness()[others].mean() >= LIKE)
        return Verdict(
            core, beyond, others, apart, size, _trust(found, core | beyond, SPREAD * options.track_excess * size), like
        )

    def _as_before(self, found: np.ndarray) -> Verdict:
        nothing = np.zeros_like(found)
        return Verdict(found, nothing, nothing, np.zeros(2, int), self.size * GROWS, 1.0, False)

    def seen(self, verdict: Verdict, mask: np.ndarray, options: TrackLossOptions) -> Body:
        """With one frame more. mask (h, w) bool: what was answered."""
        area = np.count_nonzero(mask)
        if area and verdict.beyond.any() and not verdict.others.any() and self._settled(verdict, mask, options):
            return replace(Body.of(mask), sizes=(*self.sizes, float(area))[-options.track_window :])
        others, refused, missed = verdict.others, self.refused + 1, 0
        if not others.any():
            others, refused, missed = self.others, 0, self.missed + 1
        if refused > RELEASE and verdict.like and _moves_along(verdict, mask, options):
            return Body.of(mask | others)
        if missed > FORGET:
            others = np.zeros_like(mask)
        core = mask if area <= SOUND * self.size else verdict.core & mask
        new = min(float(np.count_nonzero(core)), verdict.size)
        sizes = (*self.sizes, new)[-options.track_window :] if area else self.sizes
        apart = verdict.apart if others.any() or area > np.count_nonzero(core) else np.zeros(2, int)
        return Body(core, mask & ~core, others, sizes, apart, refused, missed)

    def _settled(self, verdict: Verdict, mask: np.ndarray, options: TrackLossOptions) -> bool:
        """Whether what was answered is the whole object by now: nothing else was found for some frames, and what it has
        beyond its core moved with it, as when it came out from behind something; or the core is gone."""
        along = self.missed >= SETTLED and _moves_along(verdict, mask, options)
        return along or not (verdict.core & mask).any()


def _moves_along(verdict: Verdict, mask: np.ndarray, options: TrackLossOptions) -> bool:
    """Whether what is not the core has hardly moved against it. mask (h, w) bool: what was answered."""
    return bool(np.hypot(*verdict.apart) <= options.track_apart * longer_side(mask))


def _trust(found: np.ndarray, kept: np.ndarray, most: float) -> float:
    """The share that was kept of all that hangs together with it, less where that is more than `most` pixels."""
    parts = Parts.of(found)
    area = int(parts.areas[parts.means(kept) > 0].sum())
    return min(1.0, np.count_nonzero(kept) / area, most / area) if area and most >= LEAST else 1.0
