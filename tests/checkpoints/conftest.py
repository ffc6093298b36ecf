"""The golden arrays of the public networks."""

import importlib.util
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="package")
def parity(shared) -> Path:
    folder = shared / "parity"
    if not (folder / "fill.py").is_file():
        pytest.skip(f"no golden arrays of the public networks: {folder} is absent")
    return folder


@pytest.fixture
def own_cache(monkeypatch):
    """Compiled parts of large networks take gigabytes: they go with the test."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("CAMN_CACHE", folder)
        yield


@pytest.fixture(params=("eager", "onnx", pytest.param("compile", marks=pytest.mark.slow)))
def backend(request, own_cache) -> str:
    """Each in turn."""
    if request.param == "onnx":
        pytest.importorskip("onnxruntime")
    return request.param


@pytest.fixture(scope="package")
def fill(parity):
    spec = importlib.util.spec_from_file_location("parity_fill", parity / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
