"""The known networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from camn.config.ablation import PARTS, slim_cfbi, with_parts
from camn.config.clicks import ClickConfig
from camn.config.model import DecoderStep, Ensembler, Matching, Memory, ModelConfig, Scale, Stage
from camn.config.stm import StmConfig
from camn.errors import ConfigError

NetworkConfig = ModelConfig | StmConfig
CLICKS = {"camn-mobile-clicks": ClickConfig("camn-mobile-clicks")}

_CFBI_STAGES = (Stage(4, 256, (1, 2)), Stage(8, 512, (1, 2, 4)), Stage(16, 512, (1, 2, 4)))
_CFBI_DECODER = (DecoderStep(4, 64, (128, 128)),)
_CFBI_PLUS_SCALES = (
    Scale(4, 256, 32, (4, 8, 12, 16, 20, 24), local_stride=2, global_stride=2),
    Scale(8, 256, 64, (2, 4, 6, 8, 10, 12)),
    Scale(16, 256, 128, (2, 4, 6, 8, 10)),
)
# Ours: small objects are matched at full density. The published arrays of CFBI+ are without that.
_CAMN_SCALES = (replace(_CFBI_PLUS_SCALES[0], keep_all_below=100), *_CFBI_PLUS_SCALES[1:])


def _cfbi(name: str, backbone: str, global_stride: int) -> ModelConfig:
    return ModelConfig(
        name=name,
        backbone=backbone,
        scales=(Scale(4, 100, 100, (2, 4, 6, 8, 10, 12), global_stride=global_stride),),
        ensembler=Ensembler(_CFBI_STAGES, _CFBI_DECODER, pre_head=64),
        pyramid="single",
        matching=Matching(half_size_windows=True),
        bgr=True,
    )


def _camn(name: str, backbone: str) -> ModelConfig:
    """The paper's network: CFBI+ with object context, path aggregation, feature pyramid attention and memory."""
    return ModelConfig(
        name=name,
        backbone=backbone,
        scales=_CAMN_SCALES,
        ensembler=Ensembler(_CFBI_STAGES, _CFBI_DECODER, high_level="fpa"),
        context="base",
        path_aggregation=True,
        memory=Memory("multiply", key_channels=64, value_channels=128),
    )


def _mobile() -> ModelConfig:
    """Ours, small: camn-mobile."""
    return ModelConfig(
        name="camn-mobile",
        backbone="efficientnet_lite0",
        scales=(Scale(8, 64, 32, (2, 4, 8)), Scale(16, 96, 64, (1, 2, 5))),
        ensembler=Ensembler(
            stages=(Stage(8, 128, (1, 2)), Stage(16, 192, (1, 2, 4))),
            decoder=(DecoderStep(8, 32, (64,)), DecoderStep(4, 16, (32,))),
            high_level="fpa",
            high_level_width=96,
            background_channel=False,
            upsample="bilinear",
            edges=16,
        ),
        deeplab=0,
        context="base",
        context_keys=32,
        path_aggregation=True,
        matching=Matching(metric="cosine", masks="area"),
        memory=Memory("multiply", key_channels=32, value_channels=64),
    )


def _base() -> ModelConfig:
    """As camn-mobile, a size larger: half as much time again at most, and wider where that costs little."""
    small = _mobile()
    fine, coarse = small.scales
    first, last = small.ensembler.stages
    return replace(
        small,
        name="camn-base",
        backbone="efficientnet_lite2",
        scales=(fine, replace(coarse, channels=128)),
        ensembler=replace(small.ensembler, stages=(first, replace(last, width=256)), high_level_width=128),
        context_keys=48,
        memory=Memory("multiply", key_channels=48, value_channels=96),
    )


_PRESETS = {
    "cfbi-r101": lambda: _cfbi("cfbi-r101", "resnet101", 1),
    "cfbi-mobilenetv2": lambda: _cfbi("cfbi-mobilenetv2", "mobilenet_v2", 2),
    "cfbi-plus-r101": lambda: ModelConfig(
        name="cfbi-plus-r101",
        backbone="resnet101",
        scales=_CFBI_PLUS_SCALES,
        ensembler=Ensembler(_CFBI_STAGES, _CFBI_DECODER),
        bgr=True,
    ),
    "camn-r101": lambda: _camn("camn-r101", "resnet101"),
    "camn-r50": lambda: _camn("camn-r50", "resnet50"),
    "camn-mobile": _mobile,
    "camn-base": _base,
}


def _ablated(name: str) -> ModelConfig:
    """BASE-PART, see `camn.config.ablation`."""
    base, _, part = name.rpartition("-")
    whole = _PRESETS[base]()
    single = slim_cfbi(whole) if base == "camn-mobile" else replace(_cfbi(name, whole.backbone, 1), bgr=False)
    return with_parts(whole, single, part)


ABLATED = tuple(f"{base}-{part}" for base in ("camn-mobile", "camn-r50", "camn-r101") for part in PARTS)
_STM_PRESETS = {
    "stm-r50": StmConfig(),
    "stm-mobile": StmConfig(
        "stm-mobile",
        key_channels=64,
        value_channels=128,
        width=64,
        backbone="efficientnet_lite0",
        aligned=True,
        masked_values=True,
        norms=True,
        memory_frames=3,
    ),
}
PRESETS = tuple(_PRESETS)
NETWORKS = (*PRESETS, *_STM_PRESETS)


def preset(name: str) -> ModelConfig:
    """The configuration of a known network of ours or of CFBI. Raises ConfigError naming the known ones."""
    if name in _STM_PRESETS:
        raise ConfigError(f"{name} is an STM, of another kind; choose one of {', '.join(PRESETS)}")
    if name in ABLATED:
        return _ablated(name)
    if name not in _PRESETS:
        raise ConfigError(f"unknown model {name!r}: the presets are {', '.join(PRESETS)}")
    return _PRESETS[name]()


def network_preset(name: str) -> NetworkConfig:
    """The configuration of any known network, one of `NETWORKS`. Raises ConfigError naming the known ones."""
    if name not in (*NETWORKS, *ABLATED):
        raise ConfigError(f"unknown model {name!r}: the presets are {', '.join(NETWORKS)}")
    return _STM_PRESETS[name] if name in _STM_PRESETS else preset(name)


def click_preset(name: str) -> ClickConfig:
    """The configuration of a known network for clicks. Raises ConfigError naming the known ones."""
    if name not in CLICKS:
        raise ConfigError(f"unknown network for clicks {name!r}: the presets are {', '.join(CLICKS)}")
    return CLICKS[name]


def config_from_dict(data: dict[str, Any]) -> NetworkConfig:
    """The inverse of a configuration's `as_dict`, of whichever kind. Raises ConfigError if it is not understood."""
    kind = data.get("network", "camn") if isinstance(data, dict) else data
    if kind not in ("camn", "stm"):
        raise ConfigError(f"unknown kind of network {kind!r:.60}: it must be 'camn' or 'stm'")
    return StmConfig.from_dict(data) if kind == "stm" else ModelConfig.from_dict(data)
