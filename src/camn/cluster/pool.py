"""A pool of workers, wherever they run: each is handed a task when it is free, and no sooner."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from camn.cluster.process import Heard
from camn.cluster.tasks import Outcome, Task
from camn.errors import CamnError, words_of

POLL = 0.5  # seconds between what a worker says of a task; with more than 50 workers more, not to hear 100 a second
LONGEST = 10.0  # at most so many
STARTS = 5  # a worker that cannot start so often in a row is given up
GRACE = 20.0  # seconds that workers have to stop


class WorkerLost(Exception):
    """The worker, or the machine it was on, is no more."""


class Worker(Protocol):
    """What `WorkerProcess` does, here or elsewhere. Every call but `close` may raise WorkerLost; then it is a new one,
    and ready when there is room for it."""

    def ready(self) -> bool: ...
    def start(self, task: Mapping[str, Any], attempt: int) -> None: ...
    def poll(self, seconds: float) -> Heard: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Event:
    """What happened at a worker: it is free (no task), is at work (frames so far), or has ended a task (outcome), which
    will be tried again or not. given_up: it cannot start, and why."""

    worker: int
    task: Task | None = None
    attempt: int = 0
    frames: int = 0
    outcome: Outcome | None = None
    again: bool = False
    given_up: str = ""


@dataclass
class Pool:
    """Runs tasks. `stop` may be called from another thread or a signal's handler: what is at work stops; called again,
    it is killed. ready: how often a worker was ready for a task."""

    workers: Sequence[Worker]
    retries: int
    stopping: threading.Event = field(default_factory=threading.Event)
    ready: int = 0

    def __post_init__(self):
        self._events: queue.Queue[Event] = queue.Queue()
        self._inboxes: list[queue.Queue[tuple[Task, int] | None]] = [queue.Queue() for _ in self.workers]
        self._threads: list[threading.Thread] = []
        self._hurried = threading.Event()
        self._poll = min(LONGEST, max(POLL, len(self.workers) / 100))

    def run(self, tasks: Sequence[Task], pause: float = 0.5) -> Generator[Event | None, None, None]:
        """Yields what happens, None after each `pause` in which nothing does, until all tasks have ended. A task whose
        outcome is not final is tried again, behind the others. Raises CamnError when no worker can start."""
        agenda = _Agenda(tasks, self.retries)
        idle: list[int] = []
        given_up = 0
        self._begin()
        try:
            while agenda.left and not (self.stopping.is_set() and not agenda.working):
                while idle and agenda.ready and not self.stopping.is_set():
                    self._inboxes[idle.pop()].put(agenda.take())
                try:
                    event = self._events.get(timeout=pause)
                except queue.Empty:
                    yield None
                    continue
                if event.given_up:
                    given_up += 1
                    if given_up == len(self.workers):
                        raise CamnError(f"no worker can start: {event.given_up}")
                elif event.task is None:
                    self.ready += 1
                    idle.append(event.worker)
                elif event.outcome is None:
                    yield event
                else:
                    yield from agenda.ended(event)
        finally:
            self._end()

    def stop(self) -> None:
        if self.stopping.is_set():
            self._hurried.set()
        self.stopping.set()

    def _begin(self) -> None:
        for number in range(len(self.workers)):
            thread = threading.Thread(target=self._serve, args=(number,), name=f"camn-worker-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _end(self) -> None:
        self.stopping.set()
        for inbox in self._inboxes:
            inbox.put(None)
        deadline = time.monotonic() + GRACE + self._poll + 5
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))

    # --- in a worker's thread ----------------------------------------------------------------------------------------

    def _serve(self, number: int) -> None:
        worker = self.workers[number]
        try:
            while self._wait_for(number):
                self._events.put(Event(number))
                work = self._inboxes[number].get()
                if work is None:
                    return
                self._events.put(Event(number, *work, outcome=self._attempt(number, *work)))
        finally:
            worker.close()

    def _wait_for(self, number: int) -> bool:
        """Until the worker has a place to run; False if it cannot start, or the run ends before."""
        failures = 0
        while not self.stopping.is_set():
            try:
                if self.workers[number].ready():
                    return True
            except Exception as error:  # whatever it is, it must not leave the run waiting
                failures += 1
                if failures == STARTS:
                    self._events.put(Event(number, given_up=words_of(error)))
                    return False
                self.stopping.wait(POLL)
        return False

    def _attempt(self, number: int, task: Task, attempt: int) -> Outcome:
        asked: float | None = None  # when it was to stop
        try:
            worker = self.workers[number]
            worker.start(task.to_dict(), attempt)
            while True:
                heard = worker.poll(self._poll)
                if heard.outcome:
                    return heard.outcome
                self._events.put(Event(number, task, attempt, heard.frames))
                if self.stopping.is_set() and asked is None:
                    asked = time.monotonic()
                    worker.stop()
                if asked is not None and (self._hurried.is_set() or time.monotonic() > asked + GRACE):
                    return Outcome(task.name, "stopped", "did not stop in time and was killed")
        except WorkerLost as error:
            return Outcome(task.name, "failed", str(error))
        except Exception as error:  # as no memory for another process: the others may go on
            with suppress(Exception):
                self.workers[number].close()  # it may be at work, and would tell of this task when asked of the next
            said = f"no worker could do it ({words_of(error)})"
            return Outcome(task.name, "failed", said, log=traceback.format_exc())


class _Agenda:
    """Which tasks can be done now, which wait for parts, and how often each was tried."""

    def __init__(self, tasks: Sequence[Task], retries: int):
        names = {task.name for task in tasks}
        self._waits = {task.name: {part for part in task.parts if part in names} for task in tasks}
        self._joins = {part: task for task in tasks for part in self._waits[task.name]}
        self._tries = dict.fromkeys(names, 0)
        self._retries = retries
        self.ready = deque(task for task in tasks if not self._waits[task.name])
        self.left = len(tasks)
        self.working = 0

    def take(self) -> tuple[Task, int]:
        """The next task, and the number of this attempt at it."""
        task = self.ready.popleft()
        self.working += 1
        self._tries[task.name] += 1
        return task, self._tries[task.name]

    def ended(self, event: Event) -> list[Event]:
        """Takes in a worker's outcome. The same event; and, where a part failed for good, that of the whole video."""
        task, outcome = event.task, event.outcome
        assert task and outcome
        self.working -= 1
        if outcome.status == "failed" and not outcome.final and self._tries[task.name] <= self._retries:
            self.ready.append(task)
            return [replace(event, again=True)]
        self.left -= 1
        join = self._joins.get(task.name)
        if join is None or join.name not in self._waits:
            return [event]
        if outcome.status == "done":
            self._waits[join.name].discard(task.name)
            if not self._waits[join.name]:
                self.ready.appendleft(join)  # before further videos: it frees the parts' room
            return [event]
        del self._waits[join.name]  # told once, with its first part that failed
        self.left -= 1
        said = replace(outcome, name=join.name, error=f"the part from frame {task.span[0]}: {outcome.error}")
        return [event, replace(event, task=join, outcome=said)]
