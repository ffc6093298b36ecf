"""What a user calls. Each name is fetched from its module on first use: the options, which the commands show in their
help, come without the network's libraries."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from camn.api.benchmark.run import Benchmark, benchmark
    from camn.api.datasets.check import DataReport, check_data
    from camn.api.datasets.open import DatasetVideo, dataset_videos, first_masks
    from camn.api.datasets.split import hold_out
    from camn.api.evaluate.clicks import evaluate_clicks
    from camn.api.evaluate.run import Evaluation, evaluate
    from camn.api.models.load import (
        Model,
        ModelInfo,
        click_networks,
        convert,
        cpu_threads,
        fusions,
        load,
        load_marker,
        marker_sha256,
        model_sha256,
        models,
        open_model,
    )
    from camn.api.options import (
        BACKGROUND,
        InferenceOptions,
        MaskExport,
        Notice,
        Preset,
        Progress,
        Report,
        SegmentOptions,
        Setup,
        demo_files,
        demo_options,
        preset_options,
    )
    from camn.api.out_of_memory import enough_memory
    from camn.api.segment.export import MovieKind, export_masks, write_movie
    from camn.api.segment.export_run import Exported, export_run
    from camn.api.segment.exporters import page_exports
    from camn.api.segment.follow import follow
    from camn.api.segment.following import Followed, Following
    from camn.api.segment.marking import Marked, mark
    from camn.api.segment.outputs import RUN_RECORD
    from camn.api.segment.parts import join_parts, join_reads_video, part_options
    from camn.api.segment.run import Summary, demo, demo_marks, segment_video
    from camn.api.segment.spans import Span
    from camn.api.train.ablate import Ablation, ablate
    from camn.api.train.fuse import Fused, fuse
    from camn.api.train.options import AblateOptions, FuseOptions
    from camn.api.train.run import TrainSummary, train
    from camn.inference import AnySegmenter, Ensemble, Result, Segmenter
    from camn.inference.asked import Answer
    from camn.inference.marker import Marker
    from camn.masks.marks import Marks
    from camn.media.addresses import Take
    from camn.media.folder_files import Listing, list_folder, list_frames
    from camn.media.name_order import frame_order, natural_key
    from camn.media.opening import open_source
    from camn.media.overlay import draw_overlay
    from camn.media.picture import read_header
    from camn.media.source import Frame, FrameSource, prefetch
    from camn.progress import ProgressBar, progress_bar

_HOME = {
    "camn.api.train.ablate": ("Ablation", "ablate"),
    "camn.api.benchmark.run": ("Benchmark", "benchmark"),
    "camn.api.datasets.check": ("DataReport", "check_data"),
    "camn.api.datasets.open": ("DatasetVideo", "dataset_videos", "first_masks"),
    "camn.api.evaluate.clicks": ("evaluate_clicks",),
    "camn.api.evaluate.run": ("Evaluation", "evaluate"),
    "camn.api.train.fuse": ("Fused", "fuse"),
    "camn.api.datasets.split": ("hold_out",),
    "camn.api.segment.follow": ("follow",),
    "camn.api.segment.following": ("Followed", "Following"),
    "camn.api.segment.marking": ("Marked", "mark"),
    "camn.api.segment.outputs": ("RUN_RECORD",),
    "camn.api.segment.parts": ("join_parts", "join_reads_video", "part_options"),
    "camn.api.models.load": (
        "Model",
        "ModelInfo",
        "click_networks",
        "convert",
        "cpu_threads",
        "fusions",
        "load",
        "load_marker",
        "marker_sha256",
        "model_sha256",
        "models",
        "open_model",
    ),
    "camn.api.train.options": ("AblateOptions", "FuseOptions"),
    "camn.api.segment.export": ("MovieKind", "export_masks", "write_movie"),
    "camn.api.segment.export_run": ("Exported", "export_run"),
    "camn.api.segment.exporters": ("page_exports",),
    "camn.api.options": (
        "BACKGROUND",
        "InferenceOptions",
        "MaskExport",
        "Notice",
        "Preset",
        "Progress",
        "Report",
        "SegmentOptions",
        "Setup",
        "demo_files",
        "demo_options",
        "preset_options",
    ),
    "camn.api.out_of_memory": ("enough_memory",),
    "camn.api.segment.run": ("Summary", "demo", "demo_marks", "segment_video"),
    "camn.api.segment.spans": ("Span",),
    "camn.api.train.run": ("TrainSummary", "train"),
    "camn.media.addresses": ("Take",),
    "camn.media.folder_files": ("Listing", "list_folder", "list_frames"),
    "camn.media.name_order": ("frame_order", "natural_key"),
    "camn.media.opening": ("open_source",),
    "camn.media.overlay": ("draw_overlay",),
    "camn.media.picture": ("read_header",),
    "camn.media.source": ("Frame", "FrameSource", "prefetch"),
    "camn.inference": ("AnySegmenter", "Ensemble", "Result", "Segmenter"),
    "camn.inference.asked": ("Answer",),
    "camn.inference.marker": ("Marker",),
    "camn.masks.marks": ("Marks",),
    "camn.progress": ("ProgressBar", "progress_bar"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "BACKGROUND",
    "RUN_RECORD",
    "AblateOptions",
    "Ablation",
    "Answer",
    "AnySegmenter",
    "Benchmark",
    "DataReport",
    "DatasetVideo",
    "Ensemble",
    "Evaluation",
    "Exported",
    "Followed",
    "Following",
    "Frame",
    "FrameSource",
    "FuseOptions",
    "Fused",
    "InferenceOptions",
    "Listing",
    "Marked",
    "Marker",
    "Marks",
    "Model",
    "ModelInfo",
    "MaskExport",
    "MovieKind",
    "Notice",
    "Preset",
    "Progress",
    "ProgressBar",
    "Report",
    "Result",
    "SegmentOptions",
    "Segmenter",
    "Setup",
    "Span",
    "Summary",
    "Take",
    "TrainSummary",
    "ablate",
    "benchmark",
    "check_data",
    "click_networks",
    "convert",
    "cpu_threads",
    "dataset_videos",
    "demo",
    "demo_files",
    "demo_marks",
    "demo_options",
    "draw_overlay",
    "enough_memory",
    "evaluate",
    "evaluate_clicks",
    "export_masks",
    "export_run",
    "first_masks",
    "follow",
    "frame_order",
    "fuse",
    "fusions",
    "hold_out",
    "join_parts",
    "join_reads_video",
    "list_folder",
    "list_frames",
    "load",
    "load_marker",
    "mark",
    "marker_sha256",
    "model_sha256",
    "models",
    "natural_key",
    "open_model",
    "open_source",
    "page_exports",
    "part_options",
    "prefetch",
    "preset_options",
    "progress_bar",
    "read_header",
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


class _Api(ModuleType):
    """Some rooms have the name of a function: `models`, `train`. Python would put the room in the function's place as
    soon as anything in it is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _MODULE and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Api
