"""Frozen configurations of the network and its parts. Checked when made."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from camn.config.backbones import BACKBONES, normalise_as
from camn.errors import ConfigError, words_of

STRIDES = (4, 8, 16)


def _one_of(what: str, value: Any, allowed: Collection[Any]) -> None:
    if value not in allowed:
        raise ConfigError(f"{what} is {value!r}: it must be one of {', '.join(map(repr, allowed))}")


@dataclass(frozen=True)
class Scale:
    """One scale at which frames are embedded and matched (CFBI+, Yang et al. 2020).

    stride: output stride of the map. channels: of its embedding. match_channels: of the part that is matched.
    radii: window radii of local matching, in pixels of this map; local_stride: offsets are multiples of it.
    global_stride: every n-th row and column of a reference frame is matched. keep_all_below: an object with at most
    this many reference pixels times global_stride squared keeps all of them (0: never).
    """

    stride: int
    channels: int
    match_channels: int
    radii: tuple[int, ...]
    local_stride: int = 1
    global_stride: int = 1
    keep_all_below: int = 0

    def __post_init__(self):
        _one_of("scale stride", self.stride, STRIDES)
        counts = (self.channels, self.match_channels, self.local_stride, self.global_stride)
        if min(counts) < 1 or self.keep_all_below < 0:
            raise ConfigError(f"{self}: channels and strides must be 1 or more, keep_all_below 0 or more")
        if any(r <= 0 or r % self.local_stride for r in self.radii) or not self.radii:
            raise ConfigError(f"window radii {self.radii} must be positive multiples of stride {self.local_stride}")
        if tuple(sorted(set(self.radii))) != self.radii:
            raise ConfigError(f"window radii {self.radii} must rise from small to large")


@dataclass(frozen=True)
class Matching:
    """How embeddings are compared.

    metric: `euclidean` takes the first match_channels of the embedding as they are (CFBI); `cosine` projects the
    embedding by a 1x1 convolution, normalises it and scales it by a learnt temperature.
    masks: how masks are brought to a scale: `nearest` (CFBI) or `area` (mean over the pixel's cell).
    half_size_windows: local matching at half size, brought back up (CFBI's MODEL_LOCAL_DOWNSAMPLE).
    """

    metric: Literal["euclidean", "cosine"] = "euclidean"
    masks: Literal["nearest", "area"] = "nearest"
    half_size_windows: bool = False

    def __post_init__(self):
        _one_of("matching metric", self.metric, ("euclidean", "cosine"))
        _one_of("matching masks", self.masks, ("nearest", "area"))


@dataclass(frozen=True)
class Memory:
    """Foreground-background space-time memory (design, point 6). separation: (a) `multiply`, (b) `prior`."""

    separation: Literal["multiply", "prior"] = "multiply"
    key_channels: int = 64
    value_channels: int = 128

    def __post_init__(self):
        _one_of("memory separation", self.separation, ("multiply", "prior"))


@dataclass(frozen=True)
class Stage:
    """A stage of the ensembler: bottlenecks of `width` channels, one for each dilation, at the output stride."""

    stride: int
    width: int
    dilations: tuple[int, ...]

    def __post_init__(self):
        _one_of("stage stride", self.stride, STRIDES)
        if self.width % 4 or not self.dilations:
            raise ConfigError(f"stage width {self.width} must be a multiple of 4, with at least one block")


@dataclass(frozen=True)
class DecoderStep:
    """A step up of the ensembler's decoder: skip connections brought to `skip` channels, then 3x3 convolutions."""

    stride: int
    skip: int
    widths: tuple[int, ...]

    def __post_init__(self):
        _one_of("decoder stride", self.stride, STRIDES)
        if not self.widths or min(self.skip, *self.widths) < 1:
            raise ConfigError(
                f"decoder step: skip {self.skip}, widths {self.widths}: need one width or more, all positive"
            )


@dataclass(frozen=True)
class Ensembler:
    """Collaborative ensembler (CFBI, CFBI+). high_level: what ends its last stage, `aspp` or `fpa`.

    edges: width of ours behind the decoder, which mends logits at stride 2 by the backbone's map of that stride; 0 for
    none, as published.
    """

    stages: tuple[Stage, ...]
    decoder: tuple[DecoderStep, ...]
    high_level: Literal["aspp", "fpa"] = "aspp"
    high_level_width: int = 256
    pre_head: int = 0
    background_channel: bool = True
    upsample: Literal["bicubic", "bilinear"] = "bicubic"
    edges: int = 0

    def __post_init__(self):
        _one_of("high_level", self.high_level, ("aspp", "fpa"))
        if self.pre_head < 0 or self.pre_head % 4:
            raise ConfigError(f"pre_head is {self.pre_head}: it must be a multiple of 4, or 0 for none")
        if self.edges < 0:
            raise ConfigError(f"edges is {self.edges}: it must be a width, or 0 for none")
        if self.high_level_width < 1 or (self.high_level == "aspp" and self.high_level_width % 2):
            raise ConfigError(f"high_level_width is {self.high_level_width}: it must be positive, and even for `aspp`")
        strides = [s.stride for s in self.stages]
        if not strides or any(b != 2 * a for a, b in zip(strides, strides[1:], strict=False)):
            raise ConfigError(f"ensembler stage strides {strides} must double from stage to stage")
        up = [d.stride for d in self.decoder]
        if up != sorted(set(up), reverse=True) or any(d != 4 and d not in strides for d in up):
            raise ConfigError(f"decoder strides {up} must fall, each 4 or the stride of a stage, which are {strides}")


@dataclass(frozen=True)
class ModelConfig:
    """A whole network. See `preset` for the known ones.

    deeplab: width of the DeepLabV3+ ASPP and decoder over the backbone, 0 for none.
    context: object context on the stride-16 map. pyramid: `single` is CFBI's one stride-4 embedding.
    path_aggregation: PAN's bottom-up path over the pyramid. bgr: channel order that the network wants; mean and std
    are in that order, the backbone's own unless given.
    """

    name: str
    backbone: str
    scales: tuple[Scale, ...]
    ensembler: Ensembler
    deeplab: int = 256
    context: Literal["none", "base", "pyramid", "aspp"] = "none"
    context_keys: int = 64
    pyramid: Literal["single", "fpn"] = "fpn"
    path_aggregation: bool = False
    matching: Matching = Matching()
    memory: Memory | None = None
    bgr: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self):
        _one_of("backbone", self.backbone, BACKBONES)
        normalise_as(self, self.backbone)
        _one_of("context", self.context, ("none", "base", "pyramid", "aspp"))
        _one_of("pyramid", self.pyramid, ("single", "fpn"))
        strides = [s.stride for s in self.scales]
        if strides != sorted(set(strides)) or not strides:
            raise ConfigError(f"scale strides {strides} must be distinct, finest first")
        if self.deeplab < 0:
            raise ConfigError(f"deeplab is {self.deeplab}: it must be 0 (none) or more")
        if self.pyramid == "single":
            self._check_single(strides)
        if self.pyramid == "fpn" and len(strides) < 2:
            raise ConfigError("a feature pyramid needs two scales or more")
        if self.ensembler.stages[0].stride != strides[0]:
            raise ConfigError("the ensembler must start at the finest scale")
        stages = [s.stride for s in self.ensembler.stages]
        if unheard := [s for s in strides if s not in stages]:
            raise ConfigError(f"scales of strides {unheard} join no stage of the ensembler, whose strides are {stages}")
        joined = [s for s in self.ensembler.stages[1:] if s.stride in strides]
        if short := [s.stride for s in joined if len(s.dilations) < 2]:
            raise ConfigError(
                f"ensembler stages of strides {short}: scales join behind the first block; give two or more"
            )
        if self.matching.metric == "euclidean" and (over := [s for s in self.scales if s.match_channels > s.channels]):
            raise ConfigError(
                f"{over[0]}: more channels to match than the embedding has; project them (metric `cosine`)"
            )
        if self.memory and strides[-1] != 16:
            raise ConfigError("the memory reads at stride 16: the coarsest scale must have it")
        if self.context != "none" and strides[-1] != 16:
            raise ConfigError("object context works at stride 16: the coarsest scale must have it")

    def _check_single(self, strides: list[int]) -> None:
        """Channels are normed in 32 groups ahead of the one embedding, and in groups of 4 in it."""
        if strides != [4]:
            raise ConfigError("a single pyramid has one scale, of stride 4")
        if (self.deeplab or BACKBONES[self.backbone].channels[0]) % 32:
            raise ConfigError(
                f"deeplab is {self.deeplab}: a single pyramid over {self.backbone} needs a multiple of 32, such as 256"
            )
        if self.scales[0].channels % 4:
            raise ConfigError(f"{self.scales[0]}: the channels of a single pyramid must be a multiple of 4")

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and scalars: what weights files carry."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ModelConfig:
        """The inverse of `as_dict`, also after JSON. Raises ConfigError naming a field that is unknown or missing."""
        try:
            ensembler = dict(data["ensembler"])
            ensembler["stages"] = tuple(Stage(**_tuples(s)) for s in ensembler["stages"])
            ensembler["decoder"] = tuple(DecoderStep(**_tuples(s)) for s in ensembler["decoder"])
            fields = dict(data) | {
                "scales": tuple(Scale(**_tuples(s)) for s in data["scales"]),
                "ensembler": Ensembler(**ensembler),
                "matching": Matching(**data["matching"]),
                "memory": Memory(**data["memory"]) if data.get("memory") else None,
                "mean": tuple(data["mean"]),
                "std": tuple(data["std"]),
            }
            return cls(**fields)
        except ConfigError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"model configuration not understood: {words_of(error)}") from None


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise TypeError(f"{data!r:.60} is no table")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
