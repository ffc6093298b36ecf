"""What the lean forms are made of, told by its exact kind: a part left out unseen would be missing in the answers."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

from camn.model.network import Camn

Kind = TypeVar("Kind", bound=nn.Module)

CAMN = (
    *("mean", "std", "backbone", "deeplab", "context", "embedding", "aggregation", "keys", "temperature"),
    *("foreground_bias", "background_bias", "memory", "pre_head", "ensembler"),
)


def known(module: object, kind: type[Kind], *parts: str) -> Kind:
    """The module, if it is of exactly this kind and holds no other parts and tensors than these. Raises TypeError that
    names what is not known, also for a kind made from this one: what it does otherwise cannot be seen."""
    if type(module) is not kind:
        raise unknown(module, f"{kind.__name__} is known in its place")
    held = module._modules | module._parameters | module._buffers
    if more := [name for name, part in held.items() if part is not None and name not in parts]:
        raise unknown(module, f"its {', '.join(more)} would be left out")
    return module


def unknown(module: object, why: str) -> TypeError:
    """The error for what has no lean form."""
    return TypeError(f"{type(module).__name__} has no lean form ({why}); give it one in camn.lean, tested to be equal")


def known_camn(network: Camn) -> Camn:
    """See `known`."""
    return known(network, Camn, *CAMN)
