"""A thread that decodes what can be read once only, and opens it again where it breaks off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from camn.errors import VideoError
from camn.media.container import reason, taken
from camn.media.decoding import Ending, Picture, pictures_once
from camn.media.handover import Handover
from camn.media.length import Clock, start_time, stated_length
from camn.media.video_file import rate_of

if TYPE_CHECKING:
    import av
    import av.container

WAITS = (1, 2, 4, 8, 16)  # seconds before each try to open again what broke off
_UNTIMED = ("mpjpeg", "mjpeg", "h264", "hevc")  # FFmpeg's formats that hold no times
_TICK = Fraction(1, 90_000)  # seconds: the unit of times that the stream does not state


class Shown(NamedTuple):
    """A picture, the time at which it is shown, and for how long, in seconds. opened: how often the stream had been
    opened again before it."""

    picture: Picture
    time: Fraction
    duration: Fraction | None
    opened: int = 0


@dataclass(frozen=True)
class Inlet:
    """What a stream is read from. place: what messages call it. remedy: what to do where no picture comes. close: ends
    a read that waits, from any thread. broke: why what is read ended, if it should not have. cut: the sign that more
    should have come, given how many bytes made pictures. again: opens it again, of what goes on by itself; raises
    VideoError. endless: such a stream has no end, but where it breaks off."""

    place: str
    container: av.container.InputContainer
    remedy: str = "check it, or record to a file first"
    close: Callable[[], None] = lambda: None
    broke: Callable[[], str | None] = lambda: None
    cut: Callable[[int], str | None] = lambda used: None
    again: Callable[[], Inlet] | None = None
    endless: bool = False

    def shut(self, stream: av.VideoStream | None = None) -> None:
        if stream is not None:
            stream.codec_context.flush_buffers()  # as `opened` does
        self.container.close()
        self.close()


@dataclass(frozen=True)
class Times:
    """How a stream's times are meant. fps: None where none is stated that counts. unit: in seconds. arrives: they state
    none that count, so that a picture's time is that at which it came."""

    fps: Fraction | None
    unit: Fraction
    arrives: bool

    @classmethod
    def of(cls, container: av.container.InputContainer, stream: av.VideoStream, newest: bool) -> Times:
        if newest and container.format.name in _UNTIMED:
            return cls(None, _TICK, True)
        return cls(rate_of(stream), stream.time_base or _TICK, False)


@dataclass
class Reader:
    """Decodes in a thread of its own, until it is stopped, and closes what it read. tell: of each try to open the
    stream again, from that thread. ended: how it ended, if nobody stopped it. failed: why, if it should not have.
    opened: how often it was opened again, and gave pictures again."""

    inlet: Inlet
    max_pixels: int
    shown: Handover[Shown]
    tell: Callable[[str], object] = lambda note: None
    ended: str | None = None
    failed: str | None = None
    opened: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _tries: int = 0  # to open it again, since the last picture
    _last: Fraction | None = None  # time of the last picture; and when it came
    _came: float = 0.0

    def start(self) -> None:
        threading.Thread(target=self._run, name="camn-stream", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self.shown.stop()
        self.inlet.close()

    def _run(self) -> None:
        while True:
            why = self._read(self.inlet)
            if self._stopped.is_set() or not self._anew(why):
                break
        if not self._stopped.is_set():
            self.failed, self.ended = why, "the stream ended"
        self.shown.end()

    def _read(self, inlet: Inlet) -> str | None:
        """To its end. -> why that came, if it should not have."""
        ending, stream, short = Ending(), None, False
        try:
            stream = taken(inlet.container, inlet.place, self.max_pixels)
            short = self._decode(inlet.container, stream, ending)
        except Exception as error:  # whatever a library raises, the frames before it are there
            ending.reason = reason(error)
        behind = f"the {len(ending.tail)} behind cannot be decoded" if ending.tail else None
        why = inlet.broke() or ending.reason or inlet.cut(ending.used) or behind
        inlet.shut(stream)
        return why or ("it states that it is longer" if short else None)

    def _decode(self, container: av.container.InputContainer, stream: av.VideoStream, ending: Ending) -> bool:
        """-> whether it states that there is more."""
        times = Times.of(container, stream, self.shown.newest)
        step = 1 / times.fps if times.fps else None
        stated, late = stated_length(None, container, stream), Fraction(0)
        clock, begun, base = Clock(Fraction(0), times.unit, times.fps, received=True), time.monotonic(), Fraction(0)
        for picture in pictures_once(container, stream, step, ending):
            if picture.frame is None and self.shown.newest:
                continue
            if times.arrives:
                picture = picture._replace(time=round((time.monotonic() - begun) / times.unit), duration=None)
            if not clock.frames:
                base = self._goes_on(clock.step)
                if picture.time is not None:
                    clock.start = picture.time * times.unit
                    late = clock.start - start_time(container)
            shown = Shown(picture, base + clock.time(picture), clock.duration(picture), self.opened)
            self._last, self._came, self._tries = shown.time, time.monotonic(), 0
            if not self.shown.put(shown):
                return False
        if self.shown.newest:  # of which not all are counted
            return False
        return clock.short_of(stated._replace(end=None if stated.end is None else stated.end - late), ending.tail)

    def _goes_on(self, step: Fraction) -> Fraction:
        """The time of the first picture of what was opened: 0, or so long behind the last one as it came after it."""
        if self._last is None:
            return Fraction(0)
        self.opened += 1
        return self._last + max(step, Fraction(round(time.monotonic() - self._came, 3)))

    def _anew(self, why: str | None) -> bool:
        """Whether what ended is open again, which is tried a few times."""
        again = self.inlet.again
        if again is None or self._last is None or not (why or self.inlet.endless):
            return False
        while self._tries < len(WAITS):
            wait, self._tries = WAITS[self._tries], self._tries + 1
            which = f"{self._tries} of {len(WAITS)}"
            self.tell(f"{self.inlet.place}: broke off ({why or 'it ended'}); opened again in {wait:g} s, try {which}")
            if self._stopped.wait(wait):
                return False
            try:
                self.inlet = again()
            except VideoError:
                continue
            return True
        return False
