"""What to measure: points, each of which differs from the first in one thing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from camn.errors import ConfigError

Sweep = Literal["objects", "sides", "lengths", "models", "backends"]
SWEEPS: tuple[Sweep, ...] = get_args(Sweep)


@dataclass(frozen=True)
class Point:
    """One thing to measure: a model by a backend on frames of (side, width) that are worked on at a short side of
    `work`, with so many objects, for so many frames after the first."""

    model: str = "camn-mobile"
    backend: str = "eager"
    objects: int = 2
    side: int = 480
    width: int = 854
    work: int = 480
    frames: int = 20

    def __post_init__(self):
        for name in ("objects", "side", "work", "frames"):
            least = 32 if name in ("side", "work") else 1
            if getattr(self, name) < least:
                raise ConfigError(f"benchmark: {name} is {getattr(self, name)}: it must be {least} or more")
        if self.objects > 255:
            raise ConfigError(f"benchmark: {self.objects} objects: there are ids for 255")

    def __str__(self) -> str:
        at = "" if self.work == self.side else f" worked on at {self.work}"
        what = f"{self.objects} object{'' if self.objects == 1 else 's'}, {self.frames} frames"
        return f"{self.model}, {self.backend}, {self.side}x{self.width}{at}, {what}"


def width_of(side: int) -> int:
    """Of frames of 16:9, rounded up: 854 of 480."""
    return math.ceil(side * 16 / 9)


@dataclass(frozen=True)
class Plan:
    """The sweeps through `base`, its values for each. A sweep leaves all else as it is at the base; each point is there
    once. made: frames can be made of any size: sides are those of frames worked on at their own size, the largest of
    them once more at the base's; else the frames are a video's, and sides are those it is worked on at."""

    base: Point
    objects: tuple[int, ...] = ()
    sides: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    models: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    made: bool = True

    def points(self) -> list[Point]:
        """In the order to measure them: the base, then sweep by sweep, the longest runs last."""
        base = self.base
        found = [
            base,
            *(replace(base, objects=value) for value in self.objects),
            *(self._sized(value, value) for value in self.sides),
            *([self._sized(max(self.sides), base.work)] if self.sides and self.made else []),
            *(replace(base, backend=value) for value in self.backends),
            *(replace(base, model=value) for value in self.models),
            *(replace(base, frames=value) for value in self.lengths),
        ]
        return list(dict.fromkeys(found))

    def along(self, sweep: Sweep, points: Iterable[Point]) -> list[Point]:
        """Those of `points` that differ from the base by what the sweep varies alone, the base included; numbers rise,
        models and backends come as they were given."""
        varied = _VARIED[sweep]
        at_base = {name: getattr(self.base, name) for name in varied}
        alike = [point for point in points if replace(point, **at_base) == self.base]
        if sweep in ("models", "backends"):
            return alike
        return sorted(alike, key=lambda point: [getattr(point, name) for name in varied])

    def _sized(self, side: int, work: int) -> Point:
        if not self.made:
            return replace(self.base, work=work)
        return replace(self.base, side=side, width=width_of(side), work=work)


_VARIED: dict[Sweep, tuple[str, ...]] = {
    "objects": ("objects",),
    "sides": ("side", "work", "width"),
    "lengths": ("frames",),
    "models": ("model",),
    "backends": ("backend",),
}
