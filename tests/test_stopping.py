"""How a command ends by signals, in small processes that wait for them."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from camn.stopping import stopped_by_signals

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs signals as POSIX has them")

# Says `ready`, is stopped, and takes as long to end as it is let (until a line comes).
WAITS = """
import signal, sys, threading
from camn.stopping import stopped_by_signals
{before}
with stopped_by_signals():
    try:
        print("ready", flush=True)
        threading.Event().wait(600)
    except KeyboardInterrupt as stop:
        print(type(stop).__name__, getattr(stop, "number", None), flush=True)
        sys.stdin.readline()
        print("whole", flush=True)
"""
# What runs beside a shell is started without the first, what nohup starts without the second.
DEFAULT = "signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGHUP, signal.SIG_DFL)"


def start(before: str = DEFAULT) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WAITS.format(before=before)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert said(process) == "ready"
    return process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.mark.parametrize(
    ("number", "name"),
    [(signal.SIGTERM, "Stopped 15"), (signal.SIGHUP, "Stopped 1"), (signal.SIGINT, "KeyboardInterrupt None")],
)
def test_the_first_signal_is_as_ctrl_c(number, name):
    process = start()
    process.send_signal(number)
    assert said(process) == name
    out, error = process.communicate("go on\n")
    assert out == "whole\n" and not error and process.returncode == 0


def test_the_same_signal_twice_at_once_is_one():
    """As `timeout` sends it, to the process and to its group."""
    process = start()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
        process.send_signal(number)
    assert said(process).startswith("Stopped")
    process.send_signal(signal.SIGTERM)
    assert process.communicate("go on\n")[0] == "whole\n" and process.returncode == 0


def test_a_second_signal_ends_it_at_once():
    process = start("import camn.stopping\ncamn.stopping.AGAIN = 0.0\n" + DEFAULT)
    process.send_signal(signal.SIGHUP)
    assert said(process) == "Stopped 1"
    process.send_signal(signal.SIGTERM)
    assert process.communicate()[0] == "" and process.returncode == -signal.SIGTERM


def test_what_is_ignored_stays_so():
    """As by nohup."""
    process = start("signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert said(process) == "Stopped 15"
    process.communicate("go on\n")


def test_who_handles_sigterm_is_told_of_sighup():
    """As a server and a batch, which end in their own way."""
    code = WAITS.format(before=DEFAULT).replace(
        'print("ready"', 'signal.signal(signal.SIGTERM, lambda *_: print("mine", flush=True)); print("ready"'
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert said(process) == "ready"
    process.send_signal(signal.SIGHUP)
    assert said(process) == "mine"
    process.kill()
    process.communicate()


@pytest.fixture
def usual():
    """Handlers as a command finds them; a library that another test has used (Ray) may have set its own."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_handlers_are_put_back_and_other_threads_set_none(usual):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    def nothing():
        with stopped_by_signals():
            assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before

    thread = threading.Thread(target=nothing)
    thread.start()
    thread.join()
    with stopped_by_signals():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_the_library_alone_sets_no_handler():
    code = "import signal, camn, camn.api; print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert done.stdout == "True\n", done.stderr
