"""What a user calls. Each name is fetched from its module on first use: the options, which the commands show in their
help, come without the network's libraries."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from camn.api.ablating import Ablation, ablate
    from camn.api.benchmarking import Benchmark, benchmark
    from camn.api.checking import DataReport, check_data
    from camn.api.datasets import DatasetVideo, dataset_videos, first_masks
    from camn.api.evaluating import Evaluation, evaluate
    from camn.api.fusing import Fused, fuse
    from camn.api.holdout import hold_out
    from camn.api.joining import join_parts, part_options
    from camn.api.loading import Model, ModelInfo, convert, cpu_threads, fusions, load, model_sha256, models, open_model
    from camn.api.making import AblateOptions, FuseOptions
    from camn.api.movies import MovieKind, write_movie
    from camn.api.options import (
        InferenceOptions,
        Notice,
        Preset,
        Progress,
        Report,
        SegmentOptions,
        Setup,
        demo_options,
        preset_options,
    )
    from camn.api.segmenting import Summary, demo, enough_memory, segment_video
    from camn.api.spans import Span
    from camn.api.training import TrainSummary, train
    from camn.data.folder import natural_key
    from camn.data.source import Frame, FrameSource, open_source, prefetch
    from camn.inference import AnySegmenter, Ensemble, Result, Segmenter

_HOME = {
    "camn.api.ablating": ("Ablation", "ablate"),
    "camn.api.benchmarking": ("Benchmark", "benchmark"),
    "camn.api.checking": ("DataReport", "check_data"),
    "camn.api.datasets": ("DatasetVideo", "dataset_videos", "first_masks"),
    "camn.api.evaluating": ("Evaluation", "evaluate"),
    "camn.api.fusing": ("Fused", "fuse"),
    "camn.api.holdout": ("hold_out",),
    "camn.api.joining": ("join_parts", "part_options"),
    "camn.api.loading": (
        "Model",
        "ModelInfo",
        "convert",
        "cpu_threads",
        "fusions",
        "load",
        "model_sha256",
        "models",
        "open_model",
    ),
    "camn.api.making": ("AblateOptions", "FuseOptions"),
    "camn.api.movies": ("MovieKind", "write_movie"),
    "camn.api.options": (
        "InferenceOptions",
        "Notice",
        "Preset",
        "Progress",
        "Report",
        "SegmentOptions",
        "Setup",
        "demo_options",
        "preset_options",
    ),
    "camn.api.segmenting": ("Summary", "demo", "enough_memory", "segment_video"),
    "camn.api.spans": ("Span",),
    "camn.api.training": ("TrainSummary", "train"),
    "camn.data.folder": ("natural_key",),
    "camn.data.source": ("Frame", "FrameSource", "open_source", "prefetch"),
    "camn.inference": ("AnySegmenter", "Ensemble", "Result", "Segmenter"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "AblateOptions",
    "Ablation",
    "AnySegmenter",
    "Benchmark",
    "DataReport",
    "DatasetVideo",
    "Ensemble",
    "Evaluation",
    "Frame",
    "FrameSource",
    "FuseOptions",
    "Fused",
    "InferenceOptions",
    "Model",
    "ModelInfo",
    "MovieKind",
    "Notice",
    "Preset",
    "Progress",
    "Report",
    "Result",
    "SegmentOptions",
    "Segmenter",
    "Setup",
    "Span",
    "Summary",
    "TrainSummary",
    "ablate",
    "benchmark",
    "check_data",
    "convert",
    "cpu_threads",
    "dataset_videos",
    "demo",
    "demo_options",
    "enough_memory",
    "evaluate",
    "first_masks",
    "fuse",
    "fusions",
    "hold_out",
    "join_parts",
    "load",
    "model_sha256",
    "models",
    "natural_key",
    "open_model",
    "open_source",
    "part_options",
    "prefetch",
    "preset_options",
    "segment_video",
    "train",
    "write_movie",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'camn.api' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
