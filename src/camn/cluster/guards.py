"""What keeps a batch from being disturbed: by another one, and by signals."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from camn.cluster.manifest import OWN
from camn.cluster.places import is_url
from camn.cluster.pool import Pool
from camn.files import held

AGAIN = 1.0  # seconds: what comes sooner is the same signal, sent to a process and to its group


@contextmanager
def alone(out: str) -> Iterator[None]:
    """Two batches that write to one folder would do everything twice. Raises OutputError; a URL is not guarded."""
    if is_url(out):
        yield
        return
    with held(Path(out) / OWN / "lock", f"{out}: another batch is writing here"):
        yield


@contextmanager
def stopped_by_signals(pool: Pool) -> Iterator[None]:
    """The first SIGINT or SIGTERM stops the pool, the second kills what is at work, further ones do as ever."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    first = -math.inf

    def stop(number: int, frame: object) -> None:
        nonlocal first
        if pool.stopping.is_set():
            if time.monotonic() < first + AGAIN:
                return
            _restore(before)
        first = time.monotonic()
        pool.stop()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        _restore(before)


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
