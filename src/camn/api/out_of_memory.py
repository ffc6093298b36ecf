"""Saying what to do when memory runs out."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from camn.errors import CamnError


def _last_code() -> Callable[[], Any]:
    """Where the system keeps the code of this thread's last call that failed; Python keeps it only in errors that are
    its own. On a system that keeps it elsewhere than Linux, a place where there is never any."""
    try:
        place = ctypes.CDLL(None).__errno_location
    except (OSError, TypeError, AttributeError):
        return lambda nowhere=[0]: nowhere
    place.restype = ctypes.POINTER(ctypes.c_int)
    return place


_code = _last_code()


@contextmanager
def enough_memory(size: tuple[int, ...], objects: int) -> Iterator[None]:
    """Says what to do when memory runs out. size (H, W) of the frames."""
    _code()[0] = 0
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, (MemoryError, torch.OutOfMemoryError)) or _lacks_memory(error, size, objects)):
            raise
        raise CamnError(
            f"not enough memory for {objects} objects on frames of {size[1]}x{size[0]}: give a smaller --max-side, a "
            f"smaller --memory-frames, or another --device ({str(error).splitlines()[0] if str(error) else 'no room'})"
        ) from error


def _lacks_memory(error: Exception, size: tuple[int, ...], objects: int) -> bool:
    """Whether a plain RuntimeError, all that torch has for this on a CPU, came of it: by the system's code of the last
    call that failed, or, as others may have failed since, by whether there is room for wide maps of each object, 256
    bytes a pixel, while the error holds what was made before."""
    if type(error) is not RuntimeError:
        return False
    if _code()[0] == errno.ENOMEM:
        return True
    try:
        torch.empty((1 + objects) * size[0] * size[1] * 256, dtype=torch.uint8)
    except RuntimeError:
        return True
    return False
