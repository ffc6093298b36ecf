"""Who watches a worker process: its end is noticed and told, however it ends. The process here is a small stand-in."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from camn.cluster.process import WorkerProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
STAND_IN = """\
    #!{python}
    import json, os, signal, subprocess, sys
    for line in sys.stdin:
        name = json.loads(line)["task"]["name"]
        if name == "killed, with a child":  # which keeps its pipes open
            print("Error: the reason", file=sys.stderr, flush=True)
            child = subprocess.Popen(["sleep", "600"])
            print(json.dumps({{"frames": child.pid}}), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "stuck":
            print(json.dumps({{"frames": 3}}), flush=True)
            signal.pause()
        if name == "big":
            held = bytearray(300 << 20)
            signal.pause()
        outcome = {{"name": name, "status": "done", "log": str(os.getpid())}}
        print(json.dumps({{"outcome": outcome}}), flush=True)
        if name == "last":
            sys.exit(0)
"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    program = tmp_path / "worker"
    program.write_text(textwrap.dedent(STAND_IN).format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(program))
    worker = WorkerProcess(1, limit=150 << 20)
    yield worker
    worker.close()


def outcome(worker, name, attempt=1):
    worker.start({"name": name}, attempt)
    while True:
        heard = worker.poll(5)
        if heard.outcome:
            return heard.outcome


def test_a_death_is_noticed_though_a_child_lives(worker, wait_until):
    worker.start({"name": "killed, with a child"}, 1)
    heard = worker.poll(60)
    assert heard.outcome and not heard.outcome.final and heard.frames
    assert "ended in the middle, by signal SIGKILL" in heard.outcome.error
    assert heard.outcome.error.endswith(": Error: the reason") and heard.outcome.log == "Error: the reason"
    wait_until(lambda: not os.path.exists(f"/proc/{heard.frames}") or _is_zombie(heard.frames))
    assert outcome(worker, "the next").status == "done"


def _is_zombie(pid):
    """Ended, but of a parent that has not asked."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"


def test_what_was_said_before_the_end_counts(worker):
    assert outcome(worker, "last").status == "done"


def test_a_further_attempt_gets_a_fresh_process(worker):
    first = outcome(worker, "one").log
    assert outcome(worker, "two").log == first != outcome(worker, "three", attempt=2).log


def test_signals_are_for_who_started_it(wait_until):
    """As of a terminal that is closed, or of a service that ends: these come to a whole group of processes."""
    command = [sys.executable, "-m", "camn.cluster.worker", "--threads", "1"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def ignored():
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(status.split("SigIgn:")[1].split()[0], 16)

    wait_until(lambda: all(ignored() >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
    process.send_signal(signal.SIGTERM)
    process.communicate()  # it ends when nobody wants it
    assert process.returncode == 1


def test_one_that_comes_no_further(worker, monkeypatch):
    monkeypatch.setattr(worker, "_stall", 1.5)
    said = outcome(worker, "stuck")
    assert said.error == "came no further for 0.025 minutes after 3 frames, and was killed" and not said.final
    assert outcome(worker, "the next").status == "done"


def test_memory_is_a_videos_own_fault_in_a_fresh_process_alone(worker):
    outcome(worker, "one")
    blamed = [outcome(worker, "big", attempt) for attempt in (1, 2)]
    assert [said.final for said in blamed] == [False, True]
    assert all("GiB of memory before its first frame, the limit is 0.15 GiB" in said.error for said in blamed)
