"""CAMN: masks of some objects on one frame of a video in, masks of them on every frame out.

    for result in camn.follow("clip.mp4", clicks=[(420, 260)]):   # or frames of your own, and a mask
        result.ids, result.confidence, result.lost
    camn.segment_video("clip.mp4", "first.png", "out/")           # into files
    camn.export_run("out/", "matte-png")                          # further outputs of a run that is done

    segmenter = camn.load("camn-mobile", device="auto")           # a preset, or a .safetensors file
    segmenter.start(frame, mask)                                  # frame (H, W, 3) uint8 RGB, mask (H, W) uint8 ids
    result = segmenter.step(next_frame)

    marker = camn.load_marker()                                   # masks from clicks
    marker.look(frame)
    segmenter.start(frame, marker.click(420, 260).mask)

The names below come from `camn.api` when they are first used, so that importing the package takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from camn import api as api
    from camn.api import (
        Marker,
        Marks,
        Result,
        Segmenter,
        SegmentOptions,
        convert,
        demo,
        evaluate,
        export_run,
        follow,
        load,
        load_marker,
        models,
        progress_bar,
        segment_video,
        train,
    )
    from camn.errors import CamnError

__version__ = "0.1.0"
__all__ = [
    "CamnError",
    "Marker",
    "Marks",
    "Result",
    "SegmentOptions",
    "Segmenter",
    "convert",
    "demo",
    "evaluate",
    "export_run",
    "follow",
    "load",
    "load_marker",
    "models",
    "progress_bar",
    "segment_video",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "api":
        return importlib.import_module("camn.api")
    if name not in __all__:
        raise AttributeError(f"module 'camn' has no attribute {name!r}")
    return getattr(importlib.import_module("camn.errors" if name == "CamnError" else "camn.api"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__", "api"]
