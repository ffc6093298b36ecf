"""Reading weights files of other programs, safely, and saying what does not fit."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from camn.errors import CheckpointError, words_of
from camn.files import is_file

# Under these names training programs put the weights beside optimiser and counters.
_NESTED = ("state_dict", "model", "model_state_dict", "net")


def read_state(path: str | Path, trust: bool = False) -> dict[str, Tensor]:
    """Names and tensors of a PyTorch weights file, on the CPU; also where they lie under `state_dict` in the file.

    The file is unpickled with tensors and plain containers only, so that it cannot run code. trust: take other Python
    objects too, which may run any code. Raises CheckpointError.
    """
    path = Path(path)
    if not is_file(path):
        raise CheckpointError(f"{path}: no such file; give the path of a downloaded checkpoint (.pth)")
    try:
        data = torch.load(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        reason = str(error).split("\n")[0]
        raise CheckpointError(
            f"{path}: not a file of plain tensors ({reason}). If it is truncated, download it again; if it holds other "
            "Python objects, reading them may run any code: if you trust where it came from, `camn convert --trust` "
            "does so, or load it in a program of yours with torch.load(path, weights_only=False), save only the "
            "tensors with torch.save, and give that file"
        ) from None
    except Exception as error:  # of any kind: what is no pickle is read as one until something in it cannot be
        raise CheckpointError(
            f"{path}: cannot be read as a checkpoint ({words_of(error)}): it is damaged, or of another kind; download "
            "it again"
        ) from None
    return unwrap(data, str(path))


def read_translated(
    path: str | Path, translate: Callable[[dict[str, Tensor]], dict[str, Tensor]], trust: bool = False
) -> dict[str, Tensor]:
    """What `read_state` reads, in our names. Raises CheckpointError, which names the file whatever the reason."""
    state = read_state(path, trust)
    try:
        return translate(state)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def unwrap(data: Any, where: str) -> dict[str, Tensor]:
    """The state dictionary in what a file holds: itself, or one level down. Raises CheckpointError if neither."""
    if not isinstance(data, Mapping):
        raise CheckpointError(f"{where}: holds a {type(data).__name__}, not a dictionary of tensors")
    for key in _NESTED:
        if isinstance(data.get(key), Mapping):
            data = data[key]
            break
    odd = [str(name) for name, value in data.items() if not isinstance(value, Tensor)]
    if odd or not data:
        what = f"entries that are no tensors ({some(odd)})" if odd else "no tensors"
        raise CheckpointError(f"{where}: holds {what}; a checkpoint is names and tensors, or has them as 'state_dict'")
    return {str(name): value for name, value in data.items()}


def check_shapes(
    state: Mapping[str, Tensor],
    wanted: Mapping[str, Sequence[int]],
    network: str,
    names: Mapping[str, str] | None = None,
) -> None:
    """Raise CheckpointError naming tensors of another shape. names: what the file calls each, if not the same."""
    wrong = [
        f"{names[name] if names else name}: the file has {tuple(state[name].shape)}, the model needs {tuple(shape)}"
        for name, shape in wanted.items()
        if tuple(state[name].shape) != tuple(shape)
    ]
    if wrong:
        raise CheckpointError(f"{plural(wrong, 'tensor')} do not fit {network}: {some(wrong, '; ')}")


def misfit(missing: Sequence[str], extra: Sequence[str]) -> str:
    """What a file lacks of a network's tensors and has beyond them, to stand after `it`; empty if the names fit."""
    said = [f"lacks {plural(missing, 'tensor')} ({some(missing)})"] if missing else []
    said += [f"has {plural(extra, 'tensor')} without a place ({some(extra)})"] if extra else []
    return " and ".join(said)


def some(names: Sequence[str], join: str = ", ", most: int = 3) -> str:
    """The first names of a list, and how many more there are."""
    more = f"{join}and {len(names) - most} more" if len(names) > most else ""
    return join.join(names[:most]) + more


def plural(things: Sequence, word: str) -> str:
    return f"{len(things)} {word}" + ("" if len(things) == 1 else "s")
