"""The golden arrays of the public networks."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="package")
def parity(shared) -> Path:
    folder = shared / "parity"
    if not (folder / "fill.py").is_file():
        pytest.skip(f"no golden arrays of the public networks: {folder} is absent")
    return folder


@pytest.fixture(scope="package")
def fill(parity):
    spec = importlib.util.spec_from_file_location("parity_fill", parity / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
