"""The commands. What they do is in `camn.api`, imported when a command runs, so that --help is instant."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, get_args

import tyro
from tyro.conf import OmitArgPrefixes, subcommand
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from camn.api.own_process import keep_freed_memory, wait_briefly
from camn.arguments import check_paths, check_places, flags, gathered, said_preset
from camn.commands.common import choose_preset
from camn.commands.measuring import Ablate, Benchmark, Evaluate, Models
from camn.commands.segmenting import Batch, Demo, Export, Mark, Segment, Serve
from camn.commands.training import Convert, Data, Fuse, Train
from camn.errors import CamnError
from camn.files import ODD
from camn.stopping import stopped_by_signals

ABOUT = "Clicks on some objects on one frame of a video in, or masks of them; masks of them on every frame out."

_KINDS = (Segment, Export, Mark, Batch, Demo, Serve, Models, Evaluate, Benchmark, Ablate, Train, Fuse, Data, Convert)
_COMMANDS = {kind.__name__.lower(): kind for kind in _KINDS}
Command = OmitArgPrefixes[
    Annotated[Segment, subcommand("segment")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Mark, subcommand("mark")]
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
    """Exit codes: 0, 2 for errors of input or options, 130 after Ctrl-C, 143 and 129 after SIGTERM and SIGHUP, 141 when
    the reader of stdout or stderr has gone."""
    keep_freed_memory()
    wait_briefly()
    for stream in (sys.stdout, sys.stderr):  # names of files may hold what a terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ODD)
    with stopped_by_signals():
        try:
            command_of(sys.argv[1:] if arguments is None else arguments).run()
            sys.stdout.flush()
        except CamnError as error:
            _tell(str(error))
            return 2
        except KeyboardInterrupt as stop:
            _tell(f"{str(stop) or 'stopped'}; what was written so far is whole")
            return 128 + getattr(stop, "number", signal.SIGINT)
        except BrokenPipeError:
            _fall_silent()
            return 141
    return 0


def command_of(arguments: Sequence[str]) -> Command:
    """What a command line asks for, ready to run. Raises ConfigError; SystemExit for what the parser does not know."""
    given = list(arguments)
    if chosen := _COMMANDS.get(given[0] if given else ""):
        several, paths = flags(chosen)
        for flag in sorted(several):
            given = gathered(given, flag)
        check_paths(given, paths)
        check_places(given, several & {"--click", "--negative", "--box"})
    choose_preset(said_preset(given))
    return tyro.cli(Command, prog="camn", args=given, description=ABOUT, registry=_KINDS_OF_VALUES)  # type: ignore[arg-type]


_KINDS_OF_VALUES = ConstructorRegistry()


@_KINDS_OF_VALUES.primitive_rule
def _may_be_left_out(said: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """What may be None is that where it is not given: help says `PATH`, and not `{None}|PATH`, as None is no value."""
    kinds = [kind for kind in get_args(said.type) if kind is not type(None)]
    if len(kinds) != 1 or len(get_args(said.type)) != 2:
        return None
    plain = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kinds[0], said.markers))
    if not isinstance(plain, PrimitiveConstructorSpec):
        return None
    return replace(
        plain,
        is_instance=lambda value: value is None or plain.is_instance(value),
        str_from_instance=lambda value: ["None"] if value is None else plain.str_from_instance(value),
    )


def _tell(said: str) -> None:
    try:
        print(f"camn: {said}", file=sys.stderr, flush=True)
    except OSError:  # as of a terminal that was closed
        _fall_silent()


def _fall_silent() -> None:
    """Nothing more to say at exit: nobody is there to read it."""
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    raise SystemExit(main())
