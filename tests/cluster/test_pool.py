"""The pool with workers that fail as they are told: everything ends once, nothing is tried too often."""

import threading
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.cluster.pool import Event, Pool, WorkerLost
from camn.cluster.process import Heard
from camn.cluster.tasks import Outcome, Task
from camn.errors import CamnError

HOW = st.sampled_from(["done", "own fault", "bad luck", "lost", "worse"])


def task(name, parts=()):
    return Task(name, "out", "v", ("m",), {}, {}, parts=tuple(parts))


@dataclass
class Scripted:
    """A worker by the rules of `Worker`, for which each attempt at a task goes as `script` says, at last done."""

    script: dict[str, list[str]]
    tried: Counter = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    starts: bool = True
    closed: int = 0

    def another(self):
        return Scripted(self.script, self.tried, self.order, self.lock)

    def ready(self):
        if not self.starts:
            raise WorkerLost("camn is not installed there")
        return True

    def start(self, content, attempt):
        self.name = content["name"]
        with self.lock:
            how = self.script.get(self.name, [])
            self.how = how[self.tried[self.name]] if self.tried[self.name] < len(how) else "done"
            self.tried[self.name] += 1
            assert attempt == self.tried[self.name]
            self.order.append(self.name)

    def poll(self, seconds):
        if self.how == "lost":
            raise WorkerLost("gone")
        if self.how == "worse":
            raise OSError("no room for another process")
        if self.how == "endless":
            return Heard(1)
        status = "done" if self.how == "done" else "failed"
        return Heard(1, Outcome(self.name, status, self.how, self.how == "own fault"))

    def stop(self):
        pass

    def close(self):
        self.closed += 1


def fate(how: list[str], retries: int) -> tuple[bool, int]:
    """(whether it is done in the end, after how many attempts), told slowly."""
    for attempt in range(1, retries + 2):
        now = how[attempt - 1] if attempt <= len(how) else "done"
        if now in ("done", "own fault") or attempt == retries + 1:
            return now == "done", attempt
    raise AssertionError


@settings(max_examples=40)
@given(
    script=st.dictionaries(st.sampled_from("abcdef"), st.lists(HOW, max_size=4)),
    retries=st.integers(0, 3),
    workers=st.integers(1, 3),
)
def test_every_task_ends_once(script, retries, workers):
    """a, b, c are videos; d, e the parts of f."""
    tasks = [*map(task, "abcde"), task("f", "de")]
    first = Scripted(script)
    pool = Pool([first, *(first.another() for _ in range(workers - 1))], retries)
    events = [event for event in pool.run(tasks) if event and event.outcome]
    assert all(isinstance(event, Event) and event.task for event in events)
    last = {event.task.name: event.outcome for event in events if not event.again}
    assert sorted(last) == list("abcdef") and sum(not event.again for event in events) == 6
    for name in "abcde":
        done, attempts = fate(script.get(name, []), retries)
        assert (last[name].status == "done", first.tried[name]) == (done, attempts)
    parts = all(fate(script.get(name, []), retries)[0] for name in "de")
    done, attempts = fate(script.get("f", []), retries)
    assert (last["f"].status == "done", first.tried["f"]) == ((done, attempts) if parts else (False, 0))
    if parts:
        assert first.order.index("f") > max(k for k, name in enumerate(first.order) if name in "de")
    else:
        assert "the part from frame 0" in last["f"].error


def test_workers_that_cannot_start(monkeypatch):
    monkeypatch.setattr("camn.cluster.pool.POLL", 0.01)
    broken = Scripted({}, starts=False)
    with pytest.raises(CamnError, match="no worker can start: camn is not installed there"):
        list(Pool([broken, broken], 2).run([task("a")]))
    good = Scripted({})
    ended = [event for event in Pool([broken, good], 2).run(list(map(task, "ab"))) if event and event.outcome]
    assert [event.outcome.status for event in ended] == ["done"] * 2 and not broken.tried


def test_a_worker_that_went_wrong_is_ended():
    """It might still be at work on the task, and its answer be taken for that to the next one."""
    first = Scripted({"a": ["worse"]})
    ended = [event for event in Pool([first], 1).run([task("a"), task("b")]) if event and event.outcome]
    assert [(event.outcome.name, event.again) for event in ended] == [("a", True), ("b", False), ("a", False)]
    assert first.closed == 2  # then, and at the end


@pytest.mark.parametrize("times", [1, 2])
def test_stopping_twice_does_not_wait(monkeypatch, times):
    """A task that does not stop is killed after a while; asked again, at once."""
    monkeypatch.setattr("camn.cluster.pool.GRACE", 600 if times == 2 else 0)
    pool = Pool([Scripted({"a": ["endless"]})], 0)
    stopped = []
    for event in pool.run([task("a")]):
        if event and event.task and not event.outcome:
            for _ in range(times):
                pool.stop()
        stopped += [event.outcome.status] if event and event.outcome else []
    assert stopped == ["stopped"]


def test_stopping_hands_out_nothing_more():
    first = Scripted({"a": ["bad luck"] * 99})
    pool = Pool([first], retries=99)
    for event in pool.run([task("a"), task("b"), task("c")]):
        if event and event.outcome:
            pool.stop()
    assert first.tried == {"a": 1}
