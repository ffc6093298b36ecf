"""What was measured at one point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

PARTS = 10
DISTURBED = 0.05  # share of the cores' time


@dataclass(frozen=True)
class Part:
    """A stretch of a run: frames first..last. seconds: median per frame. peak: bytes, the most until its end."""

    first: int
    last: int
    seconds: float
    peak: int


@dataclass(frozen=True)
class Measurement:
    """The cost of one point.

    seconds, p90, mean: per frame, of the frames from `settled` on: those before, in which the memory of the network
    still fills, are not counted. stages: mean seconds of each stage, with the rest; they sum up to `mean` where every
    frame is clocked, as on a CPU. peak: bytes, the most that the process had, loading included. parts: up to ten
    stretches of the frames counted. seen: the fewest objects on any frame's answer. work: (h, w) that the network saw.
    weights: shipped, file or random, and the file's sha256. backend: which ran, where `auto` was asked for. others:
    share of the cores' time that other programs had meanwhile; it should be next to nothing.
    """

    seconds: float
    p90: float
    mean: float
    peak: int
    stages: Mapping[str, float]
    parts: tuple[Part, ...]
    settled: int
    seen: int
    work: tuple[int, int]
    weights: str
    sha256: str
    backend: str
    others: float = 0.0

    @classmethod
    def of(
        cls,
        seconds: Sequence[float],
        stages: Sequence[Mapping[str, float]],
        peaks: Sequence[int],
        fills: int,
        **about: Any,
    ) -> Measurement:
        """seconds, peaks: of every frame after the first one, which had the mask. stages: of those that were clocked,
        in the end of the run. fills: after how many frames the network's memory is full; of a shorter run the second
        half counts."""
        settled = min(fills, len(seconds) // 2)
        counted = list(seconds[settled:])
        kept = stages[-len(counted) :]
        return cls(
            seconds=float(np.median(counted)),
            p90=float(np.percentile(counted, 90)),
            mean=float(np.mean(counted)),
            peak=int(peaks[-1]),
            stages={name: float(np.mean([each[name] for each in kept])) for name in kept[0]},
            parts=tuple(_parts(counted, peaks[settled:], settled)),
            settled=settled,
            **about,
        )

    @property
    def frames_per_second(self) -> float:
        return 1 / self.seconds

    @property
    def slower(self) -> float:
        """How many times the first part's time the last one takes; 1 is flat."""
        return self.parts[-1].seconds / self.parts[0].seconds

    @property
    def larger(self) -> float:
        """How many times the peak memory at the end of the first part it is at the end of the last; 1 is flat."""
        return self.parts[-1].peak / self.parts[0].peak

    @property
    def disturbed(self) -> bool:
        """Whether other programs took so much that seconds are too many."""
        return self.others > DISTURBED

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "frames_per_second": self.frames_per_second}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measurement:
        """The inverse of `to_dict`, also after JSON."""
        fields = {name: data[name] for name in cls.__dataclass_fields__}
        fields |= {"parts": tuple(Part(**part) for part in data["parts"]), "work": tuple(data["work"])}
        return cls(**fields)


def _parts(seconds: Sequence[float], peaks: Sequence[int], first: int) -> list[Part]:
    """Equal stretches; a run of few frames has fewer of them."""
    count = max(1, min(PARTS, len(seconds) // 2))
    found = []
    for chunk in np.array_split(np.arange(len(seconds)), count):
        begin, end = int(chunk[0]), int(chunk[-1])
        median = float(np.median(seconds[begin : end + 1]))
        found.append(Part(first + begin, first + end, median, int(peaks[end])))
    return found
