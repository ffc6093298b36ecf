"""Handing what comes, at its own pace, to who takes it at theirs."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")

_LOOK = 0.5  # seconds: so often a waiting thread looks up, as not every system wakes it for Ctrl-C
_WAITING = 2  # items, where none may be lost


class Handover(Generic[Item]):
    """Between a thread that gives items and one that takes them. newest: of what waits only the newest is kept, the
    rest is dropped and counted; else who gives waits for room."""

    def __init__(self, newest: bool):
        self.newest, self.dropped, self.stopped = newest, 0, False
        self._waiting: deque[Item] = deque()
        self._ended = False
        self._change = threading.Condition()

    def put(self, item: Item) -> bool:
        """Whether more is wanted."""
        with self._change:
            if self.newest and self._waiting:
                self._waiting.clear()
                self.dropped += 1
            while len(self._waiting) >= _WAITING and not self.stopped:
                self._change.wait(_LOOK)
            self._waiting.append(item)
            self._change.notify_all()
            return not self.stopped

    def end(self) -> None:
        """Nothing more comes."""
        with self._change:
            self._ended = True
            self._change.notify_all()

    def stop(self) -> None:
        """Nothing more is wanted."""
        with self._change:
            self.stopped = True
            self._change.notify_all()

    def peek(self, wait: float | None = None) -> Item | None:
        """What would be taken; None at the end, or if nothing came within so many seconds."""
        until = None if wait is None else time.monotonic() + wait
        with self._change:
            while not self._waiting and not self._ended:
                if until is not None and time.monotonic() > until:
                    return None
                self._change.wait(_LOOK)
            return self._waiting[0] if self._waiting else None

    def take(self) -> Item | None:
        """The oldest that waits; None at the end."""
        with self._change:
            item = self.peek()
            if item is not None:
                self._waiting.popleft()
                self._change.notify_all()
            return item
