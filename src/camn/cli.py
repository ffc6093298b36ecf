"""The commands. What they do is in `camn.api`, imported when a command runs, so that --help is instant."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import tyro
from tyro.conf import OmitArgPrefixes, subcommand

from camn.arguments import gathered, said_preset
from camn.commands.common import choose_preset
from camn.commands.measuring import Ablate, Benchmark, Evaluate, Models
from camn.commands.segmenting import Batch, Demo, Segment, Serve
from camn.commands.training import Convert, Data, Fuse, Train
from camn.errors import CamnError
from camn.files import ODD

ABOUT = "Masks of some objects on one frame of a video in, masks of them on every frame out."


Command = OmitArgPrefixes[
    Annotated[Segment, subcommand("segment")]
    | Annotated[Batch, subcommand("batch")]
    | Annotated[Demo, subcommand("demo")]
    | Annotated[Serve, subcommand("serve")]
    | Annotated[Models, subcommand("models")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Benchmark, subcommand("benchmark")]
    | Annotated[Ablate, subcommand("ablate")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Fuse, subcommand("fuse")]
    | Annotated[Data, subcommand("data")]
    | Annotated[Convert, subcommand("convert")]
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0, 2 for errors of input or options, 130 after Ctrl-C, 141 when the reader of stdout has gone."""
    for stream in (sys.stdout, sys.stderr):  # names of files may hold what a terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ODD)
    given = gathered(sys.argv[1:] if arguments is None else arguments, "--model")
    choose_preset(said_preset(given))
    try:
        command = tyro.cli(Command, prog="camn", args=given, description=ABOUT)  # type: ignore[arg-type]
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
