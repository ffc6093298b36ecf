"""Networks for inference only, whose heavy parts are pure functions of tensors that other backends can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Self

from torch import nn

from camn.lean.winograd import quickened


class InParts(nn.Module):
    """A mixin of networks that are made of parts: modules from tensors to a tuple of tensors, of fixed shapes for a
    work size, which may be run by something else."""

    pure: nn.ModuleDict
    elsewhere: dict[str, Callable[..., Any]]

    def take(self, parts: Mapping[str, nn.Module]) -> None:
        """Be made of these parts, `quickened`; called once, by the constructor."""
        self.pure, self.elsewhere = nn.ModuleDict({name: quickened(part) for name, part in parts.items()}), {}

    def run(self, part: str, *tensors: Any) -> Any:
        """What the part answers, wherever it runs."""
        return (self.elsewhere.get(part) or self.pure[part])(*tensors)

    def parts(self) -> dict[str, nn.Module]:
        """See `Network.parts`; only those that still run here."""
        return dict(self.pure.items())

    def with_parts(self, parts: Mapping[str, Callable[..., Any]]) -> Self:
        """See `Network.with_parts`."""
        if unknown := sorted(parts.keys() - self.pure.keys()):
            raise ValueError(f"no such parts: {', '.join(unknown)}; this network has {', '.join(self.pure)}")
        made = copy(self)
        made._modules = dict(self._modules)  # else both would share the table that the next line edits
        made.pure = nn.ModuleDict({name: part for name, part in self.pure.items() if name not in parts})
        made.elsewhere = {**self.elsewhere, **parts}
        return made
