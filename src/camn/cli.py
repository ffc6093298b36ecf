"""The commands. What they do is in `camn.api`, imported when a command runs, so that --help is instant."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import OmitArgPrefixes, Positional, arg, subcommand

import camn
from camn import api
from camn.api import SegmentOptions
from camn.errors import CamnError
from camn.progress import progress_bar

if TYPE_CHECKING:
    from camn.api import Summary


@dataclass(frozen=True)
class Segment:
    """Follow objects through a video: masks on one frame in, masks on every frame out."""

    video: Positional[Path]  # a video file, or a folder of images
    masks: tuple[Path, ...]  # of the first frame; one per object; COCO JSON; or a folder, named like frames
    out: Path  # folder to write to
    options: Annotated[SegmentOptions, arg(name="")] = field(default_factory=SegmentOptions)

    def run(self) -> None:
        with progress_bar("segment", "frames") as progress:
            masks = self.masks[0] if len(self.masks) == 1 else self.masks
            summary = api.segment_video(self.video, masks, self.out, self.options, progress=progress)
        _show(summary)


@dataclass(frozen=True)
class Demo:
    """Segment the clip that comes with camn: a rabbit and the stones before it."""

    out: Path = Path("demo-out")  # folder to write to
    options: Annotated[SegmentOptions, arg(name="")] = field(default_factory=SegmentOptions)

    def run(self) -> None:
        with progress_bar("demo", "frames") as progress:
            summary = api.demo(self.out, self.options, progress=progress)
        _show(summary)


def _show(summary: Summary) -> None:
    for note in summary.notes:
        print(note)
    for warning in summary.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    count = f"{len(summary.ids)} object{'s' if len(summary.ids) > 1 else ''}"
    rate = summary.frames / max(summary.seconds, 1e-9)
    print(f"{summary.frames} frames, {count}, {summary.seconds:.1f} s ({rate:.2f} frames/s)")
    for path in summary.outputs:
        print(f"  {path}{'/' if path.is_dir() else ''}")


Command = OmitArgPrefixes[Annotated[Segment, subcommand("segment")] | Annotated[Demo, subcommand("demo")]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0, 2 for errors of input or options, 130 after Ctrl-C, 141 when the reader of stdout has gone."""
    try:
        command = tyro.cli(Command, prog="camn", args=arguments, description=camn.__doc__)  # type: ignore[arg-type]
        command.run()
        sys.stdout.flush()
    except CamnError as error:
        print(f"camn: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("camn: stopped; what was written so far is whole", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to say at exit
        return 141
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
