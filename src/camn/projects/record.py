"""project.json: what is kept of a project beside its frames and masks."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args

from camn.errors import DataError, words_of

RECORD = "project.json"
LAST_ID = 254  # 255 would mean "ignore" in a palette PNG
NAME, COLOUR = re.compile(r"[^\x00-\x1f\x7f/\\]{1,120}"), re.compile(r"#[0-9a-fA-F]{6}")
_NO_NAME, LONGEST = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]"), 120
State = Literal["new", "decoding", "ready", "failed"]
Kind = Literal["video", "zip", "images"]
Direction = Literal["forward", "backward", "both"]
Until = Literal["end", "given"]


def as_name(text: str) -> str:
    """What a file calls an object, as a name here: `NAME` or empty."""
    return _NO_NAME.sub("-", text)[:LONGEST]


@dataclass(frozen=True)
class Object:
    """What is followed. colour: #rrggbb. Raises DataError for what cannot be one."""

    id: int
    name: str
    colour: str

    def __post_init__(self):
        _need(type(self.id) is int and 1 <= self.id <= LAST_ID, f"object {self.id}: ids are 1..{LAST_ID}")
        _need(_is(self.name, NAME), f"object {self.id}: {self.name!r} is no name")
        _need(_is(self.colour, COLOUR), f"object {self.id}: {self.colour!r} is no colour, such as #ff0000")


@dataclass(frozen=True)
class Propagation:
    """The network carries the masks of a frame on. until: the last frame, or the next with a mask from the user.
    reached: where an earlier run of the same came to; it goes on from there. Raises DataError."""

    frame: int
    direction: Direction = "forward"
    until: Until = "end"
    reached: int | None = None

    def __post_init__(self):
        _need(_is_index(self.frame) and (self.reached is None or _is_index(self.reached)), "frames are counted from 0")
        _need(self.direction in get_args(Direction), f"direction {self.direction!r} is none")
        _need(self.until in get_args(Until), f"until {self.until!r} is nothing to go to")

    @property
    def ahead(self) -> int:
        """Frames from the first one to what was reached, negative where that lies before it; 0 if nothing was."""
        return 0 if self.reached is None else self.reached - self.frame


@dataclass(frozen=True)
class Record:
    """project.json. kind: of source/: a video, a zip, images. fps as a fraction; None for images. propagation: the one
    that runs, with its job's id, so that it is known after a kill. last_id: ids up to it were used once. origin: the
    file that the command line named, and its state then. Raises DataError for what cannot be."""

    name: str
    created: str
    state: State = "new"
    error: str | None = None
    notes: tuple[str, ...] = ()
    kind: Kind | None = None
    width: int = 0
    height: int = 0
    fps: str | None = None
    total: int | None = None
    objects: tuple[Object, ...] = ()
    last_id: int = 0
    propagation: dict[str, Any] | None = None
    origin: str | None = None
    program: str = "camn"
    version: int = 1

    def __post_init__(self):
        for name, kinds in _KINDS.items():
            _need(isinstance(getattr(self, name), kinds), f"{name} is {getattr(self, name)!r}")
        _need(self.state in get_args(State), f"state {self.state!r} is none")
        _need(self.kind is None or self.kind in get_args(Kind), f"kind {self.kind!r} is none")
        _need(all(isinstance(note, str) for note in self.notes), "notes are sentences")

    @classmethod
    def read(cls, path: Path) -> Record:
        """Raises DataError for what is no project of this version."""
        try:
            record = cls._of(json.loads(path.read_bytes()))
            _ = Fraction(record.fps or 1), record.asked
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError, DataError) as error:
            said = words_of(error)
            raise DataError(f"{path}: no record of a camn project ({said}); open one that camn serve made") from None
        if record.program != "camn" or record.version != 1:
            raise DataError(f"{path}: of another version of camn; use that version, or make the project anew")
        return record

    @classmethod
    def _of(cls, content: Mapping[str, Any]) -> Record:
        """What is not known is passed over: a later camn may keep more."""
        fields = _known(cls, content)
        notes = fields.get("notes", ())
        _need(isinstance(notes, (list, tuple)), f"notes is {notes!r}")
        objects = tuple(Object(**_known(Object, item)) for item in fields.pop("objects", ()))
        return cls(**fields | {"objects": objects, "notes": tuple(notes)})

    @property
    def asked(self) -> Propagation | None:
        """The propagation that runs or was cut off."""
        if not (left := self.propagation):
            return None
        known = {key: left[key] for key in ("frame", "direction", "until")}
        return Propagation(**known, reached=left.get("reached"))


_MAYBE = (str, NoneType)
_KINDS: dict[str, type | tuple[type, ...]] = {
    **{"name": str, "created": str, "error": _MAYBE, "fps": _MAYBE, "origin": _MAYBE, "program": str},
    **{"width": int, "height": int, "total": (int, NoneType), "last_id": int, "version": int},
    "propagation": (dict, NoneType),
}


def _known(kind: type, content: Any) -> dict[str, Any]:
    """Of a JSON object what has a field of this kind."""
    _need(isinstance(content, dict), f"{content!r:.40} is no {kind.__name__.lower()}")
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in content.items() if name in names}


def _need(good: bool, otherwise: str) -> None:
    if not good:
        raise DataError(otherwise)


def _is(text: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _is_index(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 31
