"""Frozen configurations of the network and of inference, and the presets."""

from camn.config.backbones import BACKBONES
from camn.config.clicks import ClickConfig
from camn.config.ensemble import EnsembleConfig, Feedback
from camn.config.fusion import FusionConfig
from camn.config.inference import Backend, InferenceConfig
from camn.config.model import (
    STRIDES,
    DecoderStep,
    Ensembler,
    Matching,
    Memory,
    ModelConfig,
    Scale,
    Stage,
)
from camn.config.postprocess import PostProcess
from camn.config.presets import (
    ABLATED,
    CLICKS,
    NETWORKS,
    PRESETS,
    NetworkConfig,
    click_preset,
    config_from_dict,
    network_preset,
    preset,
)
from camn.config.stm import StmConfig

__all__ = [
    "ABLATED",
    "BACKBONES",
    "CLICKS",
    "NETWORKS",
    "PRESETS",
    "STRIDES",
    "Backend",
    "ClickConfig",
    "DecoderStep",
    "EnsembleConfig",
    "Ensembler",
    "Feedback",
    "FusionConfig",
    "InferenceConfig",
    "Matching",
    "Memory",
    "ModelConfig",
    "NetworkConfig",
    "PostProcess",
    "Scale",
    "Stage",
    "StmConfig",
    "click_preset",
    "config_from_dict",
    "network_preset",
    "preset",
]
