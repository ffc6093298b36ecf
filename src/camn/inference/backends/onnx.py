"""Parts run by ONNX Runtime; needs the extra `onnx`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from camn.errors import ConfigError

SUFFIX = ".onnx"
INPUT = "input_"  # and its number: the names of inputs in the file


def missing() -> list[str]:
    """Packages that are needed and not installed."""
    return [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]


def check() -> None:
    """Raises ConfigError where a package is not installed."""
    if lacking := missing():
        raise ConfigError(
            f"backend onnx needs {' and '.join(lacking)}, not installed here: pip install 'camn[onnx]', or choose "
            "another --backend"
        )


def make(part: nn.Module, inputs: Sequence[Tensor], path: Path) -> None:
    """Export a part for the shapes of `inputs`.

    By tracing, which is right here, since shapes are fixed and nothing depends on values: it takes half a second where
    torch's newer exporter takes five. That one is for what the older cannot do, or for a torch without it.
    """
    check()
    names = [f"{INPUT}{i}" for i in range(len(inputs))]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on sizes that become constants, and on what is deprecated
        arguments = (part, tuple(t.contiguous() for t in inputs), str(path))
        try:
            torch.onnx.export(*arguments, input_names=names, opset_version=18, dynamo=False)
            load(path)
        except Exception:  # whatever it is, the newer one may do it
            torch.onnx.export(*arguments, input_names=names, dynamo=True, external_data=False, verbose=False)


def load(path: Path) -> Callable[..., tuple[Tensor, ...]]:
    """The function of an exported part, on as many threads as torch now has. Raises what ONNX Runtime raises for a file
    that it cannot read."""
    check()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.log_severity_level = 3  # errors
    # Between its runs torch matches on the same cores: threads that spin there made matching 1.6 times as slow.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    used = [(entry.name, int(entry.name.removeprefix(INPUT))) for entry in session.get_inputs()]  # others play no part

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        arrays = {name: tensors[i].contiguous().numpy() for name, i in used}
        return tuple(torch.from_numpy(array) for array in session.run(None, arrays))

    return run
