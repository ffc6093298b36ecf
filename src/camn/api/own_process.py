"""What is done to a process that is ours alone, a command or a worker. A program that only calls `camn` is left as it
is: settings such as these hold for all that runs in it, and cannot be taken back."""

from __future__ import annotations

import ctypes
import os
from collections.abc import MutableMapping

TRIM, MMAP = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h


def keep_freed_memory() -> None:
    """Have glibc keep what tensors free instead of giving it back to the system and faulting it in again each frame.

    At 480x854 on two cores this took camn-mobile from 0.49 to 0.41 s/frame. Elsewhere it does nothing.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    # The second is the most that some versions take. Where both are refused nothing is set: either threshold ends
    # glibc's own way of raising them both as it sees large blocks come and go.
    if any(mallopt(MMAP, size) for size in (1 << 30, 1 << 25)):
        mallopt(TRIM, (1 << 31) - 1)


def wait_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have torch's threads (GNU OpenMP) sleep soon when they wait for each other, unless the environment says how.

    By default they spin for some milliseconds, on the core that the thread they wait for may need: beside a program
    that keeps one of two cores busy, the demo took 93 s in place of 42; alone it takes the same. It is read once, when
    torch is imported, and holds for processes that are started from this one.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & environment.keys():
        environment["GOMP_SPINCOUNT"] = "1000"
