"""Systems that lack some of what Linux has: nothing fails for that, neither at an import nor at work."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camn import files

# Read at the start of each process, those that commands start as well. camn alone is given modules without what Windows
# or macOS lack: packages have their own ways there. Files are opened as there, too: never by an encoding that only
# Linux takes for granted.
LACKING = """
import builtins, ctypes, io, os, signal, types, warnings

MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog"}
LOST = {
    "os": "killpg getpgid setpgid setsid fork forkpty wait waitid WNOHANG sched_getaffinity sched_setaffinity getuid "
    "geteuid getgid getegid statvfs sysconf uname mkfifo mknod nice getloadavg chown lchown fchown fchmod sendfile "
    "posix_fallocate posix_fadvise pread pwrite sync getxattr O_DIRECTORY O_NOFOLLOW O_CLOEXEC O_NONBLOCK",
    "signal": "SIGHUP SIGKILL SIGALRM SIGUSR1 SIGUSR2 SIGQUIT SIGPIPE SIGCHLD SIGSTOP SIGCONT alarm setitimer "
    "pthread_kill pthread_sigmask sigwait pause",
    "time": "clock_gettime CLOCK_MONOTONIC tzset",
    "socket": "AF_UNIX SO_REUSEPORT",
}

def without(module, *names, **new):
    lacking = types.ModuleType(module.__name__)
    lacking.__dict__.update({name: value for name, value in vars(module).items() if name not in names}, **new)
    return lacking

def library(name, *rest, **more):
    if name is None:
        raise TypeError("a name is wanted")
    if "libc" in name:
        raise OSError(name)
    return known_library(name, *rest, **more)

def imported(name, scope=None, *rest, **more):
    mine = (scope or {}).get("__name__", "").partition(".")[0] == "camn"
    if mine and name in MODULES:
        raise ModuleNotFoundError(name)
    module = known_import(name, scope, *rest, **more)
    if mine and name in LOST:
        return without(module, *LOST[name].split())
    return without(module, CDLL=library) if mine and name == "ctypes" else module

def refusing(known):
    def call(path, *rest, **more):
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith("/proc"):
            raise FileNotFoundError(2, "No such file or directory", path)
        return known(path, *rest, **more)
    return call

known_import, known_library = builtins.__import__, ctypes.CDLL
builtins.__import__ = imported
io.open, os.stat = refusing(io.open), refusing(os.stat)  # what pathlib calls
warnings.filterwarnings("error", category=EncodingWarning, module="camn")
"""
EVERYTHING = """
import importlib, pkgutil, signal, sys, threading, urllib.request
from pathlib import Path
import camn

for module in pkgutil.walk_packages(camn.__path__, "camn."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)

from camn import cli, stopping
from camn.cluster import process
from camn.files import alone
from camn.projects.store import Store
from camn.speed.process import machine, peak_memory
from camn.web.server import ServeOptions, serve

assert not any(hasattr(module, name) for module, name in ((stopping.signal, "SIGHUP"), (process.os, "killpg")))
with alone(Path("locked")), alone(Path("locked")):  # no locks: nobody is refused
    pass
assert machine()["cores"] and peak_memory(camn.load(device="cpu").device) == 0
for line in Path("commands").read_text("utf-8").splitlines():
    assert cli.main(line.split()) == 0, line

browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

def visit(said):
    if not said.startswith("camn: http"):
        return
    def ask():
        try:
            with browser.open(said.removeprefix("camn: ")) as page:
                print("served", page.status)
        finally:
            signal.raise_signal(signal.SIGINT)
    threading.Thread(target=ask).start()

try:
    serve([Path("frames")], ServeOptions(browser=False), say=visit)
except KeyboardInterrupt:
    print("all is there")
"""
COMMANDS = """\
models
segment frames --masks first.png --out out --export prores
mark frames --click 20,14 --out marked.png
batch jobs.csv --out batch --workers 1
data check davis
evaluate davis --year 2016
"""


@pytest.fixture
def place(tmp_path) -> Path:
    frames = np.random.default_rng(0).integers(0, 255, (3, 32, 48, 3), dtype=np.uint8)
    mask = np.zeros((32, 48), np.uint8)
    mask[8:20, 10:30] = 1
    for folder in ("frames", "davis/JPEGImages/480p/a", "davis/Annotations/480p/a"):
        (tmp_path / folder).mkdir(parents=True)
        for number, frame in enumerate(frames):
            picture = Image.fromarray(mask * 255 if "Annotations" in folder else frame)
            picture.save(tmp_path / folder / f"{number:05d}.{'png' if 'Annotations' in folder else 'jpg'}")
    Image.fromarray(mask).save(tmp_path / "first.png")
    (tmp_path / "jobs.csv").write_text("video,masks\nframes,first.png\n")
    (tmp_path / "davis/ImageSets/480p").mkdir(parents=True)
    (tmp_path / "davis/ImageSets/480p/val.txt").write_text(
        "".join(f"/JPEGImages/480p/a/{n:05d}.jpg /Annotations/480p/a/{n:05d}.png\n" for n in range(3))
    )
    (tmp_path / "commands").write_text(COMMANDS)
    (tmp_path / "sitecustomize.py").write_text(LACKING)
    return tmp_path


def test_every_module_and_the_commands(place):
    pytest.importorskip("fastapi")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(place), os.environ.get("PYTHONPATH")))),
        "PYTHONWARNDEFAULTENCODING": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING], cwd=place, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.endswith("served 200\nall is there\n"), done.stdout + done.stderr
    assert len(list((place / "out" / "masks").iterdir())) == 3
    assert (place / "batch" / "frames" / "masks").is_dir() and (place / "marked.png").exists()


def test_files_are_synced_where_that_needs_them_open_for_writing_and_folders_cannot_be_opened(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    known_open, synced = os.open, []

    def opened(path, flags):
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return known_open(path, flags)

    def written_out(file):
        if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        synced.append(file)

    monkeypatch.setattr(files, "_TO_SYNC", os.O_RDWR)
    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", written_out)
    files.write_whole(tmp_path / "a", b"kept", lasting=True)
    assert (tmp_path / "a").read_bytes() == b"kept" and len(synced) == 1
