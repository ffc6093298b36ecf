"""Options of a batch. Light to import: the command reads this for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from camn.errors import ConfigError


@dataclass(frozen=True)
class BatchOptions:
    """How the work is shared. Raises ConfigError for values that cannot be."""

    engine: Literal["local", "ray"] = "local"  # processes on this machine, or a Ray cluster (extra: cluster)
    address: str = ""  # of the Ray cluster: auto, HOST:PORT, ray://HOST:PORT; empty is RAY_ADDRESS, else a local one
    workers: int | None = None  # processes, each with a model in memory; as many as the resources allow
    cpus_per_worker: int = 2  # cores, and threads of the network if --threads is not given
    gpus_per_worker: float | None = None  # 0.5: two workers share a GPU; 0: none; else 1 where this machine has some
    memory_limit: float | None = None  # GiB of main memory; a video that takes its worker beyond that fails
    stall_limit: float | None = None  # minutes; a worker that gets no frame done for so long is taken for dead
    retries: int = 2  # how often a video is tried again whose worker died, or whose storage failed
    retry_failed: bool = False  # try those again, too, that failed by their own fault in a former run
    split: str = ""  # of a data set folder, as `camn evaluate` has it
    resolution: str = "480p"  # of DAVIS

    def __post_init__(self):
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"workers is {self.workers}: it must be 1 or more")
        if self.cpus_per_worker < 1:
            raise ConfigError(f"cpus_per_worker is {self.cpus_per_worker}: it must be 1 or more")
        if self.gpus_per_worker is not None and not 0 <= self.gpus_per_worker <= 1:
            raise ConfigError(f"gpus_per_worker is {self.gpus_per_worker}: it must be from 0 to 1")
        if self.memory_limit is not None and self.memory_limit <= 0:
            raise ConfigError(f"memory_limit is {self.memory_limit}: it must be above 0 GiB")
        if self.stall_limit is not None and self.stall_limit <= 0:
            raise ConfigError(f"stall_limit is {self.stall_limit}: it must be above 0 minutes")
        if self.retries < 0:
            raise ConfigError(f"retries is {self.retries}: it must be 0 or more")
        if self.address and self.engine != "ray":
            raise ConfigError("address: is of a Ray cluster; give --engine ray, too")

    @property
    def needs(self) -> str:
        """What a worker takes of a machine, in words."""
        limit = [] if self.memory_limit is None else [f"{self.memory_limit:g} GiB of memory"]
        gpus = [f"{self.gpus_per_worker:g} GPUs"] if self.gpus_per_worker else []
        return " and ".join([f"{self.cpus_per_worker} CPUs", *gpus, *limit])

    @property
    def limit_bytes(self) -> int | None:
        return None if self.memory_limit is None else int(self.memory_limit * (1 << 30))

    @property
    def stall_seconds(self) -> float | None:
        return None if self.stall_limit is None else 60 * self.stall_limit
