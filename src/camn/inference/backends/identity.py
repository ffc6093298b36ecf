"""What a compiled part depends on, as text: its weights and structure, the code, the libraries, the machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path

import torch
from torch import nn

from camn.lean import in_parts
from camn.model import interface


def digest(facts: Iterable[object]) -> str:
    """32 hexadecimal digits that differ where the facts' texts do."""
    return hashlib.sha256("\0".join(map(str, facts)).encode()).hexdigest()[:32]


def of_part(part: nn.Module) -> str:
    """Its layers with their settings, and every number in its tensors."""
    made = hashlib.sha256(repr(part).encode())
    for name, tensor in chain(part.named_parameters(), part.named_buffers()):
        made.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        made.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return made.hexdigest()


@cache
def of_code() -> str:
    """The sources of networks and backends, which may change without camn's version."""
    folders = (Path(file).parent for file in (interface.__file__, in_parts.__file__, __file__))
    sources = (path.read_bytes() for folder in folders for path in sorted(folder.glob("*.py")))
    return digest(hashlib.sha256(source).hexdigest() for source in sources)


@cache
def of_libraries() -> str:
    """Versions of Python, of camn and of those that compile or run parts."""
    found = [platform.python_version(), f"torch {torch.__version__}"]
    for name in ("camn", "onnx", "onnxruntime"):
        with suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(found)


@cache
def of_machine() -> str:
    """The system and the processor with all it can do: code for one with more would end the program on it."""
    found = [platform.system(), platform.machine(), torch.backends.cpu.get_cpu_capability()]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        kinds = ("model name", "flags", "Features")
        found += sorted({line for line in lines if line.startswith(kinds)})
    return ", ".join(found)
