"""How many clicks an object takes: the public protocol of interactive segmentation (RITM, Sofiiuk et al. 2021).

The first click is at the centre of the object, each next one at the centre of the largest error of the answer so far,
thresholded at 0.5; at most 20. NoC@85 is the mean number of clicks until IoU 0.85, 20 for objects that never reach it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from camn.masks.clicking import next_click
from camn.masks.extent import extent

MOST = 20
LEVELS = (0.85, 0.90)
AFTER = (1, 2, 3, 5)
JITTER = 0.1  # by which each side of a box is off at most, of the object's side there

Ask = Callable[[float, float, bool], np.ndarray]  # x, y, positive -> the answer (H, W) bool


@dataclass(frozen=True)
class ObjectClicks:
    """One object on one frame. ious: after each click, as many as were needed for the last level. box: IoU of the
    answer to a jittered box. seconds: of each click, the frame's encoding apart."""

    name: str
    id: int
    ious: tuple[float, ...]
    box: float
    seconds: tuple[float, ...]

    def needed(self, level: float) -> int:
        """Clicks until this IoU; MOST if it was not reached."""
        return next((count for count, iou in enumerate(self.ious, 1) if iou >= level), MOST)

    def after(self, clicks: int) -> float:
        """IoU after so many clicks; of an object that was done before, its last."""
        return self.ious[min(clicks, len(self.ious)) - 1]


@dataclass(frozen=True)
class ClickScores:
    """encoding: mean seconds of a frame's."""

    objects: tuple[ObjectClicks, ...]
    encoding: float

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"objects": len(self.objects)}
        found |= {f"noc@{round(100 * level)}": self._mean(lambda o, k=level: o.needed(k)) for level in LEVELS}
        found |= {f"failed@{round(100 * level)}": self._failed(level) for level in LEVELS}
        found |= {f"iou@{count}": self._mean(lambda o, k=count: o.after(k)) for count in AFTER}
        found["box"] = self._mean(lambda o: o.box)
        seconds = [second for one in self.objects for second in one.seconds]
        return found | {"seconds_per_click": float(np.mean(seconds)), "seconds_encoding": self.encoding}

    def table(self) -> str:
        """Plain text."""
        found, lines = self.to_dict(), [f"{len(self.objects)} object{'s' if len(self.objects) > 1 else ''}"]
        for level in (round(100 * level) for level in LEVELS):
            lines.append(
                f"NoC@{level}  {found[f'noc@{level}']:6.2f}   ({found[f'failed@{level}']} not in {MOST} clicks)"
            )
        lines += [f"IoU after {count} click{'s' if count > 1 else ''}: {found[f'iou@{count}']:.3f}" for count in AFTER]
        lines.append(f"IoU of a box whose sides are off by up to {JITTER:.0%}: {found['box']:.3f}")
        lines.append(
            f"{1000 * found['seconds_per_click']:.0f} ms a click, {1000 * self.encoding:.0f} ms to encode a frame"
        )
        return "\n".join(lines)

    def _mean(self, value: Callable[[ObjectClicks], float]) -> float:
        return float(np.mean([value(one) for one in self.objects]))

    def _failed(self, level: float) -> int:
        return sum(max(one.ious) < level for one in self.objects)


def measure_clicks(ask: Ask, truth: np.ndarray, counted: np.ndarray, most: int = MOST) -> list[float]:
    """Clicks on an object until the last level or `most` -> IoU after each. truth, counted (H, W) bool."""
    ious: list[float] = []
    guess = np.zeros_like(truth)
    while len(ious) < most and (not ious or ious[-1] < max(LEVELS)):
        click = next_click(truth, guess, counted)
        if click is None:
            break
        row, column, sign = click
        guess = ask(column, row, sign > 0)
        ious.append(iou(guess, truth, counted))
    return ious


def iou(guess: np.ndarray, truth: np.ndarray, counted: np.ndarray) -> float:
    """Of two masks (H, W) bool, where `counted`."""
    both, either = (guess & truth & counted).sum(), ((guess | truth) & counted).sum()
    return float(both / either) if either else 1.0


def jittered_box(truth: np.ndarray, chance: np.random.Generator) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 around an object, in the picture."""
    found, edges = extent(truth), []
    assert found is not None, "an object has pixels"
    rows, columns = found
    for places, most in ((columns, truth.shape[1]), (rows, truth.shape[0])):
        low, high = places.start, places.stop
        off = (high - low) * JITTER * chance.uniform(-1, 1, 2)
        low, high = max(0.0, low + off[0]), min(most - 1.0, high + off[1])
        edges.append((low, max(high, min(low + 1, most - 1.0))))
    return edges[0][0], edges[1][0], edges[0][1], edges[1][1]
