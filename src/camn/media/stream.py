"""Frames of what can be read once only: a camera, a stream, a pipe."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from camn.errors import VideoError
from camn.media.container import reason, taken, videos
from camn.media.damage import Damage
from camn.media.decoding import Ending, Picture, pictures_once
from camn.media.handover import Handover
from camn.media.length import Clock
from camn.media.orientation import Orientation
from camn.media.source import Frame, FrameSource
from camn.media.video_file import aspect_of, rate_of, remarks

if TYPE_CHECKING:
    import av
    import av.container

_UNTIMED = ("mpjpeg", "mjpeg", "h264", "hevc")  # FFmpeg's formats that hold no times
_TICK = Fraction(1, 90_000)  # seconds: the unit of times that the stream does not state
_FIRST = 30.0  # seconds in which the first picture is to come, of what goes on by itself


class _Shown(NamedTuple):
    """A picture, the time at which it is shown, and for how long, in seconds."""

    picture: Picture
    time: Fraction
    duration: Fraction | None


@dataclass(frozen=True)
class Inlet:
    """What a stream is read from. place: what messages call it. remedy: what to do where no picture comes. close: ends
    a read that waits, from any thread. broke: why what is read ended, if it should not have."""

    place: str
    container: av.container.InputContainer
    remedy: str = "check it, or record to a file first"
    close: Callable[[], None] = lambda: None
    broke: Callable[[], str | None] = lambda: None


@dataclass
class _Reader:
    """Decodes in a thread of its own, until it is stopped, and closes what it read. fps, unit: of the stream's times.
    arrives: it states none that count, so that a picture's time is that at which it came. failed: why it ended, if it
    should not have."""

    inlet: Inlet
    stream: av.VideoStream
    max_pixels: int | None
    shown: Handover[_Shown]
    fps: Fraction | None
    unit: Fraction
    arrives: bool
    ended: str | None = None
    failed: str | None = None
    ending: Ending = field(default_factory=Ending)

    def start(self) -> None:
        threading.Thread(target=self._run, name="camn-stream", daemon=True).start()

    def stop(self) -> None:
        self.shown.stop()
        self.inlet.close()

    def _run(self) -> None:
        try:
            self._decode()
        except Exception as error:  # whatever a library raises, the frames before it are there
            self.ending.reason = reason(error)
        if not self.shown.stopped:
            self.failed, self.ended = self.inlet.broke() or self.ending.reason, "the stream ended"
        self.shown.end()
        self.stream.codec_context.flush_buffers()  # as `opened` does
        self.inlet.container.close()
        self.inlet.close()

    def _decode(self) -> None:
        step = 1 / self.fps if self.fps else None
        clock, begun = Clock(Fraction(0), self.unit, self.fps, received=True), time.monotonic()
        for picture in pictures_once(self.inlet.container, self.stream, step, self.max_pixels, self.ending):
            if picture.frame is None and self.shown.newest:
                continue
            if self.arrives:
                picture = picture._replace(time=round((time.monotonic() - begun) / self.unit), duration=None)
            if not clock.frames and picture.time is not None:
                clock.start = picture.time * self.unit
            if not self.shown.put(_Shown(picture, clock.time(picture), clock.duration(picture))):
                return


class StreamSource(FrameSource):
    """See FrameSource. The first frame can be had again and again, those behind it once.

    What drops frames gives the newest at the time it is asked for the first one, and from then on, each time it is
    asked, the newest again. Frames' times count from the first one.
    """

    kind, path, names, count, sound, once = "video", None, None, None, None, True

    def __init__(self, inlet: Inlet, newest: bool, max_pixels: int | None = None):
        """Waits for a first picture; closes the inlet at the end, or if none comes. Raises VideoError."""
        self._place, container = inlet.place, inlet.container
        self.drops, self.warnings = newest, []
        try:
            stream = taken(container, inlet.place, max_pixels)
        except BaseException:
            container.close()
            inlet.close()
            raise
        arrives = newest and container.format.name in _UNTIMED
        self.fps = None if arrives else rate_of(stream)
        self.time_base = unit = _TICK if arrives else stream.time_base or _TICK
        self._shown: Handover[_Shown] = Handover(newest)
        self._reader = _Reader(inlet, stream, max_pixels, self._shown, self.fps, unit, arrives)
        tracks, sounds = videos(container), len(container.streams.audio)
        self._reader.start()
        self._stop = weakref.finalize(self, self._reader.stop)
        first = self._shown.peek(_FIRST if newest else None)
        if first is None or first.picture.frame is None:
            self._stop()
            why = self._reader.failed or ("it ended" if self._reader.ended else f"none within {_FIRST:.0f} s")
            raise VideoError(f"{inlet.place}: no picture came ({why}); {inlet.remedy}")
        self._turn = Orientation.of(first.picture.frame, stream)
        height, width = self._stored = first.picture.frame.height, first.picture.frame.width
        self.size = (width, height) if self._turn.transpose else (height, width)
        self.aspect = aspect_of(stream, self._turn)
        said = [*remarks(tracks, first.picture.frame), *["its sound is not in the outputs"] * (sounds > 0)]
        self.notes = tuple(f"{inlet.place}: {text}" for text in said)
        self._first: Frame | None = None
        self._start, self._spent, self._taken, self._before = Fraction(0), False, 0, 0
        self._damage = Damage()

    @property
    def place(self) -> str:
        return self._place

    @property
    def dropped(self) -> int:
        return self._shown.dropped

    def record(self) -> dict[str, Any]:
        ended = self._reader.failed or self._reader.ended or "stopped"
        return {"stream": {"frames": "newest" if self.drops else "all", "dropped": self.dropped, "ended": ended}}

    def __iter__(self) -> Iterator[Frame]:
        if self._spent:
            raise VideoError(f"{self.place}: was read already, and what comes once cannot be read again; open it anew")
        if self._first is None:
            self._first = self._next(None)
            self._before, self._shown.dropped = self._shown.dropped, 0
        frame: Frame | None = self._first
        assert frame is not None
        yield frame
        self._spent = True
        try:
            while (frame := self._next(frame)) is not None:
                yield frame
        finally:
            self._stop()
            self.warnings[:] = [*self.notes, *(f"{self.place}: {text}" for text in self._said())]

    def _next(self, before: Frame | None) -> Frame | None:
        """None at the end. before: stands in for a picture that cannot be decoded."""
        shown = self._shown.take()
        if shown is None:
            return None
        index, decoded = self._taken, shown.picture.frame
        self._taken += 1
        if before is None:
            self._start = shown.time
        if decoded is None:
            assert before is not None  # the first that came was a picture
            self._damage.lost.append(index)
            image = before.image
        else:
            if decoded.is_corrupt:
                self._damage.marred.append(index)
            # the first frame's size for all, should a stream change it midway
            image = self._turn.apply(decoded.reformat(self._stored[1], self._stored[0], "rgb24").to_ndarray())
        return Frame(index, f"{index:06d}", image, shown.time - self._start, shown.duration)

    def _said(self) -> Iterator[str]:
        if (damage := self._damage.sentence()) is not None:
            yield damage
        if self.dropped:
            yield (
                f"{self.dropped} of {self.dropped + self._taken} frames were dropped, as they came faster than they "
                "were followed; the others keep their times. A smaller --short-side is faster; --take all drops none"
            )
        elif self._taken == 1 and self._before and self._reader.ended:
            yield (
                f"it had ended before its first frame was taken; {self._before} before that one were left out. "
                "--take all drops none"
            )
        if self._reader.failed:
            yield f"broke off after {self._taken} frames ({self._reader.failed}); only these have results"
