"""Valid inputs made wrong, in the ways in which files and values go wrong."""

import copy
import json
import math
import random
from collections.abc import Callable
from typing import Any

# What stands in JSON, TOML and tables where something else belongs.
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 255, 256, 2**31, 2**63, 10**40, -(10**40), 0.5, -0.0, 1e308, math.nan, math.inf,
    "", " ", "0", "-1", "x" * 5000, "\x00", "../..", "/etc/passwd", "\ud83d", "é", "\n", "{", [], {}, [[]], [None],
    [1, [2, [3]]], {"a": {"b": []}}, {"": 0}, [0] * 300,
)  # fmt: skip


def damaged(data: bytes, rng: random.Random, other: bytes = b"\x00\xff PK\x03\x04{[\xff\xd8") -> bytes:
    """One to three changes. other: bytes of another file, of which pieces are set in."""
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(_CHANGES)(data, rng, other)
    return data


def _cut(data: bytes, rng: random.Random, other: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _flip(data: bytes, rng: random.Random, other: bytes) -> bytes:
    found = bytearray(data)
    for _ in range(min(len(found), rng.choice((1, 1, 4, 50)))):
        # Heads hold the sizes and counts on which readers rely: half of the changes are made there.
        found[rng.randrange(min(len(found), rng.choice((64, len(found)))))] = rng.randrange(256)
    return bytes(found)


def _blank(data: bytes, rng: random.Random, other: bytes) -> bytes:
    start = rng.randint(0, len(data))
    stop = min(len(data), start + rng.choice((1, 16, 1000)))
    return data[:start] + rng.choice((b"\x00", b"\xff")) * (stop - start) + data[stop:]


def _drop(data: bytes, rng: random.Random, other: bytes) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + data[start + rng.choice((1, 7, 300)) :]


def _double(data: bytes, rng: random.Random, other: bytes) -> bytes:
    start = rng.randint(0, len(data))
    piece = data[start : start + rng.choice((1, 40, 2000))]
    return data[:start] + piece + data[start:]


def _set_in(data: bytes, rng: random.Random, other: bytes) -> bytes:
    start, begin = rng.randint(0, len(data)), rng.randint(0, len(other))
    return data[:start] + other[begin : begin + rng.choice((4, 200))] + data[start:]


def _become(data: bytes, rng: random.Random, other: bytes) -> bytes:
    return rng.choice((b"", other, b"\n" * 5, bytes(rng.randrange(256) for _ in range(300)), data[::-1]))


_CHANGES: tuple[Callable[[bytes, random.Random, bytes], bytes], ...] = (
    _cut, _flip, _flip, _flip, _blank, _drop, _double, _set_in, _become,
)  # fmt: skip


def other_value(value: Any, rng: random.Random) -> Any:
    """A document with one to three of its values replaced, left out, doubled, or exchanged."""
    value = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(value))
        if not places:
            return rng.choice(ODD)
        holder, key = rng.choice(places)
        act = rng.randrange(6)
        if act == 0:
            del holder[key]
        elif act == 1:
            other, there = rng.choice(places)
            holder[key] = copy.deepcopy(other[there]) if _holds(other, there) else None
        elif act == 2 and isinstance(holder, list):
            holder.insert(rng.randint(0, len(holder)), copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD))
    return value


def _places(value: Any) -> Any:
    """(holder, key) of everything in a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


def _holds(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def as_json(value: Any) -> bytes:
    """With what is no JSON, but written by many programs: NaN, lone surrogates as escapes."""
    return json.dumps(value).encode()


def as_toml(value: dict[str, Any]) -> bytes:
    """Tables of scalars and lists, nested."""
    lines = [f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items() if inner is not None]
    return "\n".join(lines).encode("utf-8", "replace")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))} = {_toml(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(v) for v in value if v is not None) + "]"
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else ("nan" if math.isnan(value) else "inf")
    return json.dumps(value)
