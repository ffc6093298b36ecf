"""Systems that lack some of what POSIX has: nothing fails for that when it is imported, nor in a run."""

import subprocess
import sys

import pytest

# What packages use is there when they are imported; then it goes.
LACKING = """
import concurrent.futures.process, multiprocessing.pool, os, signal, sys
import av, cv2, fastapi, PIL.Image, rich.live, torch, tyro, uvicorn

for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for module, names in ((signal, "SIGHUP SIGKILL SIGALRM"), (os, "killpg sched_getaffinity getuid statvfs")):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
"""
EVERYTHING = """
import importlib, pkgutil, tempfile
from pathlib import Path
import camn

for module in pkgutil.walk_packages(camn.__path__, "camn."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)

from camn import cli
from camn.files import alone
from camn.projects.store import Store
from camn.speed.process import machine

with tempfile.TemporaryDirectory() as folder:
    with alone(Path(folder)), alone(Path(folder)):  # no locks: nobody is refused
        pass
    Store(Path(folder), 9, 0).close()
assert machine()["cores"] and cli.main(["models"]) == 0
print("all is there")
"""


def test_every_module_and_what_locks(capfd):
    pytest.importorskip("fastapi")
    done = subprocess.run([sys.executable, "-c", LACKING + EVERYTHING], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith("all is there\n"), done.stderr
