"""Parts compiled to machine code by torch's inductor."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from camn.errors import ConfigError

SUFFIX = ".pt2"


def check() -> None:
    """Raises ConfigError where there is no compiler."""
    name = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(name) is None:
        raise ConfigError(
            f"backend compile needs a C++ compiler and finds no {name}: install one (such as `apt install g++`), name "
            "it in CXX, or choose another --backend"
        )


def make(part: nn.Module, inputs: Sequence[Tensor], path: Path) -> None:
    """Compile a part for the CPU and the shapes of `inputs`, weights folded in and laid out for oneDNN; takes up to a
    minute or two.

    By AOTInductor: of the ways to keep what was compiled it is the one that starts fast. For camn-mobile's encoder a
    second process has it after 2 s, by torch.compile and its cache after 10; the speed is the same.
    """
    check()
    from torch._inductor import aoti_compile_and_package

    with _quiet(), torch.no_grad():
        program = torch.export.export(part, tuple(_laid_out(t) for t in inputs))
        aoti_compile_and_package(program, package_path=str(path), inductor_configs={"freezing": True})


def load(path: Path) -> Callable[..., Any]:
    """The function of a compiled part. Raises what torch raises for a file that it did not make."""
    from torch._inductor import aoti_load_package

    run = aoti_load_package(str(path))
    return lambda *tensors: run(*(_laid_out(t) for t in tensors))


def compiled_there(part: nn.Module) -> Callable[..., Any]:
    """A part that torch.compile compiles on its first call: on GPUs, whose own cache then keeps it between runs."""
    return torch.compile(part, dynamic=False)


def _laid_out(tensor: Tensor) -> Tensor:
    """As compiled parts take it, which do not look at strides: maps with their channels last."""
    return tensor.contiguous(memory_format=torch.channels_last if tensor.ndim == 4 else torch.contiguous_format)


@contextmanager
def _quiet() -> Iterator[None]:
    """What inductor writes on its way goes to a folder that ends with this process."""
    before = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = _workshop().name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is None:
            del os.environ["TORCHINDUCTOR_CACHE_DIR"]
        else:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = before


@cache
def _workshop() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="camn-inductor-")
