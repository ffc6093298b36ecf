"""What runs the heavy parts of a network: torch as it is, compiled code, or ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, get_args

import torch

from camn.config import Backend
from camn.errors import ConfigError
from camn.inference.backends import compiled, onnx
from camn.inference.backends.cache import Cache, cache_folder
from camn.inference.backends.runner import Choice, PartRunner
from camn.model.interface import Network

__all__ = ["Backends", "Choice", "cache_folder"]


class Backends:
    """Brings the parts of a network to a backend, each when it is first used at a size.

    asked: see `InferenceConfig.backend`. On the CPU `auto` takes for each part what is fastest here, see `PartRunner`;
    elsewhere it is `eager`; the environment's CAMN_BACKEND says what else it shall be. notice: called with sentences
    on what is chosen, and on what takes long. Raises ConfigError for a backend that cannot be on this device or lacks
    its packages or compiler.
    """

    def __init__(
        self,
        asked: Backend,
        device: torch.device,
        notice: Callable[[str], None] = lambda note: None,
        cache: Cache | None = None,
    ):
        self.asked, self.device, self.notice = asked, device, notice
        self.name = _resolved(asked, device)
        self.cache = cache or Cache()
        self.held: dict[tuple[str, tuple[int, int]], str] = {}  # by part and size what shall run it, whatever is asked
        self._choices: dict[tuple[str, tuple[int, int]], Choice] = {}
        if self.name == "onnx":
            onnx.check()
        elif self.name == "compile" and not self.cache.find("*", compiled.SUFFIX):
            compiled.check()

    def apply(self, network: Network) -> Network:
        """The network with its parts run so; those of a network without any run as they are."""
        parts = {} if self.name == "eager" else network.parts()
        if self.device.type != "cpu":
            return network.with_parts({name: compiled.compiled_there(part) for name, part in parts.items()})
        about = repr(getattr(network, "config", ""))
        return network.with_parts(
            {
                name: PartRunner(name, part, about, self.name, self.cache, self._chosen, self.notice, self.held)
                for name, part in parts.items()
            }
        )

    @property
    def each(self) -> tuple[Backends, ...]:
        """As of an ensemble: this alone."""
        return (self,)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """By what each part has run so far, at each size."""
        return tuple(self._choices.values())

    def _chosen(self, choice: Choice) -> None:
        self._choices[choice.part, choice.size] = choice

    def __str__(self) -> str:
        """`eager`, or what has run what so far."""
        return ", ".join(dict.fromkeys(f"{c.part} {c.backend}" for c in self.choices)) or self.name

    def as_dict(self) -> dict[str, Any]:
        """What was asked for and what runs, for a record; JSON can hold it."""
        return {"asked": self.asked, "backend": self.name, "parts": [asdict(choice) for choice in self.choices]}


def _resolved(asked: str, device: torch.device, environment: Mapping[str, str] = os.environ) -> str:
    if device.type != "cpu":
        if asked == "onnx":
            raise ConfigError(f"backend onnx runs on the CPU, not on {device}: give --device cpu, or another --backend")
        return "eager" if asked == "auto" else asked
    meant = environment.get("CAMN_BACKEND") if asked == "auto" else None
    if meant and meant not in get_args(Backend):
        raise ConfigError(f"CAMN_BACKEND is {meant!r}: it must be one of {', '.join(get_args(Backend))}")
    return meant or asked
