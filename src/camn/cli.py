"""The commands. What they do is in `camn.api`, imported when a command runs, so that --help is instant."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import tyro
from tyro.conf import OmitArgPrefixes, subcommand

from camn.api.own_process import keep_freed_memory
from camn.arguments import gathered, said_preset
from camn.commands.common import choose_preset
from camn.commands.measuring import Ablate, Benchmark, Evaluate, Models
from camn.commands.segmenting import Batch, Demo, Segment, Serve
from camn.commands.training import Convert, Data, Fuse, Train
from camn.errors import CamnError

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


def _read(given: Sequence[str]) -> Command:
    """The command; leaves where the arguments make none. A file whose name begins with a dash is no option."""
    try:
        return tyro.cli(Command, prog="camn", args=given, description=ABOUT)  # type: ignore[arg-type]
    except SystemExit as error:
        for name in given if error.code else ():
            if name.startswith("-") and os.path.exists(name):
                print(f"camn: {name} is a file here, but reads like an option; give it as ./{name}", file=sys.stderr)
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0, 2 for errors of input or options, 130 after Ctrl-C, 141 when the reader of stdout has gone."""
    given = gathered(sys.argv[1:] if arguments is None else arguments, "--model")
    choose_preset(said_preset(given))
    keep_freed_memory()
    try:
        command = _read(given)
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
