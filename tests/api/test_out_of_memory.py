"""Memory that runs out is told as such, and nothing else is."""

import subprocess
import sys

import pytest
import torch

from camn.api.out_of_memory import enough_memory
from camn.errors import CamnError

# Of a process that may have 300 MB more than it has: first what fits, then a bug, then what does not fit.
SMALL = """
import resource
import torch
from camn import api
from camn.errors import CamnError

torch.rand(64, 64) @ torch.rand(64, 64)  # what is loaded once is
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 300_000_000, resource.RLIM_INFINITY))
with api.enough_memory((480, 854), 1):
    torch.zeros(1_000_000)
try:
    with api.enough_memory((480, 854), 1):
        torch.zeros(2, 3) @ torch.zeros(2, 3)
except RuntimeError as error:
    print("bug:", type(error).__name__)
held = []
try:
    with api.enough_memory((480, 854), 1):
        while True:
            held.append(torch.empty(40_000_000, dtype=torch.uint8))
except CamnError as error:
    print("told:", error)
"""


def test_a_cpu_that_has_no_room(tmp_path):
    done = subprocess.run([sys.executable, "-c", SMALL], capture_output=True, text=True, check=True)
    bug, told = done.stdout.splitlines()
    assert bug == "bug: RuntimeError"
    assert told.startswith("told: not enough memory for 1 objects on frames of 854x480: give a smaller --max-side")


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("no more")])
def test_errors_that_say_so_by_their_kind(error):
    with (
        pytest.raises(CamnError, match="not enough memory for 3 objects on frames of 200x100"),
        enough_memory((100, 200), 3),
    ):
        raise error


@pytest.mark.parametrize("error", [RuntimeError("can't allocate memory"), NotImplementedError("x"), ValueError("y")])
def test_words_decide_nothing(error):
    with pytest.raises(type(error), match=str(error)), enough_memory((100, 200), 3):
        raise error
