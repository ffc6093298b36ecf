"""Frozen configurations of the network and of inference, and the presets."""

from camn.config.inference import InferenceConfig
from camn.config.model import (
    BACKBONES,
    STRIDES,
    DecoderStep,
    Ensembler,
    Matching,
    Memory,
    ModelConfig,
    Scale,
    Stage,
)
from camn.config.presets import PRESETS, preset

__all__ = [
    "BACKBONES",
    "PRESETS",
    "STRIDES",
    "DecoderStep",
    "Ensembler",
    "InferenceConfig",
    "Matching",
    "Memory",
    "ModelConfig",
    "Scale",
    "Stage",
    "preset",
]
