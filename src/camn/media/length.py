"""How long a video is: what its file states, the clock of its frames, and the signs that it broke off."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import av
    import av.container

_MICROSECOND = Fraction(1, 1_000_000)  # the unit of a container's own times
_TS_PACKET = 188  # bytes


class Stated(NamedTuple):
    """What a file says about its length: frames where it counts them, the end in seconds where it gives that only."""

    frames: int | None = None
    end: Fraction | None = None


def stated_length(container: av.container.InputContainer, stream: av.VideoStream) -> Stated:
    """Read from the headers; nothing is decoded."""
    if stream.frames:
        if "mp4" in container.format.name and stream.index_entries:  # less what the edit list leaves out
            return Stated(frames=sum(not entry.is_discard for entry in stream.index_entries))
        return Stated(frames=stream.frames)
    if container.format.name == "mpegts":
        return Stated()  # its duration is read off the last packet: no statement
    end = _seconds(stream.metadata.get("DURATION", ""))
    if end is None and stream.duration and stream.time_base:
        end = stream.duration * stream.time_base
    if end is None and container.duration and len(container.streams) == 1:  # else it may be the sound's
        end = container.duration * _MICROSECOND
    return Stated(end=end)


def _seconds(text: str) -> Fraction | None:
    """Seconds of "HH:MM:SS.fff", Matroska's way to state a stream's end; None for anything else."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except ValueError:
        return None


class Clock:
    """Presentation times of decoded frames, in seconds from the start of the file, strictly increasing."""

    def __init__(self, container: av.container.InputContainer, fps: Fraction | None):
        self.start = (container.start_time or 0) * _MICROSECOND
        self.step = 1 / fps if fps else Fraction(1, 25)
        self.trusted = container.format.name != "avi"  # it stores decoding times only, at a constant rate
        self.frames, self.last, self.gap = 0, Fraction(0), self.step

    def time(self, frame: av.VideoFrame) -> Fraction:
        """The frame's time; to be called once for every frame, in order."""
        if not self.trusted:
            now = self.frames * self.step
        elif frame.pts is not None and frame.time_base is not None:
            now = frame.pts * frame.time_base - self.start
        else:
            now = self.last + self.step if self.frames else Fraction(0)
        if self.frames:
            now = now if now > self.last else self.last + self.step
            self.gap = max(self.gap, now - self.last)
        self.frames, self.last = self.frames + 1, now
        return now

    def short_of(self, stated: Stated) -> bool:
        """Whether fewer frames came than the file states."""
        if stated.frames is not None:
            return self.frames < stated.frames
        # half a frame's leave, for times that are rounded
        return stated.end is not None and self.last + self.gap * Fraction(3, 2) < stated.end


def cut_off(path: Path) -> str | None:
    """The sign of a cut in formats that state no length: a GIF without its end mark, half a transport stream packet."""
    with path.open("rb") as file:
        head = file.read(6)
        size = file.seek(-1, 2) + 1
        if head in (b"GIF87a", b"GIF89a") and file.read(1) != b";":
            return "the GIF has no end mark"
    if head[:1] == b"G" and path.suffix.lower() == ".ts" and size % _TS_PACKET:
        return "it ends within a packet"
    return None
