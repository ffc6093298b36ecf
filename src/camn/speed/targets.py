"""The figures that this program is to reach, and whether those measured do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from camn.speed.measurement import Measurement
from camn.speed.plan import Point
from camn.speed.results import Results

GB = 1e9
STANDARD = Point()  # 480x854, 2 objects: what the targets in seconds are for
LONG = 60  # counted frames, from which on the first and the last part of a run can be told apart from noise
FLAT = {"time": 1.1, "memory": 1.05}  # growth that is no growth: timings vary by some percent from part to part


@dataclass(frozen=True)
class Finding:
    """what: was asked. limit: at most this. value: measured. unit: of both, " s" or " x"."""

    what: str
    limit: float
    value: float
    unit: str

    @property
    def met(self) -> bool:
        return self.value <= self.limit

    @property
    def verdict(self) -> str:
        return "met" if self.met else "missed"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"met": self.met}

    def __str__(self) -> str:
        return f"{self.what}: {self.value:.2f}{self.unit}, target at most {self.limit:g}{self.unit}: {self.verdict}"


def findings(results: Results) -> list[Finding]:
    """Those targets that the points measured tell of; of made frames on a CPU, for which they were set."""
    if results.settings.get("device") != "cpu" or not results.plan.made:
        return []
    return [*_default(results), *_growth(results), *_published(results)]


def _default(results: Results) -> Iterator[Finding]:
    """The seconds of camn-mobile."""
    ran = {p.backend: m for p, m in results.measured.items() if _at(p, replace(STANDARD, backend=p.backend))}
    if "eager" in ran:
        yield Finding("camn-mobile, eager, s/frame", 0.35, ran["eager"].seconds, " s")
    if ran.keys() - {"eager"}:
        fastest = min(ran.values(), key=lambda found: found.seconds)
        yield Finding(f"camn-mobile, fastest backend ({fastest.backend}), s/frame", 0.25, fastest.seconds, " s")


def _growth(results: Results) -> Iterator[Finding]:
    """What more objects, larger frames and longer videos cost camn-mobile."""
    if results.plan.base.model != "camn-mobile":
        return
    by = {point.objects: found for point, found in results.along("objects").items()}
    if 1 in by and 10 in by:
        yield Finding("camn-mobile, s/frame of 10 objects by that of 1", 3.0, by[10].seconds / by[1].seconds, " x")
    for point, found in results.along("sides").items():
        if point.side == point.work == 1080:
            yield Finding("camn-mobile, peak memory at 1080p, worked on at 1080p", 3.0, found.peak / GB, " GB")
    for point, found in results.measured.items():
        if point == replace(results.plan.base, side=1080, width=1920) != results.plan.base:
            yield Finding(f"camn-mobile, peak memory at 1080p, worked on at {point.work}", 3.0, found.peak / GB, " GB")
    longest = results.longest()
    if longest and is_long(longest[1]):
        frames, found = longest[0].frames, longest[1]
        yield Finding(
            f"camn-mobile, {frames} frames, time of the last part by the first", FLAT["time"], found.slower, " x"
        )
        yield Finding(
            f"camn-mobile, {frames} frames, memory after the last part by the first", FLAT["memory"], found.larger, " x"
        )


def _published(results: Results) -> Iterator[Finding]:
    """The published CFBI+."""
    for point, found in results.measured.items():
        if _at(point, replace(STANDARD, model="cfbi-plus-r101")):
            yield Finding("cfbi-plus-r101, eager, s/frame", 3.0, found.seconds, " s")
            yield Finding("cfbi-plus-r101, eager, peak memory", 1.8, found.peak / GB, " GB")


def is_long(found: Measurement) -> bool:
    """Whether the run's first and last part can be compared."""
    return found.parts[-1].last + 1 - found.settled >= LONG


def _at(point: Point, wanted: Point) -> bool:
    """The same but for the number of frames."""
    return replace(point, frames=wanted.frames) == wanted
