"""Options as manifests give them, of any type: checked against the types that `SegmentOptions` names."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from camn.api import SegmentOptions
from camn.errors import ConfigError

_TYPES = {name: kind for name, kind in get_type_hints(SegmentOptions).items() if name != "overwrite"}
OPTIONS = tuple(_TYPES)  # the names that a manifest may give
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", type(None): "null"}


def check_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same options, each of its type: lists as tuples, 240.0 as 240. Raises ConfigError for one that is not known,
    not of its type, or cannot be."""
    if unknown := [name for name in given if name not in OPTIONS]:
        raise ConfigError(f"unknown option {unknown[0]!r}; the options are {', '.join(OPTIONS)}")
    options: dict[str, Any] = {}
    for name, value in given.items():
        try:
            one_model = name == "model" and isinstance(value, str)
            options[name] = _as(_TYPES[name], [value] if one_model else value)
        except TypeError:
            raise ConfigError(f"{name} is {value!r}: it must be {_told(_TYPES[name])}") from None
    SegmentOptions(**options)
    return options


def of_text(name: str, text: str) -> Any:
    """What a cell of CSV means for an option: JSON, or text, or words between spaces for several values."""
    kind = _TYPES[name]
    several = any(get_origin(one) is tuple for one in (kind, *get_args(kind)))
    if several and not text.startswith("[") and text.lower() != "null":
        return [_of_word(word) for word in text.split()]
    return text if kind is str else _of_word(text)


def whole_number(given: Any) -> int:
    """Of a cell of CSV, or of JSON. Raises TypeError."""
    return _as(int, _of_word(given) if isinstance(given, str) else given)


def _of_word(text: str) -> Any:
    try:
        return json.loads(text.lower() if text.lower() in ("true", "false", "null") else text)
    except ValueError:
        return text


def _as(kind: Any, value: Any) -> Any:
    """Raises TypeError for a value that is not of the type."""
    if get_origin(kind) in (Union, types.UnionType):
        for one in get_args(kind):
            try:
                return _as(one, value)
            except TypeError:
                continue
        raise TypeError
    if get_origin(kind) is tuple and isinstance(value, (list, tuple)):
        return tuple(_as(get_args(kind)[0], item) for item in value)
    if is_dataclass(kind) and isinstance(value, dict):
        return value  # its own fields are checked when it is made
    if get_origin(kind) is Literal and value in get_args(kind):
        return value
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and number:
        return value
    if kind is int and number and value % 1 == 0:
        return int(value)
    if kind in (bool, str, type(None)) and isinstance(value, kind):
        return value
    raise TypeError


def _told(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_told(one) for one in get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list, each {_told(get_args(kind)[0])}"
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if is_dataclass(kind):
        return f"an object with some of {', '.join(field.name for field in fields(kind))}"
    return _WORDS.get(kind, str(kind))
