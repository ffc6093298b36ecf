"""What all tests share: threads, hypothesis settings, the data beside the checkout."""

import os
import signal
import tempfile
from pathlib import Path

import cv2
import hypothesis
import numpy as np
import pytest
import torch

from camn import cli

# Tests run on several workers: one thread each, here and in the processes that tests start, keeps them apart.
os.environ["OMP_NUM_THREADS"] = "1"
# Nothing is measured or exported unless a test is about that, and nothing is kept in the user's own cache.
os.environ["CAMN_BACKEND"] = "eager"
os.environ["CAMN_CACHE"] = str(Path(tempfile.gettempdir()) / f"camn-tests-{os.getuid()}")
torch.set_num_threads(1)
cv2.setNumThreads(1)
# What nohup starts, or a shell beside itself, ignores these signals, and so would all that it starts in turn. Handled
# by us they do as little, and what tests start has them as ever.
for _signal in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(_signal) == signal.SIG_IGN:
        signal.signal(_signal, lambda number, frame: None)

# No deadline: how long an example takes is the machine's matter. CI takes the same examples every time.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow") and config.getoption("-m") != "slow":
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="takes minutes; run with --slow"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data and golden arrays beside the checkout; the test is skipped where there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("CAMN_SHARED") or beside)
    if not folder.is_dir():
        pytest.skip(f"no shared data: {folder} is not a folder (set CAMN_SHARED to where it is)")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with the same seed for each test."""
    return np.random.default_rng(0)


@pytest.fixture
def synced(monkeypatch) -> list[str]:
    """The names of files and folders that are brought to the disk itself, in order, as the test goes on."""
    names: list[str] = []
    fsync = os.fsync

    def watched(file: int) -> None:
        fsync(file)
        names.append(Path(os.readlink(f"/proc/self/fd/{file}")).name)

    monkeypatch.setattr(os, "fsync", watched)
    return names


@pytest.fixture
def command(place, monkeypatch, capsys):
    """Runs a command in the folder `place` of its tests -> (exit code, stdout, stderr)."""
    monkeypatch.chdir(place)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        return code, *capsys.readouterr()

    return run
