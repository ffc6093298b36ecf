"""What is done to the command line before it is parsed."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from camn.api import Preset
from camn.errors import ConfigError


def flags(command: Any) -> tuple[set[str], set[str]]:
    """Of a command's class: options that take several values, and options that name one file or folder."""
    several, paths = set(), set()
    for name, kind in get_type_hints(command).items():
        kinds, flag = (kind, *get_args(kind)), f"--{name.replace('_', '-')}"
        for inner in filter(is_dataclass, kinds):
            more = flags(inner)
            several, paths = several | more[0], paths | more[1]
        if any(get_origin(one) is tuple and get_args(one)[1:] == (...,) for one in kinds):
            several.add(flag)
        elif Path in kinds or name == "out":
            paths.add(flag)
    return several, paths


def gathered(arguments: Sequence[str], flag: str) -> list[str]:
    """The arguments with what follows every `flag` brought behind the first one: `--model a ... --model b` says as much
    as `--model a b`. What stands behind `--` is no flag."""
    rest: list[str] = []
    values: list[str] = []
    place = None
    taking = False
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    for argument in arguments[:end]:
        name, equals, value = argument.partition("=")
        if name.replace("_", "-") == flag:
            place = len(rest) if place is None else place
            taking = not equals
            values += [value] if equals else []
        elif taking and not argument.startswith("-"):
            values.append(argument)
        else:
            taking = False
            rest.append(argument)
    rest += arguments[end:]
    return rest if place is None else [*rest[:place], flag, *values, *rest[place:]]


def check_paths(arguments: Sequence[str], paths: Collection[str]) -> None:
    """Raises ConfigError where one of these options is given two values: which is meant nobody knows; and for a file
    whose name would be taken for an option."""
    seen: dict[str, str] = {}
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        name, equals, value = argument.partition("=")
        name, value = name.replace("_", "-"), value if equals else following
        if argument == "--":
            return
        if name in paths and seen.setdefault(name, value) != value:
            raise ConfigError(f"{name} is given twice, {seen[name]} and {value}: give it once")
        if argument.startswith("-") and not argument.startswith("--") and os.path.exists(argument):
            raise ConfigError(f"{argument}: a file here that reads like an option; give it as ./{argument}")


def check_places(arguments: Sequence[str], points: Collection[str]) -> None:
    """Raises ConfigError for a place that begins with a minus, which the parser would take for an option, and for a
    path where places are read. points: the options that name places."""
    flag = ""
    for argument in arguments:
        if argument == "--":
            return
        name, equals, value = argument.partition("=")
        if argument.startswith("--"):
            flag, argument = name, value
        if flag in points and re.match(r"-\d", argument):
            wish = "" if flag == "--negative" else f"; where an object is not is written --negative {argument[1:]}"
            raise ConfigError(f"{flag} {argument}: ids are 1..255, x and y are within the frame, from 0{wish}")
        if flag in points and "," not in argument and os.path.exists(argument):
            raise ConfigError(f"{flag} {argument}: a path, where places are read; put {argument} before {flag}")


def said_preset(arguments: Sequence[str]) -> Preset:
    """What `--preset` says, `default` where it says nothing that is known; the parser then tells what is wrong."""
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        said = following if argument == "--preset" else argument.removeprefix("--preset=")
        if argument.startswith("--preset") and said in get_args(Preset):
            return said  # type: ignore[return-value]
    return "default"
