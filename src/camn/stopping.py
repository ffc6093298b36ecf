"""How a command ends when the system asks it to: in good order, as after Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 1.0  # seconds: what comes sooner is the same signal, sent to a process and to its group (as by `timeout`)


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end. number: of the signal."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP raise Stopped in the main thread, as Ctrl-C raises KeyboardInterrupt; a second signal
    ends the process at once. Signals that are ignored (nohup), or that somebody else handles, are left alone; so is all
    in another thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first = None

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal first
        handler = signal.getsignal(signal.SIGTERM)
        if number != signal.SIGINT and callable(handler) and handler is not stop:
            signal.raise_signal(signal.SIGTERM)  # who has taken that over, as a server does, knows how to end
        elif first is None:
            first = time.monotonic()
            raise KeyboardInterrupt if number == signal.SIGINT else Stopped(number)
        elif time.monotonic() - first > AGAIN:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    free = (signal.SIG_DFL, signal.default_int_handler)
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has not all of them
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: handler for number in numbers if (handler := signal.getsignal(number)) in free}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
