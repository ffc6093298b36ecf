"""Networks with their weights: loading them, listing them, converting public ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from camn import weights
from camn.api.models.assemble import assemble, filled, segmenter_of
from camn.api.options import Notice, SegmentOptions, Setup, named
from camn.checkpoints import cfbi, stm
from camn.config import NETWORKS, EnsembleConfig, InferenceConfig, PostProcess, network_preset
from camn.errors import CheckpointError, ConfigError
from camn.inference import AnySegmenter, Ensemble, resolve_device
from camn.inference.calls import own_settings
from camn.inference.marker import Marker
from camn.model.build import expected_shapes
from camn.model.clicks import ClickNetwork

ABOUT = {
    "camn-mobile": "ours, small: EfficientNet-Lite0, for CPUs",
    "camn-base": "ours, a size larger: EfficientNet-Lite2",
    "camn-r50": "ours: ResNet-50",
    "camn-r101": "ours, the paper's network: ResNet-101",
    "cfbi-mobilenetv2": "CFBI with MobileNetV2; public weights can be converted",
    "cfbi-r101": "CFBI as published, ResNet-101; public weights can be converted",
    "cfbi-plus-r101": "CFBI+ as published, ResNet-101; public weights can be converted",
    "stm-mobile": "STM, small: EfficientNet-Lite0",
    "stm-r50": "STM as published, ResNet-50; public weights can be converted",
}
CLICKS = "camn-mobile-clicks"  # the network for clicks that is taken if none is named
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


@own_settings(inference=False)
def load(
    model: str | Path | Sequence[str | Path] = "camn-mobile",
    device: str | torch.device = "auto",
    config: InferenceConfig | None = None,
    *,
    setup: Setup | None = None,
    notice: Notice = lambda note: None,
    **options: Any,
) -> AnySegmenter:
    """A segmenter with a shipped model or a .safetensors file; an ensemble with several, or with several views.

    device: auto (CUDA, else the CPU) or a torch device. options: fields of `InferenceConfig`, in place of
    `config`, of `EnsembleConfig` (`scales`, `flip`), `join` and `post`; without any the backend is `auto`, and answers
    are post-processed. config: of the network alone, whose answers stay as they are. setup: all of these in one.
    notice: called with what is chosen for each size, on its first frames. Raises CheckpointError for an unknown model
    and a file that is corrupt or does not fit its network, ConfigError for options and devices that cannot be.
    """
    if (config is not None) + (setup is not None) + bool(options) > 1:
        raise ConfigError(f"load: give one of config, setup, and {', '.join(options) or 'options'}")
    return assemble(
        [weights.read(one) for one in named(model)],
        resolve_device(device),
        setup or (_setup(options) if config is None else Setup(config, post=PostProcess.off())),
        notice,
    )


@own_settings(inference=False)
@torch.random.fork_rng(devices=())  # building a network draws numbers, and those are the caller's
def load_marker(
    clicks: str | Path = CLICKS, device: str | torch.device = "auto", segmenter: AnySegmenter | None = None
) -> Marker:
    """What makes masks from clicks: see `Marker`.

    clicks: a shipped network for clicks, or a file. segmenter: one whose network it shares, of several the first,
    in place of a new one.
    Raises CheckpointError for a file that is corrupt, or was trained for other weights than the segmenter's.
    """
    read = weights.read_clicks(clicks)
    encoder = weights.read(read.config.encoder)
    if read.notes.get("encoder_sha256") != encoder.sha256:
        raise CheckpointError(
            f"{read.path}: was trained for other weights of {read.config.encoder} than are here; train it anew"
        )
    if segmenter is None:
        segmenter = segmenter_of(encoder, resolve_device(device), InferenceConfig())
    elif isinstance(segmenter, Ensemble):
        segmenter = segmenter.ways[0].segmenter
    return Marker(filled(lambda: ClickNetwork(read.config), read, read.config.name), segmenter)


def _setup(options: Mapping[str, Any]) -> Setup:
    parts = {kind: kind.__dataclass_fields__ for kind in (InferenceConfig, EnsembleConfig)}
    known = [*(name for fields in parts.values() for name in fields), "join", "post"]
    if unknown := [name for name in options if name not in known]:
        raise ConfigError(f"load: unknown option {unknown[0]!r}; the options are {', '.join(known)}")
    inference, ensemble = ({k: v for k, v in options.items() if k in fields} for fields in parts.values())
    inference.setdefault("backend", "auto")
    rest = {key: options[key] for key in ("join", "post") if key in options}
    return Setup(InferenceConfig(**inference), EnsembleConfig(**ensemble), **rest)


@dataclass(frozen=True)
class Source:
    """Where weights came from. name: of their network."""

    name: str
    path: Path
    sha256: str

    def as_dict(self) -> dict[str, str]:
        return {"name": self.name, "file": self.path.name, "sha256": self.sha256}


@dataclass(frozen=True, eq=False)
class Model:
    """A model in memory, or several side by side, for any number of videos one after the other. sha256: of all files
    that the options name, joined by `+`."""

    sources: tuple[Source, ...]
    sha256: str
    options: SegmentOptions
    _fresh: AnySegmenter  # never started

    def segmenter(self) -> AnySegmenter:
        """One for a new video; it shares the networks with all others of this model."""
        return copy(self._fresh)

    def serves(self, options: SegmentOptions) -> bool:
        """Whether it is just what `open_model` would make."""
        return _load_key(self.options) == _load_key(options)


def _load_key(options: SegmentOptions) -> tuple[Any, ...]:
    return options.model, options.device, options.setup()


@own_settings(inference=False)
def open_model(options: SegmentOptions, notice: Notice = lambda note: None) -> Model:
    """The model that `options` name, loaded. notice: as in `load`. Raises what that raises."""
    device = resolve_device(options.device)
    read = [weights.read(one) for one in options.model]
    sources = tuple(Source(one.config.name, one.path, one.sha256) for one in read)
    fresh = assemble(read, device, options.setup(), notice)
    more = [model_sha256(file) for file in options.files()[len(read) :]]
    return Model(sources, "+".join([*(one.sha256 for one in read), *more]), options, fresh)


def model_sha256(model: str | Path) -> str:
    """Of a shipped model's file, or of a file. Raises CheckpointError if there is none."""
    with open(weights.find(model), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def marker_sha256() -> str:
    """Of the network for clicks that `load_marker` takes if none is named."""
    return weights.read_clicks(CLICKS).sha256


@own_settings(inference=False)
def models() -> list[ModelInfo]:
    """Every known network, shipped ones with what their files say."""
    shipped = weights.shipped()
    return [_info(name, shipped.get(name)) for name in dict.fromkeys([*shipped, *NETWORKS])]


@own_settings(inference=False)
def click_networks() -> list[ModelInfo]:
    """Every shipped network for clicks, with the model that reads the frame for it."""
    read = [weights.read_clicks(path) for path in weights.shipped_clicks().values()]
    return [_described(one.path.stem, f"masks from clicks, by what {one.config.encoder} sees", one) for one in read]


@own_settings(inference=False)
def fusions() -> list[ModelInfo]:
    """Every shipped fusion network, with the models that it joins."""
    read = [weights.read_fusion(path) for path in weights.shipped_fusions()]
    return [_described(one.path.stem, "joins " + ", ".join(one.config.members), one) for one in read]


def _info(name: str, path: Path | None) -> ModelInfo:
    about = ABOUT.get(name, "shipped weights")
    if path is None:
        shapes = expected_shapes(network_preset(name))
        return ModelInfo(name, about, _millions(shapes.values()))
    return _described(name, about, weights.read(path))


def _described(name: str, about: str, read: weights.WeightsOf[Any]) -> ModelInfo:
    count = _millions(tuple(tensor.shape) for tensor in read.state.values())
    return ModelInfo(name, about, count, read.path, read.path.stat().st_size, read.sha256, read.notes)


def _millions(shapes: Any) -> float:
    return sum(torch.Size(shape).numel() for shape in shapes) / 1e6


@own_settings(inference=False)
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
