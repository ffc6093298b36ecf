"""What a run costs: frames per second and memory."""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

MIB = 1 << 20


@dataclass(frozen=True)
class Speed:
    """frames segmented by all workers. network: seconds in the network alone, without reading, writing and scoring,
    added up over the workers; wall: seconds from the first frame to the last. peak: bytes of memory, the most that one
    worker had: of CUDA what torch allocated, else the resident set of the whole process. backend: what ran the network.
    """

    frames: int = 0
    network: float = 0.0
    wall: float = 0.0
    peak: int = 0
    device: str = ""
    workers: int = 1
    backend: str = ""

    @property
    def frames_per_second(self) -> float:
        """In the network, of one worker; 0 if nothing was segmented."""
        return self.frames / self.network if self.network else 0.0

    @property
    def throughput(self) -> float:
        """Frames per second of the whole run, reading and writing included."""
        return self.frames / self.wall if self.wall else 0.0

    def lines(self) -> list[str]:
        """In words: frames/s, peak memory."""
        if not self.frames:
            return []
        each = f" (each of {self.workers} workers)" if self.workers > 1 else ""
        kind = "allocated on the GPU" if self.device.startswith("cuda") else "resident"
        return [
            f"{self.frames} frames, {self.frames_per_second:.2f} frames/s in the network{each}, "
            f"{self.throughput:.2f} frames/s in all",
            f"peak memory {self.peak / MIB:.0f} MiB {kind}{each}, device {self.device}",
            *([f"backend: {self.backend}"] if self.backend else []),
        ]


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that torch allocated on a CUDA device, else the largest resident set this process has had;
    0 where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Not getrusage: its maximum is inherited from the process that started this one.
    for key, value in _proc("self/status"):
        if key == "VmHWM":
            return int(value.split()[0]) * 1024
    try:
        import resource  # not there on every system
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def cpu_of_others() -> float:
    """Seconds of all cores together that have gone to other processes than this one since some time; compare two
    calls. 0 where the system does not tell."""
    for name, value in ((line[0], line[1:]) for line in (text.split() for text in _lines("stat")) if line):
        if name == "cpu":
            user, nice, system, _, _, interrupts, soft, stolen = map(int, value[:8])
            busy = user + nice + system + interrupts + soft + stolen
            return busy / os.sysconf("SC_CLK_TCK") - time.process_time()
    return 0.0


def describe_machine(device: str = "cpu") -> str:
    """Processor, cores, memory and versions, and the GPU if `device` is one, in one line."""
    found = machine(device)
    gpu = f"{found['gpu']}, " if "gpu" in found else ""
    most = f"{found['memory'] / 1e9:.0f} GB, " if found["memory"] else ""
    return f"{gpu}{found['cpu']}, {found['cores']} cores, {most}torch {found['torch']}, Python {found['python']}"


def machine(device: str = "cpu") -> dict[str, Any]:
    """cpu, cores that this process may use, memory in bytes (0 if unknown), torch, python, system; gpu if `device` is
    one."""
    cpu = platform.processor() or platform.machine()
    names = [value for key, value in _proc("cpuinfo") if key == "model name"]
    total = [value for key, value in _proc("meminfo") if key == "MemTotal"]
    return {
        **({"gpu": torch.cuda.get_device_name(device)} if device.startswith("cuda") else {}),
        "cpu": names[0] if names else cpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": int(total[0].split()[0]) * 1024 if total else 0,
        "system": f"{platform.system()} {platform.release()}",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _proc(name: str) -> list[tuple[str, str]]:
    """Names and values of a file in /proc; none where there is no such file."""
    return [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in _lines(name))]


def _lines(name: str) -> list[str]:
    path = Path("/proc", name)
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
