"""The pictures of a video in order of presentation, and what of it is damaged.

A first pass decodes as fast as it can. At the first trouble a second one takes over, from the same picture on: its
decoder has one thread, so that each error is that of the packet just sent, and gives all it has, broken or not. Every
packet carries its number, which comes back with its picture: so it is known which packets have none.
"""

from __future__ import annotations

import errno
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from camn.media.container import opened, reason
from camn.media.skipped import Skipped

if TYPE_CHECKING:
    import av
    import av.container

_COPY_OPAQUE, _OUTPUT_CORRUPT = 1 << 7, 1 << 3  # AV_CODEC_FLAG_...
REORDERED = 16  # packets: the most that H.264 lets a picture come before or behind its place
_SMALLEST = 8  # bytes of a picture
_BEHIND = 64  # packets: a picture that has not come so long after its packet never will
_APART = Fraction(6, 10)  # of a frame's time: what is nearer to another picture is half of it, or never shown


class Picture(NamedTuple):
    """frame: None for one that could not be decoded. time, duration: in the stream's unit, None where not known."""

    frame: av.VideoFrame | None
    time: int | None
    duration: int | None = None


class _Sent(NamedTuple):
    """A packet whose picture has not come yet."""

    time: int | None
    duration: int | None
    failed: bool


class _Trouble(Exception):
    """The first pass cannot go on."""


@dataclass
class Ending:
    """How a pass ended. tail: pictures behind the last good one that could not be decoded. reason: the sign that the
    file breaks off there. used: bytes up to the end of its last packet, where that is known."""

    tail: list[Picture] = field(default_factory=list)
    reason: str | None = None
    used: int = 0


def pictures(path: Path, step: Fraction | None, leading: bool, limit: int | None, ending: Ending) -> Iterator[Picture]:
    """All pictures, in order; those that could not be decoded stand where their time or their packet says.

    step: seconds of a frame, where known. leading: whether what cannot be decoded before the first good picture counts;
    a recording that begins in the middle has such packets. limit: see `open_source`. ending: is filled at the end.
    """
    done = 0
    for careful in (False, True):
        with opened(path, limit) as (container, stream):
            decoder = _Pass(container, stream, step, leading, limit, careful)
            try:
                for picture in islice(decoder.pictures(), done, None):
                    yield picture
                    done += not careful
            except _Trouble:
                continue
            ending.tail, ending.reason = decoder.tail(), decoder.reason
            return


def pictures_once(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    step: Fraction | None,
    ending: Ending,
) -> Iterator[Picture]:
    """As `pictures`, of what can be read once only, and may begin in the middle. One that is larger than is taken is
    one that cannot be decoded."""
    decoder = _Pass(container, stream, step, False, None, careful=True)
    yield from decoder.pictures()
    ending.tail, ending.reason, ending.used = decoder.tail(), decoder.reason, decoder.used


class _Pass:
    """One way through the file."""

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        step: Fraction | None,
        leading: bool,
        limit: int | None,
        careful: bool,
    ):
        self.container, self.stream, self.leading, self.limit, self.careful = container, stream, leading, limit, careful
        stream.thread_type = "NONE" if careful else "AUTO"
        if careful:
            stream.codec_context.thread_count = 1  # AV1's decoder has threads of its own
        stream.codec_context.flags |= _COPY_OPAQUE
        self.timed = container.format.name != "avi"  # which knows decoding times only: sorted, they are the pictures'
        self.received = container.format.name in (
            "mpegts",
            "mpjpeg",
            "rtsp",
        )  # packets may be damaged anywhere; elsewhere it means a cut
        self.unit = stream.time_base or Fraction(1)
        self.near = step / self.unit if step else Fraction(0)  # the least between pictures
        self.sent: dict[int, _Sent] = {}
        self.times: list[int] = []  # heap of the packets' times that no picture has taken, where not `timed`
        self.last: int | None = None  # time of the last picture
        self.skipped, self.leapt = Skipped(container.format.name), []  # (packet's number, bytes before it of none)
        self.number, self.begun, self.failed, self.reason, self.used = 0, False, False, None, 0

    def pictures(self) -> Iterator[Picture]:
        for frame in self._frames():
            yield from self._missing(frame)
            time = frame.pts if self.timed else self._next_time()
            self._came(frame)
            if self.last is not None and time is not None and time > self.last:
                self.near = min(self.near or Fraction(time - self.last), Fraction(time - self.last))
            self.begun, self.last = True, self.last if time is None else time
            yield Picture(frame, time, frame.duration or None)

    def tail(self) -> list[Picture]:
        """Behind the last picture."""
        after = [one for one in self.sent.values() if one.failed or (self.failed and self._behind(one.time))]
        return [*self._apart(after, None), *self._counted(after)]

    def _frames(self) -> Iterator[av.VideoFrame]:
        """What the decoder gives."""
        for packet in self._packets():
            number = self.number
            if packet.size:
                self.reason, self.used = None, (packet.pos or 0) + packet.size
                packet.opaque = number
                time = packet.pts if self.timed else packet.dts
                if not packet.is_discard:  # what an edit list leaves out is decoded and not shown
                    self.sent[number] = _Sent(time, packet.duration, False)
                if not self.timed and time is not None:
                    heapq.heappush(self.times, time)
            if packet.is_corrupt and not self.received:  # cut short: its error could cost pictures still in flight
                self._fail(number, "the last frame's data is cut off")
                continue
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except Exception as error:
                if self.limit is not None and getattr(error, "errno", None) == errno.EINVAL:  # larger than is taken
                    self.reason = reason(error)
                    return
                self._fail(number, None)
                continue
            yield from frames
        if not self.careful and any(self._behind(one.time) for one in self.sent.values() if not one.failed):
            raise _Trouble

    def _packets(self) -> Iterator[av.Packet]:
        """All, and at the end an empty one. After an error the demuxer is asked again, as long as more comes."""
        import av
        from av.error import FFmpegError

        came = True
        while came:
            came, leapt = False, 0
            try:
                for packet in self.container.demux(None if self.skipped.watches else self.stream):
                    leapt = max(leapt, self.skipped.before(packet))
                    if packet.stream.index == self.stream.index:  # the last, empty one has no other
                        if leapt:
                            self.leapt.append((self.number, leapt))
                        came, leapt = came or packet.size > 0, 0
                        yield packet
                        self.number += 1
                return
            except (FFmpegError, OSError) as error:
                if not self.careful:
                    raise _Trouble from error
                self.reason = reason(error)
        end = av.Packet()
        end.stream, end.time_base = self.stream, self.unit
        yield end

    def _fail(self, number: int, cut: str | None) -> None:
        """A packet cannot be decoded. cut: what that says if it was the last one."""
        if not self.careful and cut is None:
            raise _Trouble
        self.failed, self.reason = True, cut
        if self.begun or self.leading:  # else a recording begins here, and what its decoder makes of it is no picture
            self.stream.codec_context.flags |= _OUTPUT_CORRUPT
        if number in self.sent:
            self.sent[number] = self.sent[number]._replace(failed=True)

    def _came(self, frame: av.VideoFrame) -> None:
        number = _number(frame)
        if number is None:  # a decoder that does not hand it on
            number = next((n for n, one in self.sent.items() if one.time == frame.pts), -1)
        self.sent.pop(number, None)

    def _missing(self, frame: av.VideoFrame) -> list[Picture]:
        """What should have come before this picture, and never will."""
        number, time = _number(frame), frame.pts
        before = {n: one for n, one in self.sent.items() if n != number and self._precedes(n, one, number, time)}
        for gone in [n for n in self.sent if n in before or (number is not None and n < number - _BEHIND)]:
            del self.sent[gone]
        if not (self.begun or self.leading):
            return []
        lost = list(before.values()) if self.failed else []
        return [*self._counted(lost), *self._apart(lost or self._never_sent(number, time), time)]

    def _precedes(self, number: int, one: _Sent, other: int | None, time: int | None) -> bool:
        """Whether a packet's picture belongs before that of another: by its time, else by its place."""
        if self.timed and one.time is not None:
            return _before(one.time, time)
        return one.failed and other is not None and number < other

    def _counted(self, missing: list[_Sent]) -> list[Picture]:
        """Those that have no time of their own."""
        untimed = [one for one in missing if not self.timed or one.time is None]
        return [Picture(None, self._next_time(), one.duration) for one in untimed]

    def _never_sent(self, number: int | None, time: int | None) -> list[_Sent]:
        """Pictures of which not even packets came, since the reader leapt over them; as many as fit in the time."""
        sizes = [size for leap, size in self.leapt if number is not None and abs(leap - number) <= REORDERED]
        if not sizes or self.last is None or time is None or not self.near:
            return []
        count = round((time - self.last) / self.near) - 1
        if count < 1 or count > max(sizes) / _SMALLEST:  # so many: then it is the time that is damaged
            return []
        if not self.careful:
            raise _Trouble
        each = Fraction(time - self.last, count + 1)
        return [_Sent(round(self.last + each * (i + 1)), round(each), True) for i in range(count)]

    def _apart(self, missing: list[_Sent], until: int | None) -> list[Picture]:
        """Of packets, in order of time, those that are pictures of their own."""
        kept, last, least = [], self.last, self.near * _APART
        for one in sorted((one for one in missing if self.timed), key=lambda one: one.time or 0):
            if one.time is None or (last is not None and one.time - last <= least):
                continue
            if until is None or until - one.time > least:
                kept.append(Picture(None, one.time, one.duration))
                last = one.time
        return kept

    def _behind(self, time: int | None) -> bool:
        return _before(self.last, time) and time - self.last > self.near * _APART  # type: ignore[operator]

    def _next_time(self) -> int | None:
        return heapq.heappop(self.times) if self.times else None


def _number(frame: av.VideoFrame) -> int | None:
    """Of its packet."""
    return frame.opaque if isinstance(frame.opaque, int) else None


def _before(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one < other
