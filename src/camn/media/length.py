"""How long a video is: what its file states, and the clock of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from camn.media.decoding import Picture

if TYPE_CHECKING:
    import av
    import av.container

_MICROSECOND = Fraction(1, 1_000_000)  # the unit of a container's own times
_STATE_END = ("matroska", "asf", "nut")  # these state when a video ends, where others state how long it is
_LEAP = 10  # seconds: FFmpeg's own measure of what is no pause but another clock


class Stated(NamedTuple):
    """What a file says about its length: frames where it counts them, the end in seconds where it gives that only."""

    frames: int | None = None
    end: Fraction | None = None


def stated_length(path: Path | None, container: av.container.InputContainer, stream: av.VideoStream) -> Stated:
    """Read from the headers; nothing is decoded. The end is counted as frames' times are, from the file's start on.
    path: None of what can be read once only."""
    name = container.format.name
    if stream.frames:
        if "mp4" in name and stream.index_entries:  # less what the edit list leaves out
            return Stated(frames=sum(not entry.is_discard for entry in stream.index_entries))
        if name == "avi" and path is None:
            return Stated()  # its frames may be empty, and what tells stands at the end
        if name == "avi" and path and len(stream.index_entries) and _whole_riff(path):  # its index stands at the end
            return Stated(frames=len(stream.index_entries))  # less empty chunks, which say "the same again"
        return Stated(frames=stream.frames)
    if name == "mpegts":
        return Stated()  # its duration is read off the last packet: no statement
    start = start_time(container)
    first = Fraction(0)  # where what is stated counts from
    end = _seconds(stream.metadata.get("DURATION", ""))
    if end is None and stream.duration and stream.time_base:
        end = stream.duration * stream.time_base
        first = (stream.start_time or 0) * stream.time_base
    if end is None and container.duration and len(container.streams) == 1:  # else it may be the sound's
        end, first = container.duration * _MICROSECOND, start
    if end is not None and any(kind in name for kind in _STATE_END):
        first = Fraction(0)
    return Stated(end=None if end is None else end + first - start)


def _whole_riff(path: Path) -> bool:
    with path.open("rb") as file:
        return int.from_bytes(file.read(8)[4:], "little") + 8 in (path.stat().st_size, path.stat().st_size + 1)


def start_time(container: av.container.InputContainer) -> Fraction:
    """Of the file in seconds: from here on frames' times count."""
    return (container.start_time or 0) * _MICROSECOND


def _seconds(text: str) -> Fraction | None:
    """Seconds of "HH:MM:SS.fff", Matroska's way to state a stream's end; None for anything else."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except (ValueError, ZeroDivisionError):
        return None


class Clock:
    """Presentation times of pictures, in seconds from the start of the file, strictly increasing.

    unit: seconds of a picture's time. received: of a transport or program stream, whose clock may leap.
    gaps: pictures that come later behind the one before than a frame's time.
    """

    def __init__(self, start: Fraction, unit: Fraction, fps: Fraction | None, received: bool = False):
        self.start, self.unit, self.received = start, unit, received
        self.gaps: list[int] = []
        self.step = 1 / fps if fps else Fraction(1, 25)
        self.frames, self.last, self.gap, self.held = 0, Fraction(0), self.step, Fraction(0)

    def time(self, picture: Picture) -> Fraction:
        """The picture's time; to be called once for every one, in order."""
        follows = self.last + self.step if self.frames else Fraction(0)
        now = follows if picture.time is None else picture.time * self.unit - self.start
        if self.received and self.frames and abs(now - follows) > _LEAP:
            self.start, now = self.start + now - follows, follows
        if self.frames:
            now = now if now > self.last else follows
            self.gap = max(self.gap, now - self.last)
            if now - self.last > self.step * Fraction(3, 2):
                self.gaps.append(self.frames)
        self.frames, self.last = self.frames + 1, now
        self.held = self.duration(picture) or Fraction(0)
        return now

    def duration(self, picture: Picture) -> Fraction | None:
        """How long it is shown, where the file says so."""
        return picture.duration * self.unit if picture.duration else None

    def short_of(self, stated: Stated, tail: Sequence[Picture] = ()) -> bool:
        """Whether fewer pictures came than the file states. tail: more that are known to have been there."""
        if stated.frames is not None:
            return self.frames + len(tail) < stated.frames
        if stated.end is None:
            return False
        # the last one may be shown longer than any other; half a frame's leave, for times that are rounded
        reached = self.last + max(self.gap, self.held) + self.gap / 2
        times = [one.time * self.unit - self.start + self.gap * Fraction(3, 2) for one in tail if one.time is not None]
        return max([reached, *times]) < stated.end
