"""One part of a network, run by the backend that was asked for or is the fastest."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from camn.errors import CamnError, ConfigError, words_of
from camn.inference.backends import compiled, identity, onnx
from camn.inference.backends.cache import Cache
from camn.masks.sizes import in_words

Run = Callable[..., Any]
KEPT = 4  # sizes at which a part is kept ready at the same time
MADE: dict[str, ModuleType] = {"compile": compiled, "onnx": onnx}  # by backends that make files: SUFFIX, make, load


@dataclass(frozen=True)
class Choice:
    """By what a part runs at one size. size: (h, w) of its first input. seconds: one run by each backend that was
    measured, now or by an earlier run; empty where one was asked for. failed: why others could not run it."""

    part: str
    size: tuple[int, int]
    backend: str
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """What was measured, for the user."""
        said = [f"{name} {s:.3f} s" for name, s in sorted(self.seconds.items(), key=lambda item: item[1])]
        said += [f"{name} failed ({why})" for name, why in self.failed.items()]
        which = f"{self.part} of {in_words(self.size)}"
        return f"Measured once what runs this network fastest here: for {which} {self.backend} ({', '.join(said)})"


class PartRunner:
    """Called like the part. At the first call for a size the part is brought to its backend, `asked`: one of those of
    `MADE`, or `auto` for the fastest of what is at hand. chosen: told each `Choice`. notice: told each sentence on what
    takes long, and on what was measured. Answers are compared with the part's own when a file is made. Raises
    ConfigError where `asked` fails.

    `auto` measures the part itself and, where ONNX Runtime is installed, its export, which takes a second or a few;
    compiled code only if it lies in the cache, since compiling takes minutes. The figures are kept in the cache.
    """

    def __init__(
        self,
        name: str,
        part: nn.Module,
        about: str,
        asked: str,
        cache: Cache,
        chosen: Callable[[Choice], None],
        notice: Callable[[str], None],
        held: Mapping[tuple[str, tuple[int, int]], str] = {},  # noqa: B006, never changed
    ):
        """about: on what else than its layers and weights its answers depend. held: what shall run it, by its name and
        size, whatever is asked: where answers must be those of another time."""
        self.name, self.part, self.about, self.asked, self.cache = name, part, about, asked, cache
        self.chosen, self.notice, self.held = chosen, notice, held
        self._runs: dict[tuple[Any, ...], Run] = {}

    def __call__(self, *tensors: Tensor) -> Any:
        kind = (torch.get_num_threads(), *((tuple(t.shape), t.dtype) for t in tensors))
        run = self._runs.get(kind)
        if run is None:
            # The clones are no tensors of inference mode, which cannot be traced.
            with torch.inference_mode(False), torch.no_grad():
                run = self._begin(tuple(t.clone() for t in tensors), kind)
            self._runs = dict([*self._runs.items(), (kind, run)][-KEPT:])  # copies in other threads may do so, too
        return run(*tensors)

    def _begin(self, inputs: tuple[Tensor, ...], kind: tuple[Any, ...]) -> Run:
        key = self._key(kind)
        with self.cache.lock(key):
            backend = self.held.get((self.name, _size(inputs)), self.asked)
            if backend == "auto":
                choice, run = self._fastest(inputs, key)
            else:
                run = self._by(backend, inputs, key)
                choice = Choice(self.name, _size(inputs), backend)
        self.chosen(choice)
        return run

    @cached_property
    def _identity(self) -> str:
        return identity.of_part(self.part)

    def _key(self, kind: tuple[Any, ...]) -> str:
        facts = (self.about, self._identity, identity.of_code(), identity.of_libraries(), identity.of_machine())
        return f"{self.name}-{identity.digest([*facts, *kind])}"

    # --- one backend -------------------------------------------------------------------------------------------------

    def _by(self, backend: str, inputs: tuple[Tensor, ...], key: str) -> Run:
        if backend == "eager":
            return self.part
        module = MADE[backend]

        def make(path: Any) -> None:
            if backend == "compile":
                self.notice(f"compiling {self.name} for {in_words(_size(inputs))}; it is kept for later runs")
            module.make(self.part, inputs, path)
            run = module.load(path)
            for given in (inputs, tuple(t.flip(-1) for t in inputs)):  # others, too: what is made must not hold values
                check_same(run(*given), self.part(*given))

        try:
            return self.cache.load(key, module.SUFFIX, make, module.load)
        except CamnError:
            raise
        except Exception as error:  # exporters and compilers raise whatever they like
            raise ConfigError(
                f"backend {backend} cannot run this network's {self.name} ({_reason(error)}); choose --backend eager"
            ) from error

    # --- the fastest -------------------------------------------------------------------------------------------------

    def _fastest(self, inputs: tuple[Tensor, ...], key: str) -> tuple[Choice, Run]:
        candidates = ["eager"]
        if not onnx.missing():
            candidates.append("onnx")
        if self.cache.find(key, compiled.SUFFIX):
            candidates.append("compile")
        known = _seconds_in(self.cache.read_facts(key))
        runs: dict[str, Run] = {}
        failed: dict[str, str] = {}
        measured = not known.keys() >= set(candidates)
        if measured:
            known = {}
            for name in candidates:
                try:
                    runs[name] = self._by(name, inputs, key)
                    known[name] = seconds(runs[name], inputs)
                except ConfigError as error:
                    failed[name] = _reason(error.__cause__ or error)
            if not failed:  # else another run may have more luck
                self.cache.write_facts(key, {"seconds": known})
        best = min((name for name in candidates if name in known), key=lambda name: known[name])
        run = runs.get(best) or self._by(best, inputs, key)
        choice = Choice(self.name, _size(inputs), best, known, failed)
        if measured:
            self.notice(str(choice))
        return choice, run


def seconds(run: Run, inputs: Sequence[Tensor]) -> float:
    """The least of some runs after one to warm up: three, or as many as fit in a second."""
    run(*inputs)
    taken: list[float] = []
    while len(taken) < 3 and sum(taken) < 1:
        start = time.perf_counter()
        run(*inputs)
        taken.append(time.perf_counter() - start)
    return min(taken)


def check_same(made: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    """Raises ValueError unless all numbers agree within a thousandth of each tensor's largest."""
    for ours, theirs in zip(made, wanted, strict=True):
        if ours.shape != theirs.shape:
            raise ValueError(f"its answer is {tuple(ours.shape)} where {tuple(theirs.shape)} is right")
        off = float((ours - theirs).abs().max()) if ours.numel() else 0.0
        if not off <= 1e-3 * float(theirs.abs().max()) + 1e-6:
            raise ValueError(f"its answer is off by {off:.2g}")


def _size(inputs: Sequence[Tensor]) -> tuple[int, int]:
    return (inputs[0].shape[-2], inputs[0].shape[-1])


def _seconds_in(facts: dict[str, Any]) -> dict[str, float]:
    """Those that a file tells; empty if it tells anything else."""
    found = facts.get("seconds")
    if not isinstance(found, dict) or not all(isinstance(value, (int, float)) for value in found.values()):
        return {}
    return found


def _reason(error: BaseException) -> str:
    said = str(error).strip()
    return said.splitlines()[0] if said else words_of(error)
