"""Workers on a Ray cluster: each is an actor that holds the same worker process as one on this machine."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from camn.cluster.options import BatchOptions
from camn.cluster.pool import Worker, WorkerLost
from camn.cluster.process import Heard, WorkerProcess
from camn.errors import CamnError, ConfigError, words_of

STORE = 75 << 20  # bytes of Ray's object store on a cluster of this machine; nothing but JSON passes through it
PLACE = 2.0  # seconds to wait for a place for an actor, before looking whether the run is still wanted


def connect(options: BatchOptions) -> Any:
    """The module `ray`, connected to the cluster of the options, or to a new one of this machine, which is reached by
    this machine alone. Raises CamnError if Ray is not installed or the cluster not there."""
    address = options.address or os.environ.get("RAY_ADDRESS") or "local"
    _check_answers(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "local":
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # stay on 127.0.0.1, as on those
    try:
        import ray
    except ImportError as error:
        raise CamnError("the engine ray needs Ray; pip install 'camn[cluster]', or use --engine local") from error
    if ray.is_initialized():
        return ray
    own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": STORE} if address == "local" else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except Exception as error:  # of any kind, plain ones too, as where a busy machine takes long to start it
        said = words_of(error)
        raise CamnError(f"Ray cluster {address}: cannot be used ({said}); check the address, or try again") from error
    return ray


def _check_answers(address: str) -> None:
    """Ray itself would try for minutes. Raises CamnError where nobody listens at HOST:PORT."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), 10).close()
    except OSError as error:
        raise CamnError(
            f"Ray cluster {address}: nothing answers there ({error.strerror or error}); check the address, and that "
            "`ray start --head` runs on that machine"
        ) from error


def ray_workers(ray: Any, options: BatchOptions) -> list[Worker]:
    """As many as the options say, or as the cluster has room for now. Raises ConfigError if that is none."""
    count = options.workers
    if count is None:
        count = sum(_room(node["Resources"], options) for node in ray.nodes() if node["Alive"])
    if count < 1:
        raise ConfigError(
            f"no machine of the Ray cluster has room for a worker of {options.needs}; ask for less, or give --workers "
            "to wait for machines"
        )
    needs: dict[str, Any] = {"num_cpus": options.cpus_per_worker, "num_gpus": options.gpus_per_worker or 0}
    needs |= {"memory": options.limit_bytes} if options.limit_bytes else {}
    actor = ray.remote(WorkerProcess).options(max_restarts=0, **needs)
    given = options.cpus_per_worker, options.limit_bytes, None, options.stall_seconds
    return [RayWorker(ray, lambda: actor.remote(*given)) for _ in range(count)]


def unused_gpus(machines: Iterable[Mapping[str, float]], options: BatchOptions) -> str:
    """A sentence where the cluster's machines, by their resources, have GPUs of which the options say nothing."""
    count = int(sum(have.get("GPU", 0) for have in machines))
    if not count or options.gpus_per_worker is not None:
        return ""
    return f"the cluster's GPUs, {count} now, are not used: give --gpus-per-worker 1 for workers with a GPU each"


def _room(have: Mapping[str, float], options: BatchOptions) -> int:
    """How many workers fit on a machine."""
    count = int(have.get("CPU", 0) // options.cpus_per_worker)
    if options.gpus_per_worker:
        count = min(count, int(have.get("GPU", 0)) * int(1 / options.gpus_per_worker))
    if options.limit_bytes:
        count = min(count, int(have.get("memory", 0) // options.limit_bytes))
    return count


class RayWorker:
    """See `camn.cluster.pool.Worker`. make: asks Ray for a new actor."""

    def __init__(self, ray: Any, make: Callable[[], Any]):
        self._ray, self._make = ray, make
        self._actor: Any = None
        self._asked: Any = None  # whether it is ready, while it waits for a place

    def ready(self) -> bool:
        if self._actor is None:
            self._actor, self._asked = self._make(), None
        if self._asked is None:
            self._asked = self._actor.ready.remote()
        if self._get(self._asked, timeout=PLACE) is not True:
            return False
        self._asked = None
        return True

    def start(self, task: Mapping[str, Any], attempt: int) -> None:
        self._get(self._actor.start.remote(task, attempt))

    def poll(self, seconds: float) -> Heard:
        return self._get(self._actor.poll.remote(seconds))

    def stop(self) -> None:
        self._get(self._actor.stop.remote())

    def close(self) -> None:
        """The worker process ends with its actor."""
        actor, self._actor = self._actor, None
        if actor is None:
            return
        with suppress(Exception):  # it, or the whole cluster, may be gone already
            self._ray.get(actor.close.remote(), timeout=PLACE)
        with suppress(Exception):
            self._ray.kill(actor)

    def _get(self, answer: Any, timeout: float | None = None) -> Any:
        """None after the timeout."""
        try:
            return self._ray.get(answer, timeout=timeout)
        except self._ray.exceptions.GetTimeoutError:
            return None
        except self._ray.exceptions.RayTaskError:
            raise  # an error of ours
        except self._ray.exceptions.RayError as error:
            self.close()
            reason = " ".join(str(error).split())[:500]
            raise WorkerLost(f"the worker, or the machine it was on, was lost: {reason}") from error
