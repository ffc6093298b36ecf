"""What the commands share."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from camn import api
from camn.api import InferenceOptions, Preset, SegmentOptions
from camn.errors import ConfigError

if TYPE_CHECKING:
    from camn.api import Marks, Summary

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


@dataclass(frozen=True)
class MarkOptions:
    """Where objects are on a frame; see docs/reference/clicks.md."""

    click: tuple[str, ...] = ()  # X,Y on an object in pixels of the frame; ID:X,Y for others than object 1
    negative: tuple[str, ...] = ()  # X,Y, or ID:X,Y: where the object is not
    box: tuple[str, ...] = ()  # X0,Y0,X1,Y1 around an object, or ID:X0,Y0,X1,Y1
    at: int | None = None  # number of the frame of clicks and boxes, 0 is the first, which it is if not given

    def read(self) -> Marks | None:
        """None without clicks and boxes. Raises MaskError, ConfigError."""
        if self.click or self.negative or self.box:
            return api.Marks.read(self.click, self.negative, self.box, self.at or 0)
        if self.at is not None:
            raise ConfigError("--at says on which frame clicks and boxes are; give --click or --box, too")
        return None


def say(note: str) -> None:
    print(note, flush=True)  # at once: a run that goes wrong by it can be stopped


def show(summary: Summary) -> None:
    for warning in summary.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    count = f"{len(summary.ids)} object{'s' if len(summary.ids) > 1 else ''}"
    rate = summary.frames / max(summary.seconds, 1e-9)
    print(f"{summary.frames} frames, {count}, {summary.seconds:.1f} s ({rate:.2f} frames/s)")
    show_files(summary.outputs)


def show_files(files: Iterable[Path]) -> None:
    for path in files:
        print(f"  {path}{'/' if path.is_dir() else ''}")
