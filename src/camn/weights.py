"""Weights files: safetensors that carry their network's configuration, and the ones shipped with the package."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from camn.config import ABLATED, NETWORKS, ClickConfig, FusionConfig, NetworkConfig, config_from_dict
from camn.errors import CheckpointError, words_of
from camn.files import is_file, replacing, writing

ASSETS = Path(__file__).parent / "assets" / "weights"
FUSIONS, CLICKS = ASSETS.parent / "fusion", ASSETS.parent / "clicks"
PICKLED = (".pth", ".pt", ".ckpt", ".bin", ".tar")  # of what torch writes


Config = TypeVar("Config", NetworkConfig, FusionConfig, ClickConfig)


@dataclass(frozen=True)
class WeightsOf(Generic[Config]):
    """A network's configuration and tensors in float32, where they came from, and their file's SHA-256."""

    config: Config
    state: dict[str, Tensor]
    path: Path
    sha256: str
    notes: dict[str, Any]


Weights = WeightsOf[NetworkConfig]
ClickWeights = WeightsOf[ClickConfig]  # its notes' `encoder_sha256` is that of the model whose embedding it reads
FusionWeights = WeightsOf[FusionConfig]  # its notes' `members_sha256` are those of the models it was trained for


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
    if is_file(path):
        return path
    if path.suffix == ".safetensors" or os.path.lexists(path):
        raise CheckpointError(f"{path}: no such weights file; shipped models: {', '.join(files) or 'none'}")
    if str(name) in (*NETWORKS, *ABLATED):
        raise CheckpointError(
            f"{name}: a known network without shipped weights; train it (camn train) or convert public ones, and pass "
            f"the .safetensors file. Shipped: {', '.join(files) or 'none'}"
        )
    raise CheckpointError(f"unknown model {str(name)!r}: shipped are {', '.join(files) or 'none'}, or give a file")


def read(name: str | Path) -> Weights:
    """Read a shipped model or a file. Raises CheckpointError for a missing, corrupt or foreign file."""
    return _read(find(name), "camn.config", config_from_dict)


def read_fusion(path: str | Path) -> FusionWeights:
    """Read a fusion network's file. Raises CheckpointError for a missing, corrupt or foreign one."""
    path = Path(path)
    if not is_file(path):
        raise CheckpointError(f"{path}: no such fusion file; `camn fuse` makes one")
    return _read(path, "camn.fusion", FusionConfig.from_dict)


def read_clicks(name: str | Path) -> ClickWeights:
    """Read a shipped network for clicks, or a file. Raises CheckpointError for a missing, corrupt or foreign one."""
    path = shipped_clicks().get(str(name), Path(name))
    if not path.is_file():
        known = ", ".join(shipped_clicks()) or "none"
        raise CheckpointError(f"{path}: no such file of a network for clicks; shipped: {known}; `camn train` makes one")
    return _read(path, "camn.clicks", ClickConfig.from_dict)


def shipped_clicks() -> dict[str, Path]:
    """The networks for clicks that come with the package, by name."""
    return {path.stem: path for path in sorted(CLICKS.glob("*.safetensors"))}


def shipped_fusions() -> list[Path]:
    """Files of the fusion networks that come with the package."""
    return sorted(FUSIONS.glob("*.safetensors"))


def _read(path: Path, kind: str, understand: Callable[[dict[str, Any]], Config]) -> WeightsOf[Config]:
    """kind: the entry of the file that holds the configuration."""
    try:
        os.fsencode(path).decode()
    except UnicodeDecodeError:
        raise CheckpointError(f"{path}: its name is no UTF-8, and safetensors cannot open such; rename it") from None
    try:
        with safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118, no mapping
    except (SafetensorError, OSError) as error:
        more = "; a public checkpoint is first converted (camn convert)" if path.suffix in PICKLED else ""
        raise CheckpointError(f"{path}: not a readable safetensors file ({error}); get it again{more}") from None
    if bad := [key for key, tensor in tensors.items() if tensor.is_complex()]:
        raise CheckpointError(f"{path}: {bad[0]} holds complex numbers, which no network here has; it is another file")
    state = {key: tensor.float() for key, tensor in tensors.items()}
    if bad := [key for key, tensor in state.items() if not torch.isfinite(tensor).all()]:
        raise CheckpointError(f"{path}: {bad[0]} holds values that are not finite; the file is damaged, get it again")
    if kind not in notes:
        raise CheckpointError(f"{path}: {_FOREIGN[kind]}")
    try:
        config, more = understand(json.loads(notes[kind])), dict(json.loads(notes.get("camn.notes", "{}")))
    except Exception as error:  # of any kind: JSON may hold anything
        raise CheckpointError(f"{path}: its configuration is not of this version of camn: {words_of(error)}") from None
    return WeightsOf(config, state, path, hashlib.sha256(path.read_bytes()).hexdigest(), more)


_FOREIGN = {
    "camn.config": "carries no camn configuration; convert it with `camn convert` first",
    "camn.fusion": "is no fusion network; `camn fuse` makes one",
    "camn.clicks": "is no network for clicks; `camn train` makes one by recipes/camn-mobile-clicks-cpu.toml",
}


def write(
    path: Path,
    config: NetworkConfig | FusionConfig | ClickConfig,
    state: dict[str, Tensor],
    notes: dict[str, Any] | None = None,
    half: bool = True,
) -> None:
    """Write weights whole or not at all, in float16 if `half`. notes: anything JSON can hold: origin, recipe, scores.

    Raises CheckpointError for a value that is not finite in that precision, OutputError if it cannot be written.
    """
    dtype = torch.float16 if half else torch.float32
    tensors = {k: v.detach().cpu().to(dtype, copy=True).contiguous() for k, v in state.items() if v.is_floating_point()}
    if bad := [k for k, v in tensors.items() if not torch.isfinite(v).all()]:
        precision = "half" if half else "single"
        raise CheckpointError(f"{path}: not written: {bad[0]} is not finite in {precision} precision")
    kinds = {FusionConfig: "camn.fusion", ClickConfig: "camn.clicks"}
    kind = kinds.get(type(config), "camn.config")
    metadata = {kind: json.dumps(config.as_dict()), "camn.notes": json.dumps(notes or {})}
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, SafetensorError) as part:
        part.write_bytes(save(tensors, metadata))  # also under a name that safetensors cannot open
