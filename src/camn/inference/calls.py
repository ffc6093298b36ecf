"""What holds of every call from outside: torch and numpy as they come, whatever the caller has set; a call at a time.

A network knows its own precision, so `torch.autocast` around it, another default dtype or device, quicker products or
`np.errstate(all="raise")` must not change its answers.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy, deepcopy
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import torch
from torch._C import _len_torch_function_stack

from camn.errors import CamnError

AUTOCAST = ("cpu", "cuda", "mps", "xpu")  # devices whose autocast a caller may have switched on
NUMPY = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}  # its own defaults

P = ParamSpec("P")
R = TypeVar("R")
Self = TypeVar("Self", bound="Caller")


_ran_in: int | None = None  # the first process in which torch's threads, or a device, may have worked for us


def _check_process(device: str = "cpu") -> None:
    """Raises CamnError in a process that was forked from that one, and would wait for them for ever."""
    global _ran_in
    if device == "cpu" and torch.get_num_threads() == 1:
        return
    _ran_in = _ran_in or os.getpid()
    if _ran_in != os.getpid():
        raise CamnError(
            "this process was forked from one in which camn has run already, and torch's threads and devices do not "
            'outlive that: start it anew (multiprocessing.get_context("spawn")), or on the CPU call '
            "torch.set_num_threads(1) in it first"
        )


@contextmanager
def own_settings(inference: bool = True) -> Iterator[None]:
    """The caller's settings of torch and numpy put aside for a while; also a decorator. What is the thread's own stays
    so; what is the process's (default dtype, precision of products) is changed for all its threads, until the last of
    them is out again. Deterministic algorithms are left as they are, which changes no answer.
    inference: gradients are never recorded; else as if nobody had said anything about them. Raises CamnError in a
    forked process in which torch would wait for ever."""
    _check_process()
    with ExitStack() as stack:
        stack.enter_context(_PROCESS)
        stack.enter_context(np.errstate(**NUMPY))  # type: ignore[arg-type]
        for device in AUTOCAST:
            if torch.is_autocast_enabled(device):
                torch.set_autocast_enabled(device, False)
                stack.callback(torch.set_autocast_enabled, device, True)
        if _len_torch_function_stack():  # a default device is one of these; what is made without a word is for the CPU
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(torch.inference_mode(inference))
        yield


class _Process:
    """The settings of the process are changed by the first call that enters, and put back by the last one to leave:
    each for itself would put back what another one had set."""

    def __init__(self):
        self._lock, self._inside, self._undo = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._undo = _plain()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._undo.close()


_PROCESS = _Process()


def _plain() -> ExitStack:
    """Brings what is the process's to torch's own defaults. -> what puts it back."""
    undo = ExitStack()
    if (dtype := torch.get_default_dtype()) != torch.float32:
        torch.set_default_dtype(torch.float32)
        undo.callback(torch.set_default_dtype, dtype)
    try:
        products = torch.get_float32_matmul_precision()
    except RuntimeError:  # set backend by backend: seen to below
        products = "highest"
    if products != "highest":
        torch.set_float32_matmul_precision("highest")
        undo.callback(torch.set_float32_matmul_precision, products)
    for backend, above in _precisions():
        if (before := backend.fp32_precision) not in ("none", "ieee"):
            backend.fp32_precision = "ieee"
            # What it had from the setting above it, it shall go on having from there.
            undo.callback(setattr, backend, "fp32_precision", "none" if before == above.fp32_precision else before)
    return undo


def _precisions() -> list[tuple[Any, Any]]:
    """Of backends the objects that say how precise single precision is, and those that say it where these do not.
    Convolutions of CUDA are left out: TF32 is what they come with."""
    if not hasattr(torch.backends, "fp32_precision"):  # before torch 2.9
        return []
    ours, cuda = torch.backends.mkldnn, torch.backends.cuda.matmul
    return [(ours.matmul, ours), (ours.conv, ours), (cuda, torch.backends)]


# --- calls of one object ---------------------------------------------------------------------------------------------


class Caller:
    """What follows a video, frame by frame: its calls come one after another, each by `entry`. A copy (`copy.copy`) is
    independent and may be used by another thread."""

    device: torch.device

    def __init__(self):
        self._turn = threading.RLock()

    def __copy__(self: Self) -> Self:
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__ | {"_turn": threading.RLock()}
        return other

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        other = copy(self)
        memo[id(self)] = other
        other.__dict__ |= {key: deepcopy(value, memo) for key, value in self.__dict__.items() if key != "_turn"}
        return other

    def __reduce__(self) -> Any:
        raise CamnError(
            f"a {type(self).__name__} cannot be pickled, so none can be sent to another process: call camn.load there; "
            "for another one in this process, copy.copy"
        )


def entry(method: Callable[Concatenate[Self, P], R]) -> Callable[Concatenate[Self, P], R]:
    """A call from outside: under our own settings, and alone. Raises CamnError where another thread is in a call of the
    same object, and as `own_settings`."""

    @functools.wraps(method)
    def alone(self: Self, /, *arguments: P.args, **named: P.kwargs) -> R:
        _check_process(self.device.type)
        if not self._turn.acquire(blocking=False):
            raise CamnError(
                f"{method.__name__}: another thread is in the middle of a call of this {type(self).__name__}. Frames "
                "come one after another: let one thread call it, or give each a copy (copy.copy) and a video of its own"
            )
        try:
            with own_settings():
                return method(self, *arguments, **named)
        finally:
            self._turn.release()

    return alone
