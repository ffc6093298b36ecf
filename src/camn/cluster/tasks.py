"""What is to be done for one video, and how it went. Both travel between processes as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from camn.masks import Marks


@dataclass(frozen=True)
class VideoJob:
    """A line of a manifest. name: of its outputs. video, masks: paths or URLs. options: fields of `SegmentOptions`, in
    place of the batch's. keyframes: the frames, each with a mask, at which the video is split into parts, by the
    numbers that the masks' names have (see `first_frame`). first_only:
    `masks` is a folder that holds more masks than are given: of each object the first one is. marks: of objects that
    no mask shows on their frame."""

    name: str
    video: str
    masks: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    keyframes: tuple[int, ...] = ()
    first_only: bool = False
    marks: Marks | None = None


@dataclass(frozen=True)
class Task:
    """What one worker does in one go: a video, a part of one, or joining its parts. name: of the outputs' folder in
    `out`, and of the record NAME.json. options: all of `SegmentOptions`. span: first frame, and last + 1 or None.
    parts: names of the parts to join; a task with parts waits for them. key: what the outputs depend on. marks: what
    `Marks.read` takes."""

    name: str
    out: str
    video: str
    masks: tuple[str, ...]
    options: Mapping[str, Any]
    key: Mapping[str, Any]
    span: tuple[int, int | None] = (0, None)
    parts: tuple[str, ...] = ()
    first_only: bool = False
    marks: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Task:
        found: dict[str, Any] = dict(content)
        options = {key: tuple(v) if isinstance(v, list) else v for key, v in found.pop("options").items()}
        lists: dict[str, Any] = {key: tuple(value) for key, value in found.items() if isinstance(value, list)}
        return cls(options=options, **(found | lists))


@dataclass(frozen=True)
class Outcome:
    """How a task went. failed: `error` says why; `final`: by its own fault, so that trying again is no use. stopped:
    the user did. frames: that were segmented. seconds: fetching and writing included. log: what the worker said."""

    name: str
    status: Literal["done", "failed", "stopped"]
    error: str = ""
    final: bool = False
    frames: int = 0
    seconds: float = 0.0
    log: str = ""
    worker: str = ""

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
