"""A worker process and who watches it: starts it, hears it, holds it to its memory limit, tells how it ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camn.cluster.tasks import Outcome
from camn.cluster.worker import TEMPORARY
from camn.errors import CamnError

LOOK = 0.05  # seconds between looks at the memory
GIB = 1 << 30
_SIGKILL = getattr(signal, "SIGKILL", 9)  # not named on Windows


@dataclass(frozen=True)
class Heard:
    """frames: of the task at work. outcome: of the task, once it has ended."""

    frames: int
    outcome: Outcome | None = None


class WorkerProcess:
    """One process with one model, started with its first task and again after it died. Not for several threads.

    limit: bytes of memory, stall: seconds without a further frame, above which it is killed.
    """

    def __init__(
        self,
        threads: int,
        limit: int | None = None,
        environment: Mapping[str, str] | None = None,
        stall: float | None = None,
    ):
        if limit and not Path("/proc/self/statm").exists():
            raise CamnError("a memory limit needs Linux's /proc; leave it out")
        self._threads, self._limit, self._stall = threads, limit, stall
        self._environment = {"OMP_NUM_THREADS": str(threads), **(environment or {})}
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._log: deque[str] = deque(maxlen=200)
        self._frames, self._done, self._name, self._moved = 0, 0, "", 0.0  # moved: when it last told of a frame
        self._own: tempfile.TemporaryDirectory[str] | None = None  # its TMPDIR, which it may be too dead to clear

    def ready(self) -> bool:
        """Whether it can be given a task."""
        return True

    def start(self, task: Mapping[str, Any], attempt: int) -> None:
        """Begin a task, given as `Task.to_dict` has it. A further attempt gets a process that has done no other: what
        those left in it can then be no cause."""
        if self._process is None or self._process.poll() is not None or (attempt > 1 and self._done):
            self._spawn()
        self._frames, self._name, self._moved = 0, task["name"], time.monotonic()
        self._log.clear()
        self._send({"task": task, "attempt": attempt})

    def poll(self, seconds: float) -> Heard:
        """How far the task is; waits so long at most for its end."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, min(LOOK, deadline - time.monotonic())))
            except queue.Empty:
                line = "" if self._process and self._process.poll() is None else self._last_line()
            if line is None:
                return Heard(self._frames, self._died())
            message = json.loads(line) if line else {}
            if message.get("frames", self._frames) != self._frames:
                self._frames, self._moved = message["frames"], time.monotonic()
            if "outcome" in message:
                self._done += 1
                return Heard(self._frames, self._with_log(message["outcome"]))
            if self._limit and (taken := self._resident()) > self._limit:
                return Heard(self._frames, self._over_limit(taken))
            if self._stall and time.monotonic() > self._moved + self._stall:
                return Heard(self._frames, self._stalled(self._stall))
            if time.monotonic() >= deadline:
                return Heard(self._frames)

    def stop(self) -> None:
        """Ask for the end of the task; its outcome comes by `poll`."""
        self._send({"stop": True})

    def close(self) -> None:
        """End the process, at once."""
        if self._process is None:
            return
        with suppress(OSError):
            if hasattr(os, "killpg"):  # not there on Windows
                os.killpg(self._process.pid, signal.SIGKILL)  # with its children, which may hold its pipes
            else:
                self._process.kill()
        self._process.wait()
        if self._own:
            self._own.cleanup()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                with suppress(OSError):  # what was not sent yet
                    pipe.close()
        self._process = None

    def _spawn(self) -> None:
        self.close()
        command = [sys.executable, "-m", "camn.cluster.worker", "--threads", str(self._threads)]
        command += ["--memory-limit", str(self._limit)] if self._limit else []
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._own = tempfile.TemporaryDirectory(prefix=TEMPORARY, ignore_cleanup_errors=True)
        environment = {**os.environ, **self._environment, "TMPDIR": self._own.name}
        options: dict[str, Any] = {"encoding": "utf-8", "errors": "replace", "bufsize": 1, "start_new_session": True}
        self._process = subprocess.Popen(command, env=environment, **options, **pipes)
        self._lines, self._done = queue.Queue(), 0
        self._readers = [
            threading.Thread(target=_read, args=(self._process.stdout, self._lines.put, True), daemon=True),
            threading.Thread(target=_read, args=(self._process.stderr, self._log.append, False), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process and self._process.stdin
        with suppress(OSError):  # it has died; `poll` will tell
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def _last_line(self) -> str | None:
        """What a process that has ended said and was not heard yet. Its pipe may stay open, held by a child."""
        self._readers[0].join(1)
        with suppress(queue.Empty):
            return self._lines.get_nowait()
        return None

    def _resident(self) -> int:
        """Bytes of memory that it has now; 0 when it has ended."""
        assert self._process
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _over_limit(self, taken: int) -> Outcome:
        """Killed: it cannot be asked while it takes more and more."""
        fresh = self._done == 0  # else what former videos left may be the cause
        self.close()
        when = "" if self._frames else " before its first frame"
        said = (
            f"took {taken / GIB:.2f} GiB of memory{when}, the limit is {(self._limit or 0) / GIB:.2f} GiB: give a "
            "larger --memory-limit, a smaller --max-side or --memory-frames, or split the video at keyframes"
        )
        return Outcome(self._name, "failed", said, fresh, self._frames, log=self._said())

    def _stalled(self, seconds: float) -> Outcome:
        self.close()
        said = f"came no further for {seconds / 60:g} minutes after {self._frames} frames, and was killed"
        return Outcome(self._name, "failed", said, False, self._frames, log=self._said())

    def _died(self) -> Outcome:
        assert self._process
        code = self._process.wait()
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        more = "; the system kills so when memory runs out" if code == -_SIGKILL else ""
        self._readers[1].join(1)
        self.close()
        last = "".join(f": {line}" for line in self._said().splitlines()[-1:])
        said = f"the worker process ended in the middle, {how}{more}{last}"
        return Outcome(self._name, "failed", said, False, self._frames, log=self._said())

    def _with_log(self, content: Mapping[str, Any]) -> Outcome:
        log = "\n".join(filter(None, (content["log"], self._said())))
        return Outcome(**{**content, "log": log})

    def _said(self) -> str:
        return "".join(list(self._log)).strip()


def _read(pipe: Any, take: Any, tell_end: bool) -> None:
    try:
        for line in pipe:
            take(line)
    except (OSError, ValueError):  # closed from here
        pass
    if tell_end:
        take(None)
