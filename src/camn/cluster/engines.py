"""The workers of a batch: on this machine, or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from camn.cluster.options import BatchOptions
from camn.cluster.pool import Worker
from camn.cluster.process import WorkerProcess
from camn.cluster.ray_engine import connect, ray_workers, unused_gpus
from camn.errors import ConfigError


def make_workers(
    batch: BatchOptions,
    tasks: int,
    device: str = "auto",
    notice: Callable[[str], None] = lambda note: None,
    gpus: Sequence[str] | None = None,
) -> Sequence[Worker]:
    """Not more than there are tasks. device: that of `SegmentOptions`. notice: told what becomes of GPUs. gpus: this
    machine's, as CUDA_VISIBLE_DEVICES names them; looked for if not given. Raises CamnError where there can be none."""
    if batch.engine == "ray":
        ray = connect(batch)
        note = unused_gpus((node["Resources"] for node in ray.nodes() if node["Alive"]), batch)
        if note and device != "cpu":
            notice(note)
        return ray_workers(ray, batch)[:tasks]
    share = batch.gpus_per_worker
    if share is None:
        share = 1.0 if device in ("auto", "cuda") else 0.0  # another is named: cpu, or one GPU for all
    gpus = () if not share else _gpus() if gpus is None else gpus
    if batch.gpus_per_worker and not gpus:
        raise ConfigError("gpus_per_worker: this machine has no CUDA device; leave it out")
    seen = _environments(batch, tasks, device, gpus, share)
    if gpus:
        used = len({environment["CUDA_VISIBLE_DEVICES"] for environment in seen})
        notice(f"{used} of {len(gpus)} GPUs for {len(seen)} workers")
    threads, limit, stall = batch.cpus_per_worker, batch.limit_bytes, batch.stall_seconds
    return [WorkerProcess(threads, limit, environment, stall) for environment in seen]


def _environments(
    batch: BatchOptions, tasks: int, device: str, gpus: Sequence[str], share: float
) -> list[dict[str, str]]:
    """Of each worker. share: of a GPU that a worker takes; each GPU in turn gets as many workers as that allows."""
    together = int(1 / share) if gpus else 0
    most = len(gpus) * together if gpus else max(1, _cores() // batch.cpus_per_worker)
    count = min(tasks, batch.workers or most)
    if gpus:
        return [{"CUDA_VISIBLE_DEVICES": gpus[k // together % len(gpus)]} for k in range(count)]
    # As on a Ray cluster: what is not asked for is not taken, and all would take the first.
    return [{} if device.startswith("cuda") else {"CUDA_VISIBLE_DEVICES": ""}] * count


def _cores() -> int:
    """That this process may use: of a machine's, Slurm and containers may give it some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> list[str]:
    """This machine's, as CUDA_VISIBLE_DEVICES names them; none where torch can use none."""
    import torch

    if not torch.cuda.is_available():
        return []
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return given.split(",") if given else [str(number) for number in range(torch.cuda.device_count())]
