"""Where the time of a frame goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STAGES: tuple[str, ...] = ("resize", "encode", "match", "decode", "remember", "output")
REST = "rest"  # of a frame's time, what no stage has


class StageClock:
    """A `clock` for `Segmenter`: seconds by stage, added up until they are taken.

    settle: called before each look at the time, to await what a device still works on; while it waits no stage can hide
    behind another, so a clocked frame may take longer there.
    """

    def __init__(self, settle: Callable[[], None] = lambda: None):
        self._settle = settle
        self._seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        self._settle()
        start = time.perf_counter()
        yield
        self._settle()
        self._seconds[stage] += time.perf_counter() - start

    def take(self, whole: float) -> dict[str, float]:
        """Seconds by stage since the last call, and the rest of the `whole` that they are part of."""
        taken, self._seconds = self._seconds, dict.fromkeys(STAGES, 0.0)
        return taken | {REST: max(0.0, whole - sum(taken.values()))}
