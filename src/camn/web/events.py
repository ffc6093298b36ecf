"""What has changed, numbered, so that a client that was away gets what it missed."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections import deque
from typing import Any

from camn.web.schemas import Job, Mask, Project

KEPT = 20_000  # events; a propagation makes two for each frame
Told = tuple[int, str]  # number, JSON


class Events:
    """Tells every listener of every change, in one order. Any thread may tell; listeners live in one event loop."""

    def __init__(self) -> None:
        self.run = secrets.token_hex(8)
        self.seq = 0
        self._kept: deque[Told] = deque(maxlen=KEPT)
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()

    def project(self, project: Project) -> None:
        self._tell({"type": "project", "project": project.model_dump()})

    def project_deleted(self, id: str) -> None:
        self._tell({"type": "project_deleted", "id": id})

    def mask(self, project: str, mask: Mask) -> None:
        self._tell({"type": "mask", "project": project, "mask": mask.model_dump()})

    def masks_cleared(self, project: str, first: int, last: int, kind: str) -> None:
        self._tell({"type": "masks_cleared", "project": project, "first": first, "last": last, "kind": kind})

    def job(self, job: Job) -> None:
        self._tell({"type": "job", "job": job.model_dump()})

    def _tell(self, event: dict[str, Any]) -> None:
        with self._lock:
            self.seq += 1
            told = self.seq, json.dumps({"seq": self.seq, **event})
            self._kept.append(told)
            for listener in self._listeners:
                listener.put(told[1])

    def listen(self, run: str | None = None, after: int | None = None) -> Listener:
        """A listener of what comes from now on; of one that was away, of what came after event `after`, too.

        Its first event is `hello`. To be called in the event loop, and closed there.
        """
        with self._lock:
            first = self._kept[0][0] if self._kept else self.seq + 1
            known = run == self.run and after is not None and first - 1 <= after <= self.seq
            since = after if known and after is not None else self.seq
            reload = not known and (run is not None or after is not None)
            hello = json.dumps({"type": "hello", "run": self.run, "seq": since, "reload": reload})
            missed = [text for seq, text in self._kept if seq > since]
            listener = Listener([hello, *missed])
            self._listeners.add(listener)
            return listener

    def leave(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.discard(listener)


class Listener:
    """The events that wait for one client, as JSON. One that does not read is sent away: it comes back later."""

    MOST = KEPT + 5000

    def __init__(self, first: list[str]):
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._late = False
        for event in first:
            self._queue.put_nowait(event)

    def put(self, event: str) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, event)

    def _take(self, event: str) -> None:
        self._late = self._late or self._queue.qsize() >= self.MOST
        if not self._late:
            self._queue.put_nowait(event)

    async def get(self) -> str | None:
        """The next event; None when this client is too far behind and should connect anew."""
        return None if self._late else await self._queue.get()
