"""The processes of one training run: several under torchrun, one a GPU; else this one alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from camn.errors import ConfigError, TrainingError

T = TypeVar("T")
PATIENCE = timedelta(minutes=30)  # that a process waits for the others: validation may keep one longer than its peers
BUCKET = 1 << 23  # values that are averaged at once: 32 MiB


@dataclass(frozen=True)
class Team:
    """One process among `size`, the `rank`-th from 0, and the device it trains on. Rank 0 leads: it logs and saves.

    Every method but `leads` must be called by all of them, in the same order. Raises TrainingError where another one
    is gone or does not answer. A team of one does nothing but give back what it got.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, value: T) -> T:
        """The leader's value, at all. Tensors in it must be on the CPU."""
        if self.size == 1:
            return value
        box = [value]
        with self._together():
            dist.broadcast_object_list(box, 0, device=self.device)
        return box[0]

    def gather(self, items: list[T]) -> list[T]:
        """The lists of all, one after the other by rank, at all."""
        if self.size == 1:
            return items
        found: list[list[T]] = [[] for _ in range(self.size)]
        with self._together():
            dist.all_gather_object(found, items)
        return [item for each in found for item in each]

    def mean(self, value: float) -> float:
        if self.size == 1:
            return value
        box = torch.tensor(value, dtype=torch.float64, device=self.device)
        with self._together():
            dist.all_reduce(box)
        return box.item() / self.size

    def any(self, flag: bool) -> bool:
        return self.mean(float(flag)) > 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Each parameter's gradient becomes the mean over the team; one that a process lacks counts as zeros there."""
        if self.size == 1:
            return
        wanted = [p for p in parameters if p.requires_grad]
        used = torch.tensor([p.grad is not None for p in wanted], dtype=torch.float32, device=self.device)
        with self._together():
            dist.all_reduce(used)
        # As in one process: what no clip of any process has touched stays without a gradient, and is not stepped.
        for bucket in _buckets([p for p, count in zip(wanted, used.tolist(), strict=True) if count]):
            flat = torch.cat([_gradient(p).flatten() for p in bucket])
            with self._together():
                dist.all_reduce(flat)
            for p, mean in zip(bucket, (flat / self.size).split([p.numel() for p in bucket]), strict=True):
                p.grad = torch.empty_like(p).copy_(mean.view(p.shape))  # in the parameter's memory layout

    @contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            said = " ".join(str(error).split())[:200]
            raise TrainingError(
                f"process {self.rank} of {self.size} waits for others in vain: one has failed or is gone; what it said "
                f"comes first ({said}). Run the same command again to go on from the last checkpoint"
            ) from error


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _buckets(parameters: list[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """In order, as many together as BUCKET holds, at least one."""
    bucket, held = [], 0
    for p in parameters:
        if bucket and held + p.numel() > BUCKET:
            yield bucket
            bucket, held = [], 0
        bucket.append(p)
        held += p.numel()
    if bucket:
        yield bucket


@contextmanager
def joined(device: torch.device) -> Iterator[Team]:
    """This process's team for a while, by torchrun's environment variables; without them a team of one.

    device: cpu (gloo), or cuda (nccl), of which each process takes the GPU of its place on its machine.
    Raises ConfigError where there are too few GPUs, TrainingError where the processes do not find each other.
    """
    size = int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1
    if size == 1:
        yield Team(device=device)
        return
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {device}: several processes train on cpu or cuda; give --device cpu")
    if device.type == "cuda":
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"process {local} of this machine has no GPU of its own: there are {torch.cuda.device_count()}; lower "
                "torchrun's --nproc-per-node"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(f"process {rank} of {size}: the others are not found ({error}); check torchrun") from None
    yield Team(rank, size, device)
    # Not after a failure: NCCL would wait here for the others, who wait for this one, and torchrun see nothing amiss.
    dist.destroy_process_group()
