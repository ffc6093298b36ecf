"""What a segmenter knows of a video, written down: plain values for JSON, and tensors. Another process goes on from it
with the same answers.

Only values and our own dataclasses are made of what is read, never any code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

import numpy as np
import torch
from torch import Tensor

from camn.inference import AnySegmenter
from camn.inference.calls import own_settings
from camn.inference.segmenter import Segmenter

OURS = "camn."  # what is made again is of this package
_GROUPS = {"list": list, "tuple": tuple, "set": frozenset}


@own_settings()
def written(segmenter: AnySegmenter) -> tuple[Any, dict[str, Tensor]]:
    """Values that JSON can hold, and tensors on the CPU. Raises TypeError for a kind of value that is not known here,
    which a new post-processing step may have."""
    writer = _Writer()
    backends = [[(c.part, c.size, c.backend) for c in one.choices] for one in segmenter.backends.each]
    values = {"known": writer.value(segmenter.known()), "backends": writer.value(backends)}
    return values, writer.tensors


@own_settings()
def taken_up(fresh: AnySegmenter, values: Any, tensors: Mapping[str, Tensor]) -> AnySegmenter:
    """A segmenter that goes on from what was `written`. fresh: one of the same networks and options, never started;
    what runs its networks is from now on what ran them then. Raises ValueError, TypeError, KeyError and others for
    values that are damaged."""
    reader = _Reader(tensors, fresh.device, fresh.open_segmenter)
    segmenter = fresh.knowing(reader.value(values["known"]))
    for one, choices in zip(fresh.backends.each, reader.value(values["backends"]), strict=True):
        one.held.update({(part, size): backend for part, size, backend in choices})
    return segmenter


class _Writer:
    def __init__(self):
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[int, str] = {}
        self._alive: list[Any] = []  # as long as names go by addresses

    def value(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float, str)) and not isinstance(value, np.generic):
            return value
        if isinstance(value, (np.ndarray, np.generic)):
            array = torch.from_numpy(np.array(value, order="C"))
            return {"array" if isinstance(value, np.ndarray) else "number": self._tensor(array)}
        if isinstance(value, Tensor):
            return {"tensor": self._tensor(value)}
        if isinstance(value, Mapping):
            return {"dict": [[self.value(key), self.value(item)] for key, item in value.items()]}
        if isinstance(value, Segmenter):
            return {"segmenter": value.config.short_side, "known": self.value(value.known())}
        if isinstance(value, slice):
            return {"slice": [value.start, value.stop, value.step]}
        for name, kind in _GROUPS.items():
            if type(value) is kind:
                return {name: [self.value(item) for item in value]}
        if dataclasses.is_dataclass(value) and type(value).__module__.startswith(OURS):
            fields = {field.name: self.value(getattr(value, field.name)) for field in dataclasses.fields(value)}
            return {"of": f"{type(value).__module__}:{type(value).__qualname__}", "fields": fields}
        raise TypeError(f"a {type(value).__name__} cannot be written down; use plain values, tensors and dataclasses")

    def _tensor(self, tensor: Tensor) -> list[Any]:
        """Its memory, which several may share, and where it lies in that: kernels may answer otherwise for another
        layout."""
        memory = tensor.untyped_storage()
        if memory.data_ptr() not in self._names:
            name = self._names[memory.data_ptr()] = str(len(self._names))
            self._alive.append(tensor)
            self.tensors[name] = torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(memory).cpu()
        kind = str(tensor.dtype).removeprefix("torch.")
        place = tensor.storage_offset(), list(tensor.shape), list(tensor.stride())
        return [self._names[memory.data_ptr()], kind, *place]


class _Reader:
    def __init__(self, tensors: Mapping[str, Tensor], device: torch.device, open_segmenter: Callable[[int], Segmenter]):
        self._tensors, self._device, self._open = tensors, device, open_segmenter
        self._there: dict[tuple[str, torch.device], Tensor] = {}

    def value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        kind = next(iter(value))
        content = value[kind]
        if kind in _GROUPS:
            return _GROUPS[kind](self.value(item) for item in content)
        if kind == "slice":
            return slice(*content)
        if kind == "dict":
            return {self.value(key): self.value(item) for key, item in content}
        if kind == "tensor":
            return self._tensor(self._device, *content)
        if kind == "array":
            return self._tensor(torch.device("cpu"), *content).numpy()
        if kind == "number":
            return self._tensor(torch.device("cpu"), *content).numpy()[()]
        if kind == "segmenter":
            return self._open(content).knowing(self.value(value["known"]))
        return self._made(content, value["fields"])

    def _made(self, name: str, fields: Mapping[str, Any]) -> Any:
        made = resolve_name(name) if name.startswith(OURS) else None
        if not (isinstance(made, type) and dataclasses.is_dataclass(made)):
            raise ValueError(f"{name} is nothing that can be made again")
        return made(**{key: self.value(item) for key, item in fields.items()})

    def _tensor(
        self, device: torch.device, name: str, kind: str, offset: int, shape: list[int], stride: list[int]
    ) -> Tensor:
        if (name, device) not in self._there:
            self._there[name, device] = self._tensors[name].to(device, copy=True)  # at an even address
        dtype = getattr(torch, kind)
        if not isinstance(dtype, torch.dtype):
            raise ValueError(f"{kind} is no kind of tensor")
        return self._there[name, device].view(dtype).as_strided(shape, stride, offset)
