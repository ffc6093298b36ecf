"""A part of a video: some of its frames, which keep their numbers and names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction

from camn.errors import ConfigError, MaskError, VideoError
from camn.masks import MaskSet, ObjectIds
from camn.media.image_folder import FolderSource
from camn.media.source import Frame, FrameSource, PartSource


@dataclass(frozen=True)
class Span:
    """The frames from `start` on, 0 being the first, up to but without `stop`; None for the rest of the video."""

    start: int = 0
    stop: int | None = None

    def __post_init__(self):
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise ConfigError(f"frames {self.start} to {self.stop}: need 0 <= start < stop")

    @property
    def whole(self) -> bool:
        return self.start == 0 and self.stop is None

    def holds(self, index: int) -> bool:
        return self.start <= index and (self.stop is None or index < self.stop)


class SpanSource(PartSource):
    """Frames of a span. A video is decoded from its start on, which costs little beside segmenting; of a folder only
    the span's files are read."""

    def __init__(self, source: FrameSource, span: Span):
        super().__init__(source)
        self.sound = source.sound and replace(source.sound, part=span.start > 0)
        self.count = None if source.count is None else len(range(source.count)[span.start : span.stop])
        self._span = span

    def __iter__(self) -> Iterator[Frame]:
        source, start, stop = self.whole, self._span.start, self._span.stop
        if isinstance(source, FolderSource):
            part = replace(source, files=source.files[start:stop])
            yield from (replace(frame, index=start + frame.index) for frame in part)
            return
        with closing(iter(source)) as frames:  # type: ignore[type-var], sources are generators
            for frame in frames:
                if stop is not None and frame.index >= stop:
                    return
                if frame.index >= start:
                    yield frame


def cut(source: FrameSource, given: MaskSet, span: Span) -> tuple[FrameSource, MaskSet]:
    """Frames and masks of a span. Raises MaskError where it does not start with a mask of its own."""
    if span.whole:
        return source, given
    masks = {index: mask for index, mask in given.masks.items() if span.holds(index)}
    if span.start > 0 and span.start not in masks or not masks:
        have = ", ".join(map(str, list(given.masks)[:10]))
        keyframe = span.start or span.stop
        raise MaskError(
            f"{source.place}: a part starts at frame {span.start} (0 is the first), but that frame has no mask; masks "
            f"are there for {have}: give it one, or leave keyframe {keyframe} out"
        )
    ids = ObjectIds(tuple(sorted(set().union(*(ObjectIds.of(mask).ids for mask in masks.values())))))
    absent = {index: gone for index, gone in given.absent.items() if span.holds(index)}
    return SpanSource(source, span), replace(given, masks=masks, ids=ids, absent=absent)


class FirstSeconds(PartSource):
    """The frames shown within so many seconds of the first one; where they have no times, at so many per second."""

    def __init__(self, source: FrameSource, seconds: float, fps: Fraction):
        super().__init__(source)
        if not 0 < seconds < math.inf:
            raise ConfigError(f"seconds is {seconds:g}: it must be more than 0")
        unit = 1_000_000  # the first frame comes in any case
        self._seconds = max(Fraction(seconds).limit_denominator(unit), Fraction(1, unit))
        self._fps = source.fps or fps
        if source.count is not None:
            self.count = min(source.count, math.ceil(self._seconds * self._fps))
            self.names = source.names and source.names[: self.count]

    def __iter__(self) -> Iterator[Frame]:
        start = None
        with closing(iter(self.whole)) as frames:  # type: ignore[type-var], sources are generators
            for frame in frames:
                time = frame.index / self._fps if frame.time is None else frame.time
                start = time if start is None else start
                if time - start >= self._seconds:
                    return
                yield frame


def frame_at(source: FrameSource, index: int) -> Frame:
    """One frame, 0 being the first. Raises VideoError where there is none."""
    if index and source.once:
        raise VideoError(f"{source.place}: of a stream the first frame alone can be marked; leave --at out")
    wanted = source if source.names is None else SpanSource(source, Span(index, index + 1))
    last = None
    with closing(iter(wanted)) as frames:  # type: ignore[type-var], sources are generators
        for last in frames:
            if last.index == index:
                return last
    count = len(source.names or ()) or (last.index + 1 if last else 0)
    raise VideoError(f"{source.place}: there is no frame {index}: it has {count}, 0..{count - 1}")
