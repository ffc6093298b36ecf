"""Frames of what can be read once only: a camera, a stream, a pipe."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from camn.errors import VideoError
from camn.media.container import taken, videos
from camn.media.damage import Damage, runs
from camn.media.handover import Handover
from camn.media.orientation import Orientation
from camn.media.reader import Inlet, Reader, Shown, Times
from camn.media.source import Frame, FrameSource, check_pixels
from camn.media.video_file import aspect_of, remarks

if TYPE_CHECKING:
    import av

MOST = 1 << 27  # pixels of a frame: four times those of 8K video
_FIRST = 30.0  # seconds in which the first picture is to come, of what goes on by itself


class StreamSource(FrameSource):
    """See FrameSource. The first frame can be had again and again, those behind it once.

    What drops frames gives the newest at the time it is asked for the first one, and from then on, each time it is
    asked, the newest again. Frames' times count from the first one.
    """

    kind, path, names, count, sound, once = "video", None, None, None, None, True

    def __init__(
        self,
        inlet: Inlet,
        newest: bool,
        max_pixels: int | None = None,
        notice: Callable[[str], object] = lambda note: None,
    ):
        """Waits for a first picture; closes the inlet at the end, or if none comes. notice: is told of each try to open
        again what broke off. Raises VideoError."""
        self._place, container = inlet.place, inlet.container
        self.drops, self.warnings, most = newest, [], min(max_pixels or MOST, MOST)
        try:
            stream = taken(container, inlet.place, most)
        except BaseException:
            inlet.shut()
            raise
        times = Times.of(container, stream, newest)
        self.fps, self.time_base = times.fps, times.unit
        self._shown: Handover[Shown] = Handover(newest)
        self._reader = Reader(inlet, most, self._shown, notice)
        tracks, sounds = videos(container), len(container.streams.audio)
        self._reader.start()
        self._stop = weakref.finalize(self, self._reader.stop)
        first = self._shown.peek(_FIRST if newest else None)
        if first is None or first.picture.frame is None:
            self._stop()
            why = self._reader.failed or ("it ended" if self._reader.ended else f"none within {_FIRST:.0f} s")
            raise VideoError(f"{inlet.place}: no picture came ({why}); {inlet.remedy}")
        self._check(first.picture.frame, most)
        self._turn = Orientation.of(first.picture.frame, stream)
        height, width = self._stored = first.picture.frame.height, first.picture.frame.width
        self.size = (width, height) if self._turn.transpose else (height, width)
        self.aspect = aspect_of(stream, self._turn)
        said = [*remarks(tracks, first.picture.frame), *["its sound is not in the outputs"] * (sounds > 0)]
        self.notes = tuple(f"{inlet.place}: {text}" for text in said)
        self._first: Frame | None = None
        self._start, self._spent, self._taken, self._before, self._opened = Fraction(0), False, 0, 0, 0
        self._damage, self._anew = Damage(), []  # frames before which it was opened again

    def _check(self, first: av.VideoFrame, most: int) -> None:
        """Raises VideoError for frames that are too large; their size need not be told before the first one."""
        try:
            check_pixels(self._place, (first.height, first.width), most)
        except VideoError:
            self._stop()
            raise

    @property
    def place(self) -> str:
        return self._place

    @property
    def dropped(self) -> int:
        return self._shown.dropped

    def record(self) -> dict[str, Any]:
        ended = self._reader.failed or self._reader.ended or "stopped"
        said = {"frames": "newest" if self.drops else "all", "dropped": self.dropped, "ended": ended}
        return {"stream": said | ({"opened_again": self._reader.opened} if self._reader.opened else {})}

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
            self._start, self._opened = shown.time, shown.opened
        if shown.opened > self._opened:
            self._opened = shown.opened
            self._anew.append(index)
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
        if self._anew:
            yield (
                f"broke off and was opened again before {runs(self._anew)}: what was to be seen meanwhile is missing, "
                "and frames are numbered on"
            )
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
