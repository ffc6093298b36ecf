"""Calls from outside: whatever the caller has set of torch and numpy, from whatever thread or process they come."""

import copy
import pickle
import sys
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from forking import run
from torch.overrides import TorchFunctionMode

import camn
from camn import weights
from camn.config import InferenceConfig, PostProcess
from camn.errors import CamnError
from camn.inference import Segmenter
from camn.inference.calls import own_settings
from camn.model.build import build_network

SMALL = {"device": "cpu", "backend": "eager", "short_side": 64, "post": PostProcess.off()}


def frame(index: int) -> np.ndarray:
    blocks = np.random.default_rng(7).integers(0, 256, (4, 6, 3), np.uint8)
    return np.roll(blocks.repeat(12, 0).repeat(12, 1), 3 * index, 1)


def mask(*ids: int) -> np.ndarray:
    ids_map = np.zeros((48, 72), np.uint8)
    for place, id in enumerate(ids):
        ids_map[12:36, 24 * place : 24 * place + 20] = id
    return ids_map


def answers(segmenter=None, **options) -> list[np.ndarray]:
    """All that a few calls answer, of a network opened here or of one given."""
    segmenter = segmenter or camn.load("camn-mobile", **SMALL | options)
    results = [segmenter.start(frame(0), mask(1, 9)), segmenter.step(segmenter.upload(frame(1)))]
    results += [segmenter.correct(mask(0, 0, 4)), segmenter.step(frame(2))]
    segmenter.remove(9)
    results.append(segmenter.step(frame(3)))
    return [part for r in results for part in (r.ids, *(r.probability(id) for id in r.confidence))]


@pytest.fixture(scope="module")
def plain() -> list[np.ndarray]:
    return answers()


def same(ours: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    return len(ours) == len(wanted) and all(map(np.array_equal, ours, wanted))


@contextmanager
def said(set, value, before):
    set(value)
    try:
        yield
    finally:
        set(before)


def products(value: str) -> None:
    torch.backends.fp32_precision = value


def products_of_onednn(value: str) -> None:
    torch.backends.mkldnn.matmul.fp32_precision = value


class Watching(TorchFunctionMode):
    def __torch_function__(self, function, types, arguments=(), named=None):
        return function(*arguments, **(named or {}))


SETTINGS = {
    "bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "float16": lambda: torch.autocast("cpu", torch.float16),
    "dtype float64": lambda: said(torch.set_default_dtype, torch.float64, torch.float32),
    "dtype bfloat16": lambda: said(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "tensor type": lambda: said(torch.set_default_tensor_type, torch.HalfTensor, torch.FloatTensor),
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
    "gradients": lambda: torch.set_grad_enabled(True),
    "device meta": lambda: said(torch.set_default_device, "meta", None),
    "device that is not there": lambda: said(torch.set_default_device, "cuda:7", None),
    "within a device": lambda: torch.device("meta"),
    "deterministic": lambda: said(torch.use_deterministic_algorithms, True, False),
    "products": lambda: said(torch.set_float32_matmul_precision, "medium", "highest"),
    "products of all": lambda: said(products, "bf16", "none"),
    "products of one": lambda: said(products_of_onednn, "bf16", "none"),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True, check_nan=True),
    "numpy": lambda: np.errstate(all="raise"),
    "watching": Watching,
}


def settings() -> list:
    """What can be seen of them."""
    backends = torch.backends
    return [
        torch.get_default_dtype(),
        *(torch.is_autocast_enabled(device) for device in ("cpu", "cuda")),
        *(torch.is_inference_mode_enabled(), torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled()),
        *(getattr(backends, "fp32_precision", ""), backends.mkldnn.matmul.fp32_precision, np.geterr()),
        *(backends.mkldnn.conv.fp32_precision, torch.get_num_threads()),
    ]


@pytest.mark.filterwarnings("ignore")  # of the settings themselves
@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_caller_change_nothing(name, plain):
    numbers = torch.get_rng_state()
    with SETTINGS[name]():
        before = settings()
        assert same(answers(), plain)
        assert settings() == before
    assert torch.equal(torch.get_rng_state(), numbers)  # an experiment of the caller's draws what it would have drawn


def test_settings_of_the_caller_and_an_ensemble():
    options = {"flip": True, "post": PostProcess()}
    wanted = answers(**options)
    with torch.autocast("cpu", torch.bfloat16), said(torch.set_default_dtype, torch.float64, torch.float32):
        assert same(answers(**options), wanted)


def test_settings_about_single_calls(plain):
    """Around one call and not around the one before: nothing of a setting stays in what is remembered."""
    segmenter = camn.load("camn-mobile", **SMALL)
    with torch.autocast("cpu", torch.bfloat16):
        first = segmenter.start(frame(0), mask(1, 9))
    with said(torch.set_default_dtype, torch.float64, torch.float32), torch.inference_mode():
        result = segmenter.step(frame(1))
    with torch.autocast("cpu", torch.float16):
        found = [r.probability(id) for r in (first, result) for id in (1, 9)]
    assert same([first.ids, *found[:2], result.ids, *found[2:]], plain[:6])


def test_a_network_that_was_made_under_settings(plain):
    """By the caller, in inference mode or with gradients, and followed with outside of it."""
    read = weights.read("camn-mobile")
    for mode in (torch.inference_mode, torch.enable_grad):
        with mode():
            network = build_network(read.config)
            network.load_state_dict(read.state)
            inside = Segmenter(network, InferenceConfig(short_side=64))
            assert same(answers(inside), plain)
        assert same(answers(inside), plain)
        assert same(answers(Segmenter(network, InferenceConfig(short_side=64))), plain)


def test_several_threads_share_the_settings_of_the_process(plain):
    """Each puts its own back, and none finds that of another."""
    found: dict[int, list[np.ndarray]] = {}
    with said(torch.set_default_dtype, torch.float64, torch.float32):
        fresh = camn.load("camn-mobile", **SMALL)
        threads = [threading.Thread(target=lambda k=k: found.update({k: answers(copy.copy(fresh))})) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert torch.get_default_dtype() == torch.float64
    assert len(found) == 4 and all(same(one, plain) for one in found.values())


def test_settings_come_back_after_an_error():
    segmenter = camn.load("camn-mobile", **SMALL)
    with torch.autocast("cpu", torch.bfloat16), said(torch.set_default_dtype, torch.float64, torch.float32):
        before = settings()
        with pytest.raises(CamnError, match="step before start"):
            segmenter.step(frame(0))
        assert settings() == before


def test_settings_that_enclose_each_other():
    with said(torch.set_default_dtype, torch.float64, torch.float32), own_settings():
        with own_settings(inference=False):
            assert torch.ones(1).dtype == torch.float32 and torch.is_grad_enabled()
        assert torch.get_default_dtype() == torch.float32 and torch.is_inference_mode_enabled()


# --- threads, copies, processes --------------------------------------------------------------------------------------


class Waiting:
    """A clock that stops in the middle of a frame until it is told to go on."""

    def __init__(self):
        self.inside, self.go = threading.Event(), threading.Event()

    @contextmanager
    def __call__(self, stage: str):
        if stage == "match":
            self.inside.set()
            assert self.go.wait(60)
        yield


def test_a_second_thread_is_told(mobile):
    clock = Waiting()
    segmenter = Segmenter(mobile, InferenceConfig(short_side=32, max_side=64), clock=clock)
    segmenter.start(frame(0), mask(1))
    thread = threading.Thread(target=segmenter.step, args=[frame(1)])
    thread.start()
    assert clock.inside.wait(60)
    for call in (lambda: segmenter.step(frame(2)), lambda: segmenter.correct(mask(1)), lambda: segmenter.remove(1)):
        with pytest.raises(CamnError, match="another thread .* copy"):
            call()
    segmenter.upload(frame(2))  # any thread may do this
    clock.go.set()
    thread.join()
    assert segmenter.index == 1 and segmenter.step(frame(2)).index == 2


@pytest.mark.parametrize(
    "options", [{}, {"flip": True}, {"post": PostProcess()}], ids=["segmenter", "ensemble", "post-processed"]
)
def test_copies_and_pickles(options):
    segmenter = camn.load("camn-mobile", **SMALL | options)
    segmenter.start(frame(0), mask(1))
    wanted = copy.copy(segmenter).step(frame(1)).probability(1)
    for other in (copy.copy(segmenter), copy.deepcopy(segmenter)):
        assert np.array_equal(other.step(frame(1)).probability(1), wanted)
        assert (segmenter.index, other.index) == (0, 1)
    with pytest.raises(CamnError, match="cannot be pickled.* camn.load"):
        pickle.dumps(segmenter)


FORKED = """
import os, sys, numpy as np, torch, camn
torch.set_num_threads(int(sys.argv[1]))
segmenter = camn.load("camn-mobile", device="cpu", backend="eager", short_side=64)
frame, mask = np.zeros((64, 96, 3), np.uint8), np.eye(64, 96, dtype=np.uint8)
wanted = segmenter.start(frame, mask).probability(1) if sys.argv[2] == "ran" else None
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
for call in (lambda: segmenter.start(frame, mask), lambda: camn.load("camn-mobile", device="cpu"), camn.models):
    try:
        call()
        told = False
    except camn.CamnError as error:
        told = "spawn" in str(error)
    if told != (sys.argv[1] == "2"):
        os._exit(1)
torch.set_num_threads(1)
found = segmenter.start(frame, mask).probability(1)
os._exit(0 if wanted is None or np.allclose(found, wanted, atol=1e-4) else 2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no forks")
@pytest.mark.parametrize(("threads", "before"), [("2", "loaded"), ("1", "ran")])
def test_a_forked_process_is_told_instead_of_waiting_for_ever(threads, before):
    assert run([sys.executable, "-c", FORKED, threads, before]).returncode == 0
