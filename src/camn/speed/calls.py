"""Calls of torch's dispatcher, and values read from the device, while a block runs."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
# What hands a value to the host: `item`, `tolist`, `bool` of a tensor, and shapes that hang on values.
READS = {
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.equal.default,
    aten.is_nonzero.default,
}


class Counted(TorchDispatchMode):
    """calls: of operators, forward and backward. reads: names of those that wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.reads = 0, list[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        indexed = func is aten.index.Tensor and any(
            i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1]
        )
        if func in READS or indexed:
            self.reads.append(str(func))
        return func(*args, **(kwargs or {}))
