"""The checks of a GPU as tests: `pytest -m cuda tests/cuda`. CAMN_CHECK_DEVICE=cpu rehearses them without one."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
import torch

DEVICE = os.environ.get("CAMN_CHECK_DEVICE") or "cuda"
spec = importlib.util.spec_from_file_location("camn_cuda_checks", Path(__file__).with_name("checks.py"))
assert spec is not None and spec.loader is not None
checks = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = checks
spec.loader.exec_module(checks)

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        DEVICE.startswith("cuda") and not torch.cuda.is_available(),
        reason="no CUDA device here; see docs/lab/gpu.md, and CAMN_CHECK_DEVICE=cpu for a rehearsal",
    ),
]


@pytest.mark.parametrize("name", checks.CHECKS)
def test_on_the_device(name):
    checks.CHECKS[name](DEVICE)
