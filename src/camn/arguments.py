"""What is done to the command line before it is parsed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from camn.api import Preset


def gathered(arguments: Sequence[str], flag: str) -> list[str]:
    """The arguments with what follows every `flag` brought behind the first one: `--model a ... --model b` says as much
    as `--model a b`."""
    rest: list[str] = []
    values: list[str] = []
    place = None
    taking = False
    for argument in arguments:
        if argument == flag or argument.startswith(f"{flag}="):
            place = len(rest) if place is None else place
            taking = argument == flag
            values += [] if taking else [argument.partition("=")[2]]
        elif taking and not argument.startswith("-"):
            values.append(argument)
        else:
            taking = False
            rest.append(argument)
    return rest if place is None else [*rest[:place], flag, *values, *rest[place:]]


def said_preset(arguments: Sequence[str]) -> Preset:
    """What `--preset` says, `default` where it says nothing that is known; the parser then tells what is wrong."""
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        said = following if argument == "--preset" else argument.removeprefix("--preset=")
        if argument.startswith("--preset") and said in get_args(Preset):
            return said  # type: ignore[return-value]
    return "default"
