"""What a run costs: frames per second and memory."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

MIB = 1 << 20


@dataclass(frozen=True)
class Speed:
    """frames segmented by all workers. network: seconds in the network alone, without reading, writing and scoring,
    added up over the workers; wall: seconds from the first frame to the last. peak: bytes of memory, the most that one
    worker had: of CUDA what torch allocated, else the resident set of the whole process."""

    frames: int = 0
    network: float = 0.0
    wall: float = 0.0
    peak: int = 0
    device: str = ""
    workers: int = 1

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
        ]


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that torch allocated on a CUDA device, else the largest resident set this process has had."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage: its maximum is inherited from the process that started this one.
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
        return int(line.split()[1]) * 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def describe_machine(device: str = "cpu") -> str:
    """Processor, cores and versions, and the GPU if `device` is one, in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    gpu = f"{torch.cuda.get_device_name(device)}, " if device.startswith("cuda") else ""
    return f"{gpu}{model}, {os.cpu_count()} cores, torch {torch.__version__}, Python {platform.python_version()}"
