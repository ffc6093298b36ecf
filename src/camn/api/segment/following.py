"""Objects followed through frames of any kind, a result for each: what `follow` gives."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from camn.api.models.load import cpu_threads, load_marker
from camn.api.options import Notice, Progress, Report
from camn.api.out_of_memory import enough_memory
from camn.api.segment.given import segment_frame, unused, with_marked
from camn.api.segment.marking import mark_picture
from camn.errors import CamnError, MaskError
from camn.inference import AnySegmenter, Result
from camn.inference.calls import own_settings
from camn.masks import Marks, MaskSet, ObjectIds
from camn.media.overlay import draw_overlay
from camn.media.source import Frame, FrameSource


@dataclass(frozen=True, eq=False)
class Followed(Result):
    """A result of `follow`, with its frame. index: of the frame, 0 is the first. name: the stem of its file, or its
    number in six digits. time: seconds from the start of the video's file; None where there is none."""

    name: str
    time: Fraction | None
    _frame: np.ndarray | None

    @property
    def frame(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, as it was segmented. CamnError after `slim`."""
        if self._frame is None:
            raise CamnError(f"frame {self.index}: this result is slim; take its frame before slim() is called")
        return self._frame

    @own_settings(inference=False)
    def overlay(self, opacity: float = 0.5) -> np.ndarray:
        """(H, W, 3) uint8 RGB: the objects tinted over the frame, opacity 0 (outlines alone) to 1."""
        return draw_overlay(self.frame, self.ids, opacity)

    def slim(self) -> Followed:
        """The same without the frame and what `probability` needs."""
        return dataclasses.replace(self, _probabilities=None, _frame=None)


class Following(Iterator[Followed]):
    """The results of `follow`, one for each frame. A frame is taken when its result is asked for, and not before.

    segmenter: the one at work. Its `correct` and `remove` hold from the frame last seen on. names: what the masks'
    source calls objects, by id; known from the first result on. close: frees what is held; so does a `with` block, and
    so does dropping this. A generator that was given stays open: it is the caller's.
    """

    def __init__(self, results: Generator[Followed, None, None], segmenter: AnySegmenter, names: Mapping[int, str]):
        self.segmenter, self.names, self._results = segmenter, names, results

    def __next__(self) -> Followed:
        return next(self._results)

    def __enter__(self) -> Following:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._results.close()


@dataclass
class Follower:
    """What makes a result of a frame. given: what is followed from which frame on, as far as it is known yet."""

    segmenter: AnySegmenter
    marks: Marks | None
    threads: int | None
    notice: Notice
    names: dict[int, str] = field(default_factory=dict)
    given: MaskSet | None = None

    def take(self, given: MaskSet | None) -> None:
        """Of what was said before, no note is said again."""
        told = self.given.notes if self.given else ()
        self.given = given
        if given is not None:
            self.names.update(given.names)
            self.tell(*(note for note in given.notes if note not in told))

    def tell(self, *notes: str) -> None:
        for note in notes:
            self.notice(note)

    def answer(self, frame: Frame) -> Followed:
        result, size = None, frame.image.shape[:2]
        with cpu_threads(self.threads):
            if self.marks and frame.index == self.marks.at:
                marked = mark_picture(frame, self.marks, load_marker(device=self.segmenter.device))
                self.take(with_marked(self.given, marked))
            if self.given is not None:
                with enough_memory(size, len(self.given.ids)):
                    result = segment_frame(self.segmenter, frame.image, self.given, frame.index)
        if result is None:
            result = Result(frame.index, np.zeros(size, np.uint8), {}, frozenset(), None, ObjectIds())
        known: dict[str, Any] = vars(result) | {"index": frame.index}
        return Followed(**known, name=frame.name, time=frame.time, _frame=frame.image)

    def end(self, frames: int) -> None:
        """Raises MaskError where nothing was followed."""
        starts: list[int] = [] if self.marks is None else [self.marks.at]
        starts += self.given.masks if self.given else ()
        if (first := min(starts)) >= frames:
            raise MaskError(
                f"the frames, {frames} of them, ended before the first one with a mask or clicks, frame {first} (0 is "
                "the first); give the number of a frame that is there"
            )
        self.tell(*(unused(self.given, frames) if self.given else ()))


def answers(
    frames: Iterator[Frame],
    read: Callable[[tuple[int, int]], MaskSet | None],
    follower: Follower,
    total: int | None,
    progress: Report,
    source: FrameSource | None,
) -> Generator[Followed, None, None]:
    """read: gives the masks for frames of a size. total: how many frames there will be, where that is known. source:
    where they come from, if that is no business of the caller's.

    Nothing of ours holds while the caller has its turn: no settings of torch, no thread that reads ahead.
    """
    done, started = 0, time.monotonic()
    with closing(frames):  # type: ignore[type-var], a generator
        for done, frame in enumerate(frames, 1):
            if done == 1:
                follower.tell(*(source.notes if source else ()))
                follower.take(read(frame.image.shape[:2]))
            result = follower.answer(frame)
            progress(Progress(done, total, time.monotonic() - started))
            yield result
    if source:
        follower.tell(*(said for said in source.warnings if said not in source.notes))
    follower.end(done)
