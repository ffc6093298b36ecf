"""Weights files: safetensors that carry their network's configuration, and the ones shipped with the package."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from camn.config import NETWORKS, NetworkConfig, config_from_dict
from camn.errors import CheckpointError, ConfigError
from camn.files import replacing, writing

ASSETS = Path(__file__).parent / "assets" / "weights"


@dataclass(frozen=True)
class Weights:
    """A network's configuration and tensors in float32, where they came from, and their file's SHA-256."""

    config: NetworkConfig
    state: dict[str, Tensor]
    path: Path
    sha256: str
    notes: dict[str, Any]


def shipped() -> dict[str, Path]:
    """The models whose weights come with the package, by name."""
    return {path.stem: path for path in sorted(ASSETS.glob("*.safetensors"))}


def known() -> tuple[str, ...]:
    """Names that stand for a network rather than for a file: those of shipped models, and the presets."""
    return tuple(dict.fromkeys([*shipped(), *NETWORKS]))


def find(name: str | Path) -> Path:
    """The file of a shipped model or of a path. Raises CheckpointError saying what there is instead."""
    files = shipped()
    if str(name) in files:
        return files[str(name)]
    path = Path(name)
    if path.suffix == ".safetensors" or path.exists():
        if not path.is_file():
            raise CheckpointError(f"{path}: no such weights file; shipped models: {', '.join(files) or 'none'}")
        return path
    if str(name) in NETWORKS:
        raise CheckpointError(
            f"{name}: a known network without shipped weights; train it (camn train) or convert public ones, and pass "
            f"the .safetensors file. Shipped: {', '.join(files) or 'none'}"
        )
    raise CheckpointError(f"unknown model {str(name)!r}: shipped are {', '.join(files) or 'none'}, or give a file")


def read(name: str | Path) -> Weights:
    """Read a shipped model or a file. Raises CheckpointError for a missing, corrupt or foreign file."""
    path = find(name)
    try:
        with safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118, no mapping
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error}); get it again") from None
    if bad := [key for key, tensor in state.items() if not torch.isfinite(tensor).all()]:
        raise CheckpointError(f"{path}: {bad[0]} holds values that are not finite; the file is damaged, get it again")
    if "camn.config" not in notes:
        raise CheckpointError(f"{path}: carries no camn configuration; convert it with `camn convert` first")
    try:
        config = config_from_dict(json.loads(notes["camn.config"]))
        more = json.loads(notes.get("camn.notes", "{}"))
    except (ConfigError, ValueError, AttributeError) as error:  # the last from JSON of another shape
        raise CheckpointError(f"{path}: its configuration is not of this version of camn: {error}") from None
    return Weights(config, state, path, hashlib.sha256(path.read_bytes()).hexdigest(), more)


def write(
    path: Path, config: NetworkConfig, state: dict[str, Tensor], notes: dict[str, Any] | None = None, half: bool = True
) -> None:
    """Write weights whole or not at all, in float16 if `half`. notes: anything JSON can hold: origin, recipe, scores.

    Raises CheckpointError for a value that is not finite in that precision, OutputError if it cannot be written.
    """
    dtype = torch.float16 if half else torch.float32
    tensors = {k: v.detach().cpu().to(dtype, copy=True).contiguous() for k, v in state.items() if v.is_floating_point()}
    if bad := [k for k, v in tensors.items() if not torch.isfinite(v).all()]:
        kind = "half" if half else "single"
        raise CheckpointError(f"{path}: not written: {bad[0]} is not finite in {kind} precision")
    metadata = {"camn.config": json.dumps(config.as_dict()), "camn.notes": json.dumps(notes or {})}
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, SafetensorError) as part:
        save_file(tensors, part, metadata)
        part.chmod(0o644)  # safetensors makes files that only their owner can read
