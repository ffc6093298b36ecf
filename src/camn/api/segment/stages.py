"""A run at work: frames are read ahead in one thread, segmented in another, and written in a third."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from camn.api.options import Progress, Report
from camn.api.out_of_memory import enough_memory
from camn.api.segment.given import segment_frame
from camn.api.segment.kept import Keeper, Past, State, result_of
from camn.api.segment.outputs import Outputs
from camn.api.segment.streaming import read_ahead, said_dropped, usual_end
from camn.errors import MaskError, VideoError
from camn.inference import AnySegmenter, Result
from camn.masks import MaskSet
from camn.media.outputs import WriterThread
from camn.media.source import Frame, FrameSource, Item


@dataclass
class Headway:
    """How far a run has come: frames written, and seconds of each stage; before: seconds until it was cut off."""

    frames: int = 0
    stages: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("read", "segment", "write", "wait"), 0.0))
    started: float = field(default_factory=time.monotonic)
    before: float = 0.0

    @classmethod
    def after(cls, past: Past | None) -> Headway:
        return cls() if past is None else cls(stages=dict(past.stages), before=past.seconds)

    @property
    def seconds(self) -> float:
        return self.before + self.now

    @property
    def now(self) -> float:
        """Since it was begun, or taken up."""
        return time.monotonic() - self.started

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.stages[stage] += time.monotonic() - start

    def timed(self, stage: str, source: Iterable[Item]) -> Iterator[Item]:
        """The same items; the time until they come counts as the stage's."""
        with closing(iter(source)) as frames:  # type: ignore[type-var], sources are generators
            while True:
                with self.clock(stage):
                    frame = next(frames, None)
                if frame is None:
                    return
                yield frame

    def write(self, outputs: Outputs, keeper: Keeper | None, frame: Frame, result: Result | None) -> None:
        with self.clock("write"):
            shown = outputs.write(frame, result)
            self.frames += 1
            if keeper:
                keeper.note(self.frames, shown)

    def keep(self, keeper: Keeper, state: State) -> None:
        with self.clock("write"):
            keeper.save(state, **self.how_far())

    def how_far(self) -> dict[str, Any]:
        """As `Keeper.save` takes it."""
        return {"seconds": self.seconds, "stages": self.stages}

    def as_dict(self) -> dict[str, Any]:
        seconds = self.seconds
        return {
            "frames": self.frames,
            "seconds": round(seconds, 3),
            "frames_per_second": round(self.frames / seconds, 3),
            "seconds_by_stage": {stage: round(value, 3) for stage, value in self.stages.items()},
        }


def segment_frames(
    source: FrameSource,
    given: MaskSet,
    segmenter: AnySegmenter,
    open_outputs: Callable[[], Outputs],
    run: Headway,
    keeper: Keeper | None,
    progress: Report,
) -> None:
    """Decode and upload ahead in one thread, segment here, write in another. Leaving this, also by an error, ends every
    file. Of a run that is taken up the outputs of what it had done are made again of what it had found."""
    past = keeper.past if keeper else None
    first = past.done if past else 0
    with (
        enough_memory(source.size, len(given.ids)),  # outermost: it may run out in any of the threads
        open_outputs() as outputs,
        closing(read_ahead(_ready(run.timed("read", source), segmenter, past, source.place), source)) as frames,
        WriterThread() as writer,
        usual_end(source, run),
    ):
        done = behind = 0  # frames, and the last one's place in the video
        for done, (frame, uploaded, result) in enumerate(run.timed("wait", frames), 1):
            behind = frame.index + 1
            if uploaded is not None:
                with run.clock("segment"):
                    result = segment_frame(segmenter, uploaded, given, frame.index)
            with run.clock("wait"):
                writer.submit(run.write, outputs, keeper, frame, result)
                if keeper and uploaded is not None and (state := keeper.due(done, segmenter)):
                    writer.submit(run.keep, keeper, state)
            if uploaded is not None:
                progress(Progress(done, source.count, run.now, said_dropped(source), first))
        if done < first:
            raise VideoError(f"{source.place}: ends at frame {done}, and the run that was cut off had done {first}")
    if segmenter.index < 0 and behind <= min(given.masks):
        raise MaskError(
            f"{source.place}: its {run.frames} frames ended before the first one with a mask, frame {min(given.masks)} "
            "(0 is the first); name masks like frames of this video, or say with --first-frame which number its first "
            "frame bears in the masks' names"
        )


def _ready(
    frames: Iterator[Frame], segmenter: AnySegmenter, past: Past | None, place: str
) -> Generator[tuple[Frame, Any, Result | None], None, None]:
    """Each frame, and it uploaded; or, in place of that, what was found on it before the run was cut off."""
    lines = past.lines() if past else iter(())
    with closing(frames):  # type: ignore[type-var], a generator
        for frame in frames:
            if (line := next(lines, None)) is None:
                yield frame, segmenter.upload(frame.image), None
            else:
                yield frame, None, result_of(line, frame, place)
