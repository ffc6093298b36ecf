"""Where frames come from: one face for video files and image folders, and a thread that reads ahead."""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from camn.errors import VideoError

if TYPE_CHECKING:
    from camn.media.sound import Sound

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame, upright.

    index: position from 0. name: the image's stem, or the six-digit index for a video. image: (H, W, 3) uint8 RGB.
    time: presentation time in seconds from the start of the file; None for an image folder. duration: seconds for which
    it is shown, where the file says so. path: of a folder's image, which `as_jpeg` takes as it is where it can.
    """

    index: int
    name: str
    image: np.ndarray
    time: Fraction | None = None
    duration: Fraction | None = None
    path: Path | None = field(default=None, kw_only=True)


class FrameSource(ABC):
    """Frames that can be iterated any number of times, one in memory at a time.

    path: the file or folder, of a file name's pattern that; None of a stream. place: what messages and records call it.
    kind: "video" or "folder". size: (H, W) as displayed. count: number of frames; exact
    where the file states it, an estimate where it states a duration only, None where it states neither.
    fps: mean frames per second; None for a folder. time_base: the unit of the frames' times in seconds, or None.
    aspect: width by height of a pixel. sound: that goes with the frames, or None. names: the frames' names for a
    folder; None for a video. notes: what the user should know before the first frame. warnings: these, and what the
    last iteration met that the user should know, filled when it ends.

    once: it is a stream, of which the frames behind the first come once only. drops: it is one that goes on by itself:
    frames that come while nobody takes them are left out. dropped: how many, so far.

    A source holds no file open: every iteration opens its own and closes it when it ends, is closed or is dropped. A
    stream is open until it was read.
    """

    kind: str
    path: Path | None
    size: tuple[int, int]
    count: int | None
    fps: Fraction | None
    time_base: Fraction | None
    aspect: Fraction = Fraction(1)
    sound: Sound | None = None
    names: tuple[str, ...] | None
    notes: tuple[str, ...] = ()
    warnings: list[str]
    once: bool = False
    drops: bool = False

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def dropped(self) -> int:
        return 0

    def record(self) -> dict[str, Any]:
        """What a run's record is to say of how it was read; JSON can hold it."""
        return {}

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """The frames in order. Raises VideoError where one cannot be read and the source cannot end there."""


class PartSource(FrameSource):
    """Another source, `whole`, of which some frames are given."""

    def __init__(self, whole: FrameSource):
        self.whole = whole
        self.kind, self.path, self.size, self.names = whole.kind, whole.path, whole.size, whole.names
        self.count, self.fps, self.time_base = whole.count, whole.fps, whole.time_base
        self.aspect, self.sound = whole.aspect, whole.sound
        self.notes, self.warnings = whole.notes, whole.warnings
        self.once, self.drops = whole.once, whole.drops

    @property
    def place(self) -> str:
        return self.whole.place

    @property
    def dropped(self) -> int:
        return self.whole.dropped

    def record(self) -> dict[str, Any]:
        return self.whole.record()


def check_pixels(path: Path | str, size: tuple[int, int], most: int | None) -> None:
    """Raises VideoError for a frame (H, W) with more pixels than that."""
    if most is not None and size[0] * size[1] > most:
        wide = f"{size[1]}x{size[0]}"
        raise VideoError(f"{path}: frames of {wide} pixels; at most {most} are taken: make it smaller")


_END = object()


def prefetch(items: Iterable[Item], depth: int = 2) -> Generator[Item, None, None]:
    """The same items, produced ahead by a background thread; at most depth + 1 wait at any time.

    An exception in `items` is raised here, after the items before it. Closing (or dropping) this generator stops the
    thread and closes the iterator of `items`.
    """
    ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(max(1, depth))
    stopped = threading.Event()

    def produce() -> None:
        error = None
        try:
            iterator: Any = iter(items)
            with closing(iterator) if hasattr(iterator, "close") else nullcontext():
                for item in iterator:
                    ready.put((item, None))
                    if stopped.is_set():
                        break
        except BaseException as raised:  # whatever it is, it belongs to the consumer
            error = raised
        if not stopped.is_set():
            ready.put((_END, error))

    thread = threading.Thread(target=produce, name="camn-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stopped.set()
        while not ready.empty():  # a producer waiting for room gets it, sees the event and leaves
            ready.get_nowait()
        thread.join()
