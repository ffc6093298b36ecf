"""Bars on a terminal, lines elsewhere; in notebooks: tests/docs/test_notebook.py."""

import os
import pty
import subprocess
import sys

import camn
from camn.api import Progress

STEPS = [Progress(1, 3, 0.5), Progress(2, 3, 1.0), Progress(3, 3, 1.5, "loss 0.1 & <b>")]


def test_lines_where_there_is_no_terminal(capsys):
    for bar in (camn.progress_bar(), camn.progress_bar("train", "steps")):
        for step in STEPS:
            bar(step)
    first, last, train, *_ = capsys.readouterr().err.splitlines()
    assert first == "1/3 frames, 2.00 frames/s, 0:00:01 left"
    assert last == "3/3 frames, 2.00 frames/s, 0:00:00 left, loss 0.1 & <b>"
    assert train == "train: 1/3 steps, 2.00 steps/s, 0:00:01 left"


SCRIPT = """
import sys
from camn.api import Progress
from camn.progress import progress_bar

def work(progress):
    progress(Progress(1, None, 0.5))
    progress(Progress(2, None, 1.0))

work(progress_bar("walk"))
print("dropped", file=sys.stderr)
with progress_bar("run") as bar:
    bar(Progress(4, 3, 1.0, "clip [/b]"))
print("over", file=sys.stderr)
"""


def test_a_bar_on_a_terminal_ends_with_its_block_or_when_it_is_dropped():
    """While it stands the cursor is hidden, and other output goes above it."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=theirs, env={**os.environ, "TERM": "xterm"}):
        os.close(theirs)
        said = b""
        try:
            while more := os.read(ours, 4096):
                said += more
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    walk, _, run = said.decode().partition("dropped")
    for shown, name in ((walk, "walk"), (run.partition("over")[0], "run")):
        assert name in shown and shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1
        assert shown.index("\x1b[?25l") < shown.index("\x1b[?25h")
    assert "2 frames, 2.00 frames/s" in walk and "4/3 frames" in run and "clip [/b]" in run


def test_nothing_where_there_is_no_stderr(monkeypatch, capfd):
    monkeypatch.setattr(sys, "stderr", None)
    camn.progress_bar()(STEPS[-1])
    assert capfd.readouterr() == ("", "")
