"""What keeps a device busy: numbers that are read when they have long been computed, and quick products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from camn.training.distributed import Team


class Late:
    """Numbers of a step that are on their way from the device to the host.

    seen: a vector of them; of a CUDA device it is copied behind what computes it, and read without waiting for more.
    step, rate, sources: whose they are.
    """

    def __init__(self, seen: Tensor, step: int, rate: float, sources: list[list[str]]):
        self.step, self.rate, self.sources = step, rate, sources
        self._seen, self._ready = seen, None
        if seen.device.type == "cuda":
            self._seen = torch.empty(seen.shape, dtype=seen.dtype, pin_memory=True)
            self._seen.copy_(seen, non_blocking=True)
            self._ready = torch.cuda.Event()
            self._ready.record()

    def read(self) -> list[float]:
        """The numbers; waits for them where they are not there yet."""
        if self._ready is not None:
            self._ready.synchronize()
        return self._seen.tolist()


@contextmanager
def quick_products(team: Team) -> Iterator[None]:
    """Products on a CUDA device in TF32 for a while; the setting is the process's, and put back."""
    before = torch.get_float32_matmul_precision()
    if team.device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
