"""The workers of a batch: on this machine, or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence

from camn.cluster.options import BatchOptions
from camn.cluster.pool import Worker
from camn.cluster.process import WorkerProcess
from camn.cluster.ray_engine import connect, ray_workers
from camn.errors import ConfigError


def make_workers(batch: BatchOptions, tasks: int, device: str = "auto") -> Sequence[Worker]:
    """Not more than there are tasks. device: that of `SegmentOptions`. Raises CamnError where there can be none."""
    if batch.engine == "ray":
        return ray_workers(connect(batch), batch)[:tasks]
    gpus = _gpus() if batch.gpus_per_worker else []
    share = int(1 / batch.gpus_per_worker) if gpus else 0  # workers of a GPU
    count = min(tasks, batch.workers or (len(gpus) * share if gpus else max(1, _cores() // batch.cpus_per_worker)))
    seen: list[dict[str, str]]
    if gpus:
        seen = [{"CUDA_VISIBLE_DEVICES": gpus[k // share % len(gpus)]} for k in range(count)]
    else:  # as on a Ray cluster: what is not asked for is not taken, and all would take the first
        seen = [{} if device.startswith("cuda") else {"CUDA_VISIBLE_DEVICES": ""}] * count
    return [WorkerProcess(batch.cpus_per_worker, batch.limit_bytes, environment) for environment in seen]


def _cores() -> int:
    """That this process may use: of a machine's, Slurm and containers may give it some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> list[str]:
    """This machine's, as CUDA_VISIBLE_DEVICES names them. Raises ConfigError if there is none."""
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = given.split(",") if given else [str(number) for number in range(torch.cuda.device_count())]
    if not found or not torch.cuda.is_available():
        raise ConfigError("gpus_per_worker: this machine has no CUDA device; leave it out")
    return found
