"""Networks with their weights: loading them, listing them, converting public ones."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from camn import weights
from camn.api.options import Notice, SegmentOptions
from camn.checkpoints import cfbi, stm
from camn.checkpoints.files import check_shapes, misfit
from camn.config import NETWORKS, InferenceConfig, network_preset
from camn.errors import CheckpointError, ConfigError
from camn.inference import Segmenter, resolve_device
from camn.model.build import build_network, expected_shapes

ABOUT = {
    "camn-mobile": "ours, small: EfficientNet-Lite0, for CPUs",
    "camn-r50": "ours: ResNet-50",
    "camn-r101": "ours, the paper's network: ResNet-101",
    "cfbi-mobilenetv2": "CFBI with MobileNetV2; public weights can be converted",
    "cfbi-r101": "CFBI as published, ResNet-101; public weights can be converted",
    "cfbi-plus-r101": "CFBI+ as published, ResNet-101; public weights can be converted",
    "stm-r50": "STM as published, ResNet-50; public weights can be converted",
}
PUBLIC = {
    "cfbi": "cfbi-r101",
    "cfbi-mobilenetv2": "cfbi-mobilenetv2",
    "cfbi-plus": "cfbi-plus-r101",
    "stm": "stm-r50",
}


@dataclass(frozen=True)
class ModelInfo:
    """parameters: millions. path, size (bytes), sha256, notes: of the shipped weights; without these path is None."""

    name: str
    about: str
    parameters: float
    path: Path | None = None
    size: int = 0
    sha256: str = ""
    notes: dict[str, Any] | None = None

    @property
    def shipped(self) -> bool:
        return self.path is not None


def load(
    model: str | Path = "camn-mobile",
    device: str | torch.device = "auto",
    config: InferenceConfig | None = None,
    *,
    notice: Notice = lambda note: None,
    **options: Any,
) -> Segmenter:
    """A segmenter with a shipped model or a .safetensors file.

    device: auto (CUDA, else MPS, else CPU) or a torch device. options: fields of `InferenceConfig`, in place of
    `config`; without either the backend is `auto`. notice: called with what is chosen for each size, on its first
    frames. Raises CheckpointError for an unknown model and a file that is corrupt or does not fit its network,
    ConfigError for options and devices that cannot be.
    """
    if config is not None and options:
        raise ConfigError(f"load: give either config or {', '.join(options)}")
    if unknown := [name for name in options if name not in InferenceConfig.__dataclass_fields__]:
        known = ", ".join(InferenceConfig.__dataclass_fields__)
        raise ConfigError(f"load: unknown option {unknown[0]!r}; the options are {known}")
    if config is None:
        options.setdefault("backend", "auto")
        config = InferenceConfig(**options)
    return segmenter_of(weights.read(model), resolve_device(device), config, notice)


@dataclass(frozen=True, eq=False)
class Model:
    """A model in memory, for any number of videos one after the other. name, path, sha256: of its weights."""

    name: str
    path: Path
    sha256: str
    options: SegmentOptions
    _fresh: Segmenter  # never started

    def segmenter(self) -> Segmenter:
        """One for a new video; it shares the network with all others of this model."""
        return copy(self._fresh)

    def serves(self, options: SegmentOptions) -> bool:
        """Whether it is just what `open_model` would make."""
        return _load_key(self.options) == _load_key(options)


def _load_key(options: SegmentOptions) -> tuple[Any, ...]:
    return options.model, options.device, options.inference()


def open_model(options: SegmentOptions, notice: Notice = lambda note: None) -> Model:
    """The model that `options` name, loaded. notice: as in `load`. Raises what that raises."""
    device = resolve_device(options.device)
    read = weights.read(options.model)
    segmenter = segmenter_of(read, device, options.inference(), notice)
    return Model(read.config.name, read.path, read.sha256, options, segmenter)


def model_sha256(model: str | Path) -> str:
    """Of a shipped model's file, or of a file. Raises CheckpointError if there is none."""
    with open(weights.find(model), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep_freed_memory() -> None:
    """Have glibc keep what tensors free instead of giving it back to the system and faulting it in again each frame.

    At 480x854 on two cores this took camn-mobile from 0.49 to 0.41 s/frame. Elsewhere it does nothing.
    """
    trim, mmap = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(mmap, 1 << 30)
    mallopt(trim, (1 << 31) - 1)


def segmenter_of(
    read: weights.Weights,
    device: torch.device,
    config: InferenceConfig,
    notice: Notice = lambda note: None,
) -> Segmenter:
    """A segmenter with weights that were read. notice: as in `load`. Raises CheckpointError naming every kind of tensor
    that does not fit."""
    if device.type == "cpu":
        keep_freed_memory()
    network = build_network(read.config)
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if said := misfit(sorted(wanted.keys() - read.state), sorted(read.state.keys() - wanted)):
        raise CheckpointError(
            f"{read.path}: does not fit {read.config.name}: it {said}; it was made by another version "
            "of camn or changed since: get it again, or convert it again"
        )
    try:
        check_shapes(read.state, wanted, read.config.name)
    except CheckpointError as error:
        raise CheckpointError(f"{read.path}: {error}; get the file again, or convert it again") from None
    network.load_state_dict(read.state)
    return Segmenter(network, config, device, notice=notice)


def models() -> list[ModelInfo]:
    """Every known network, shipped ones with what their files say."""
    shipped = weights.shipped()
    return [_info(name, shipped.get(name)) for name in dict.fromkeys([*shipped, *NETWORKS])]


def _info(name: str, path: Path | None) -> ModelInfo:
    about = ABOUT.get(name, "shipped weights")
    if path is None:
        shapes = expected_shapes(network_preset(name))
        return ModelInfo(name, about, _millions(shapes.values()))
    read = weights.read(path)
    count = _millions(tuple(tensor.shape) for tensor in read.state.values())
    return ModelInfo(name, about, count, path, path.stat().st_size, read.sha256, read.notes)


def _millions(shapes: Any) -> float:
    return sum(torch.Size(shape).numel() for shape in shapes) / 1e6


def convert(kind: str, source: str | Path, target: str | Path, half: bool = False, trust: bool = False) -> Path:
    """A public CFBI, CFBI+ or STM checkpoint -> a .safetensors file that `load` takes; it names its origin's SHA-256.

    kind: `cfbi`, `cfbi-mobilenetv2`, `cfbi-plus` or `stm`. half: store float16, half the size. trust: take a pickle
    that holds more than tensors, which may run any code. Raises ConfigError for another kind or suffix, CheckpointError
    for a file that does not fit, OutputError if it cannot be written.
    """
    name = PUBLIC.get(kind, kind)
    if name not in PUBLIC.values():
        raise ConfigError(f"convert: unknown kind {kind!r}; public checkpoints are {', '.join(PUBLIC)}")
    target = Path(target)
    if target.suffix != ".safetensors":
        raise ConfigError(f"{target}: weights are written as .safetensors; give a name that ends so")
    config, state = (stm if name == "stm-r50" else cfbi).load_public(source, name, trust)
    with open(source, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    notes = {"origin": f"converted from {Path(source).name}", "origin_sha256": sha256}
    weights.write(target, config, state, notes, half)
    return target


@contextmanager
def cpu_threads(count: int | None) -> Iterator[int]:
    """torch's threads for a while. Yields how many there are; None leaves them."""
    if count is not None and count < 1:
        raise ConfigError(f"threads is {count}: it must be 1 or more")
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
