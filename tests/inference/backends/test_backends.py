"""Every backend answers what torch answers; `auto` measures, keeps what it found, and never fails where torch would
not."""

import copy
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from camn import lean
from camn.config import InferenceConfig
from camn.errors import ConfigError
from camn.inference import Segmenter
from camn.inference.backends import Backends

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

SIZE = (48, 64)


def frame(index: int) -> np.ndarray:
    noise = np.random.default_rng(2).integers(0, 256, (12, 16, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    return np.roll(noise, (index, 2 * index), (0, 1))


def mask() -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[8:30, 6:28], ids[20:44, 36:58] = 4, 9
    return ids


def follow(network, backend: str, short_side: int = 64, **options) -> tuple[np.ndarray, Segmenter]:
    """Probabilities (T, 2, H, W) of both objects on some frames."""
    segmenter = Segmenter(network, InferenceConfig(short_side=short_side, backend=backend), **options)
    results = [segmenter.start(frame(0), mask()), *(segmenter.step(frame(t)) for t in (1, 2, 3))]
    return np.stack([[result.probability(id) for id in (4, 9)] for result in results]), segmenter


def ran(segmenter: Segmenter) -> dict[str, str]:
    return {choice.part: choice.backend for choice in segmenter.backends.choices}


# --- whole networks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ("onnx", pytest.param("compile", marks=pytest.mark.slow)))
def test_the_same_answer(network, backend, folder):
    wanted, eager = follow(network, "eager")
    parts = set(lean.of(network).parts())
    assert parts >= {"encode", "decode"} and ran(eager) == {} and not folder.exists()
    for _ in range(2):  # made, and found
        found, segmenter = follow(network, backend)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)
        assert ran(segmenter) == dict.fromkeys(parts, backend)
    assert str(segmenter.backends) == ", ".join(f"{part} {by}" for part, by in ran(segmenter).items())
    assert json.loads(json.dumps(segmenter.backends.as_dict()))["asked"] == backend


def test_auto_keeps_what_it_found(mobile, folder):
    notes: list[str] = []
    _, first = follow(mobile, "auto", notice=notes.append)
    assert len(notes) == len(ran(first)) and all("eager" in note and "onnx" in note for note in notes)
    files = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    _, second = follow(mobile, "auto", notice=notes.append)
    assert len(notes) == len(ran(first)), "what is known already is not said"
    assert second.backends.as_dict() == first.backends.as_dict()
    assert all(choice.seconds.keys() == {"eager", "onnx"} for choice in second.backends.choices)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.json")} == files
    follow(mobile, "auto", short_side=32)  # another size is another matter
    assert len(list(folder.glob("*.json"))) == 2 * len(files)


def test_damaged_files_are_made_anew(mobile, folder):
    wanted, _ = follow(mobile, "auto")
    follow(mobile, "onnx")
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    for backend in ("auto", "onnx"):
        found, _ = follow(mobile, backend)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)


def test_other_weights_have_other_files(mobile, folder):
    other = copy.deepcopy(mobile)
    with torch.no_grad():
        for tensor in other.parameters():
            tensor.mul_(1.05)
    follow(mobile, "onnx")
    wanted, _ = follow(copy.deepcopy(other), "eager")
    found, segmenter = follow(other, "onnx")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)
    assert len(list(folder.glob("*.onnx"))) == 2 * len(ran(segmenter))


SECOND = """
import json, sys
import numpy as np
import camn
frames, mask = np.load(sys.argv[1]).values()
segmenter = camn.load(sys.argv[2], "cpu", short_side=64)
segmenter.start(frames[0], mask)
for frame in frames[1:]:
    result = segmenter.step(frame)
json.dump({"choices": segmenter.backends.as_dict(), "ids": result.ids.tolist()}, sys.stdout)
"""


def test_the_next_process_finds_it(tmp_path, folder):
    """By `camn.load`, whose backend is `auto`."""
    np.savez(tmp_path / "video.npz", frames=np.stack([frame(t) for t in range(3)]), mask=mask())
    command = [sys.executable, "-c", SECOND, str(tmp_path / "video.npz"), "camn-mobile"]
    first, second = (json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(2))
    assert first == second and first["choices"]["asked"] == "auto"
    assert {choice["part"] for choice in first["choices"]["parts"]} == {"encode", "decode"}


# --- what is missing -------------------------------------------------------------------------------------------------


def test_no_onnx_runtime(mobile, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    with pytest.raises(ConfigError, match=r"needs onnxruntime.*pip install 'camn\[onnx\]'"):
        follow(mobile, "onnx")
    _, segmenter = follow(mobile, "auto")
    assert set(ran(segmenter).values()) == {"eager"}


def test_what_auto_stands_for(mobile, monkeypatch):
    monkeypatch.setenv("CAMN_BACKEND", "eager")
    assert ran(follow(mobile, "auto")[1]) == {}
    assert set(ran(follow(mobile, "onnx")[1]).values()) == {"onnx"}
    monkeypatch.setenv("CAMN_BACKEND", "abacus")
    with pytest.raises(ConfigError, match="CAMN_BACKEND is 'abacus'"):
        follow(mobile, "auto")


def test_elsewhere_than_on_the_cpu():
    """`meta` stands for a GPU: nothing runs here."""
    assert Backends("auto", torch.device("meta")).name == "eager"
    assert Backends("compile", torch.device("meta")).name == "compile"
    with pytest.raises(ConfigError, match="onnx runs on the CPU"):
        Backends("onnx", torch.device("meta"))


def test_unknown():
    with pytest.raises(ConfigError, match="unknown backend 'abacus'; choose among auto, eager, compile, onnx"):
        InferenceConfig(backend="abacus")  # pyright: ignore[reportArgumentType]
