"""Video files as frame sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from camn.errors import VideoError
from camn.media.colours import remark as colour_remark
from camn.media.container import chosen, library_errors, opened, videos
from camn.media.cuts import cut_off
from camn.media.damage import Damage
from camn.media.decoding import REORDERED, Ending, Picture, pictures
from camn.media.length import Clock, Stated, start_time, stated_length
from camn.media.orientation import Orientation
from camn.media.sound import Sound, sound_of
from camn.media.source import Frame, FrameSource
from camn.media.strangers import INTACT

if TYPE_CHECKING:
    import av

_SLOWEST, _FASTEST = Fraction(1, 10_000), 1_000_000  # frames per second that can be meant
_FEW = 0.1  # of all frames
_TAIL = 1  # seconds at the end that may be filled where nothing of them can be decoded


@dataclass(frozen=True)
class VideoSource(FrameSource):
    """A video file as frames, named by six-digit numbers; see FrameSource.

    stored: (h, w) of the coded picture, before `orientation` turns it upright. start: seconds on the file's own clock
    from which frames' times count. received: see `Clock`. remarks: what is to be said of it however it is read.
    max_pixels: see `open_source`.
    """

    path: Path
    size: tuple[int, int]
    stored: tuple[int, int]
    orientation: Orientation
    fps: Fraction | None
    time_base: Fraction | None
    stated: Stated
    start: Fraction = Fraction(0)
    received: bool = False
    aspect: Fraction = Fraction(1)
    sound: Sound | None = None
    kind: str = "video"
    names: tuple[str, ...] | None = None
    warnings: list[str] = field(default_factory=list)
    remarks: tuple[str, ...] = ()
    max_pixels: int | None = None

    @classmethod
    def open(cls, path: Path, max_pixels: int | None = None) -> VideoSource:
        """Decodes the first frame, so that a file without one is refused here, as VideoError."""
        with opened(path, max_pixels) as (container, stream):
            fps = rate_of(stream)
            stated = stated_length(path, container, stream)
            ending = Ending()
            decoded = (one.frame for one in pictures(path, fps and 1 / fps, False, max_pixels, ending))
            first = next((frame for frame in decoded if frame is not None), None)
            if first is None:
                reason = f" ({ending.reason})" if ending.reason else ""
                raise VideoError(f"{path}: no frame could be decoded{reason}; {INTACT}")
            start = start_time(container)
            turn = Orientation.of(first, stream)
            height, width = first.height, first.width
            return cls(
                path=path,
                size=(width, height) if turn.transpose else (height, width),
                stored=(height, width),
                orientation=turn,
                fps=fps,
                time_base=stream.time_base,
                stated=stated,
                start=start,
                received=container.format.name in ("mpegts", "mpeg"),
                aspect=aspect_of(stream, turn),
                sound=sound_of(path, container, start),
                remarks=tuple(remarks(videos(container), first)),
                max_pixels=max_pixels,
            )

    @property
    def count(self) -> int | None:
        frames, end = self.stated
        if frames is None and end is not None and self.fps is not None:
            frames = max(1, round(end * self.fps))
        # a frame takes a byte at least: what says more is no count
        return None if frames is None or frames > self.path.stat().st_size else frames

    def __iter__(self) -> Iterator[Frame]:
        self.warnings.clear()
        ending, damage = Ending(), Damage()
        clock = Clock(self.start, self.time_base or Fraction(0), self.fps, self.received)
        with library_errors(self.path):
            for index, (picture, image) in enumerate(self._images(clock, ending)):
                if picture.frame is None:
                    damage.lost.append(index)
                elif picture.frame.is_corrupt:
                    damage.marred.append(index)
                yield Frame(index, f"{index:06d}", image, clock.time(picture), clock.duration(picture))
        if not clock.frames:
            raise VideoError(f"{self.path}: no frame could be decoded any more; {INTACT}")
        if self.received and len(clock.gaps) <= _FEW * clock.frames:  # else its rate varies
            damage.after = clock.gaps
        if early := self._early_end(clock, ending):  # which says it of what is half there where the file breaks off
            damage.marred = [index for index in damage.marred if index < clock.frames - 1]
            damage.after = [index for index in damage.after if index < clock.frames - REORDERED]
        said = [*self.remarks, damage.sentence(), early]
        self.warnings.extend(f"{self.path}: {text}" for text in said if text)

    def _images(self, clock: Clock, ending: Ending) -> Iterator[tuple[Picture, np.ndarray]]:
        """What cannot be decoded shows the picture before it; before the first one, that."""
        held: list[Picture] = []
        shown: np.ndarray | None = None
        step, leading = self.fps and 1 / self.fps, self.stated != Stated()
        for picture in pictures(self.path, step, leading, self.max_pixels, ending):
            held.append(picture)
            if picture.frame is not None:
                # the first frame's size for all, should a stream change it midway
                rgb = picture.frame.reformat(self.stored[1], self.stored[0], "rgb24").to_ndarray()
                shown = self.orientation.apply(rgb)
            if shown is not None:
                yield from ((one, shown) for one in held)
                held.clear()
        ending.reason = ending.reason or self._cut_off()
        if shown is not None and not self._breaks_off(clock, ending):
            yield from ((one, shown) for one in ending.tail)
            ending.tail = []

    def _breaks_off(self, clock: Clock, ending: Ending) -> bool:
        """Whether the file ends too early, rather than in some damaged frames."""
        long = len(ending.tail) * clock.step > _TAIL
        return bool(ending.reason or long or clock.short_of(self.stated, ending.tail))

    def _cut_off(self) -> str | None:
        with self.path.open("rb") as file:
            return cut_off(file, self.stated != Stated())

    def _early_end(self, clock: Clock, ending: Ending) -> str | None:
        """The warning, if the video broke off."""
        short = clock.short_of(self.stated)
        if not (short or ending.reason or ending.tail):
            return None
        about = "" if self.stated.frames is not None else "about "
        total = f" of {about}{self.count}" if short and self.count else ""
        why = ending.reason or (f"the {len(ending.tail)} behind cannot be decoded" if ending.tail else None)
        return (
            f"the video ends early: {clock.frames}{total} frames could be read"
            f"{f' ({why})' if why else ''}; only these have results. "
            "The file is probably truncated, or damaged there: copy or export it again for the rest"
        )


def rate_of(stream: av.VideoStream) -> Fraction | None:
    """Frames per second, where what is stated makes sense."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and _SLOWEST < rate < _FASTEST:
            return Fraction(rate)
    return None


def aspect_of(stream: av.VideoStream, turn: Orientation) -> Fraction:
    """Width by height of a pixel that is upright; 1 where nothing is said, or nothing that can be."""
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    aspect = aspect if Fraction(1, 100) < aspect < 100 else Fraction(1)
    return 1 / aspect if turn.transpose else aspect


def remarks(tracks: Sequence[av.VideoStream], first: av.VideoFrame) -> Iterator[str]:
    """What is to be said of a video however it is read."""
    if len(tracks) > 1:
        sizes = ", ".join(f"{track.width}x{track.height}" for track in tracks)
        yield f"holds {len(tracks)} videos ({sizes}): number {tracks.index(chosen(tracks)) + 1} of them is read"
    if (text := colour_remark(first)) is not None:
        yield text
