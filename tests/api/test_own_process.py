"""What `camn` leaves of a process that only calls it, and what its own commands do to theirs."""

import json
import os
import subprocess
import sys

import pytest

from camn.api.own_process import wait_briefly

SEEN = """
import json, logging, os, signal, sys, warnings
import cv2, numpy as np, torch

def seen():
    return {
        "environment": dict(os.environ), "cv2": cv2.getNumThreads(), "torch": torch.get_num_threads(),
        "dtype": str(torch.get_default_dtype()), "products": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(), "gradients": torch.is_grad_enabled(),
        "warnings": [str(one) for one in warnings.filters], "numpy": np.geterr(), "folder": os.getcwd(),
        "signals": {number: str(signal.getsignal(number)) for number in (2, 15)}, "hook": str(sys.excepthook),
        "logging": [logging.root.level, [str(one) for one in logging.root.handlers]],
        "drawn": torch.rand(1).item() + np.random.rand(), "given_back": given_back(),
    }

def given_back():
    '''Of a block of 40 MiB how many the system has again once it is freed.'''
    def resident():
        return int(open("/proc/self/statm").read().split()[1]) / 256
    block = torch.ones(10 << 20)
    held = resident()
    del block
    return round(held - resident())

cv2.setNumThreads(2)
torch.set_num_threads(2)
torch.manual_seed(0)
np.random.seed(0)
before = seen()
"""

CALLS = """
import camn
frame, mask = np.zeros((64, 96, 3), np.uint8), np.eye(64, 96, dtype=np.uint8)
for options in ({"backend": "eager"}, {"backend": "eager", "flip": True}):
    segmenter = camn.load("camn-mobile", device="cpu", short_side=64, **options)
    segmenter.start(frame, mask)
    segmenter.step(frame)
    segmenter.correct(mask)
camn.models()
"""

CLIPS = """
from pathlib import Path
from PIL import Image
from camn.clips.dataset import ClipDataset, ClipOptions
from camn.datasets.stills import StillsFolder
for kind in ("images", "masks"):
    Path("stills/own", kind).mkdir(parents=True)
shown = np.zeros((90, 90), np.uint8)
shown[20:70, 20:70] = 1
Image.fromarray(np.repeat(shown[..., None] * 90, 3, 2)).save("stills/own/images/a.png")
Image.fromarray(shown).save("stills/own/masks/a.png")
ClipDataset(None, StillsFolder("stills"), ClipOptions(size=(64, 64), frames=2), seed=0, length=1)[0]
"""

COMMAND = """
from camn.cli import main
assert main(["models"]) == 0
"""


def before_and_after(code: str, folder) -> tuple[dict, dict]:
    tail = "\ntorch.manual_seed(0)\nnp.random.seed(0)\n" if code is COMMAND else ""
    program = f"{SEEN}{code}{tail}\nprint(json.dumps([before, seen()]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, check=True)
    return tuple(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("code", [CALLS, CLIPS], ids=["a network", "clips"])
def test_a_program_that_calls_camn_stays_as_it_was(code, tmp_path):
    again = "torch.manual_seed(0)\nnp.random.seed(0)\n"  # what is drawn from here on is what would have been drawn
    before, after = before_and_after(again + code, tmp_path)
    assert before.pop("given_back") > 30 and after.pop("given_back") > 30
    assert after == before


def test_our_own_commands_keep_freed_memory(tmp_path):
    takes = "import ctypes, sys; sys.exit(not ctypes.CDLL('libc.so.6').mallopt(-3, 1 << 30))"
    if subprocess.run([sys.executable, "-c", takes], capture_output=True).returncode:
        pytest.skip("the system's malloc takes no such threshold")
    before, after = before_and_after(COMMAND, tmp_path)
    assert before["given_back"] > 30 and after["given_back"] < 4


def test_threads_of_our_own_commands_wait_briefly_unless_it_is_said_how():
    seen = "import os, sys; from camn import cli; known = 'torch' in sys.modules; cli.main(['models']); "
    seen += "print(known, os.environ['GOMP_SPINCOUNT'])"
    free = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    for given, wanted in ((free, "1000"), (free | {"GOMP_SPINCOUNT": "7"}, "7")):
        done = subprocess.run([sys.executable, "-c", seen], env=given, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == f"False {wanted}"  # it is read when torch is imported
    said = {"OMP_WAIT_POLICY": "ACTIVE"}
    wait_briefly(said)
    assert said == {"OMP_WAIT_POLICY": "ACTIVE"}
