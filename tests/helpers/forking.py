"""Python processes that begin with torch and camn imported: each is forked from one that imported them and did no more.

For tests that start many, of which each would pay seconds for imports. They are processes like all others, with number,
signals, pipes, folder and environment of their own. Tests of how a program begins start it as its users do.
"""

import atexit
import contextlib
import io
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["torch", "camn.cli", "camn.api.segment.run", "camn.web.app", "camn.web.studio"])


class Forked:
    """As `subprocess.Popen([sys.executable, "-c", CODE, ...], stdout=PIPE, stderr=PIPE, text=True)`, or `-m MODULE`.
    stderr: STDOUT, that it goes where the other goes."""

    def __init__(
        self,
        command: Sequence[str],
        stderr: int = subprocess.PIPE,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
    ):
        self.stdout, out = _pipe()
        self.stderr, error = _pipe() if stderr == subprocess.PIPE else (None, out)
        given = (tuple(map(str, command[1:])), str(cwd or Path.cwd()), dict(env or os.environ), out, error)
        self._process = _CONTEXT.Process(target=_run, args=given)
        self._process.start()
        out.close()
        error.close()
        assert self._process.pid
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    poll = returncode.fget

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a forked Python", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it has said and will say, to its end."""
        said = {self.stdout: "", self.stderr: ""}

        def listen(pipe: io.TextIOWrapper) -> None:
            with pipe:
                said[pipe] = pipe.read()

        listeners = [threading.Thread(target=listen, args=(pipe,), daemon=True) for pipe in said if pipe]
        for listener in listeners:
            listener.start()
        self.wait(timeout)
        for listener in listeners:
            listener.join()
        return said[self.stdout], said[self.stderr]


def run(
    command: Sequence[str], cwd: str | Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run(command, capture_output=True, text=True)`."""
    process = Forked(command, cwd=cwd, env=env)
    out, error = process.communicate()
    return subprocess.CompletedProcess(command, process.wait(), out, error)


def forgetting(*packages: str) -> str:
    """Code after which a process is as if it had not imported them."""
    return f"""
import sys
for name in [name for name in sys.modules if name.partition(".")[0] in {packages}]:
    del sys.modules[name]
"""


def _pipe() -> tuple[io.TextIOWrapper, Connection]:
    """-> what is read here, where a process writes."""
    read, write = os.pipe()
    return open(read, encoding="utf-8"), Connection(write, readable=False)


def _run(
    command: tuple[str, ...], folder: str, environment: dict[str, str], out: Connection, error: Connection
) -> None:
    """In the new process."""
    for number, pipe in ((1, out), (2, error)):
        os.dup2(pipe.fileno(), number)
    out.close()
    error.close()
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    tempfile.tempdir = None  # it is the environment's
    how, what, *arguments = command
    sys.argv = [how, *arguments]
    try:
        if how == "-c":
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
        else:
            runpy.run_module(what, run_name="__main__", alter_sys=True)
    finally:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
        atexit._run_exitfuncs()  # which a process of multiprocessing leaves out
