"""What the commands share."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from camn import api
from camn.api import InferenceOptions, Preset, SegmentOptions

if TYPE_CHECKING:
    from camn.api import Summary

_chosen: Preset = "default"  # what --preset said, which `camn.cli.main` reads before it parses: defaults follow from it


def choose_preset(preset: Preset) -> None:
    global _chosen
    _chosen = preset


def segment_options() -> SegmentOptions:
    return api.preset_options(_chosen)


def inference_options() -> InferenceOptions:
    whole = vars(segment_options())
    return InferenceOptions(**{name: whole[name] for name in InferenceOptions.__dataclass_fields__})


def measured_options() -> InferenceOptions:
    """For figures of record: those of `auto` hang on a race of timings."""
    return replace(inference_options(), backend="eager")


def say(note: str) -> None:
    print(note, flush=True)  # at once: a run that goes wrong by it can be stopped


def show(summary: Summary) -> None:
    for warning in summary.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    count = f"{len(summary.ids)} object{'s' if len(summary.ids) > 1 else ''}"
    rate = summary.frames / max(summary.seconds, 1e-9)
    print(f"{summary.frames} frames, {count}, {summary.seconds:.1f} s ({rate:.2f} frames/s)")
    for path in summary.outputs:
        print(f"  {path}{'/' if path.is_dir() else ''}")
