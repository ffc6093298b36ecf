"""What a benchmark found: kept as JSON that grows with every point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from camn.speed.measurement import Measurement
from camn.speed.plan import Plan, Point, Sweep


@dataclass(frozen=True)
class Results:
    """machine: what it ran on, facts by name. settings: how it was called. measured: by point, in the order of
    measuring; failed: points that could not be, with the reason. source: what the frames are. done: whether all
    points were tried."""

    plan: Plan
    machine: Mapping[str, Any]
    settings: Mapping[str, Any]
    source: str
    measured: Mapping[Point, Measurement] = field(default_factory=dict)
    failed: Mapping[Point, str] = field(default_factory=dict)
    done: bool = False

    def along(self, sweep: Sweep) -> dict[Point, Measurement]:
        """What was measured of a sweep, in its order."""
        return {point: self.measured[point] for point in self.plan.along(sweep, self.measured)}

    def longest(self) -> tuple[Point, Measurement] | None:
        """The longest run of the base point."""
        runs = self.along("lengths")
        return max(runs.items(), key=lambda item: item[0].frames) if runs else None

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {
            "program": "camn",
            "kind": "benchmark",
            "status": "done" if self.done else "running",
            "machine": dict(self.machine),
            "settings": dict(self.settings),
            "frames": self.source,
            "base": asdict(self.plan.base),
            "points": [asdict(point) | {"measured": found.to_dict()} for point, found in self.measured.items()],
            "failed": [asdict(point) | {"error": reason} for point, reason in self.failed.items()],
        }
