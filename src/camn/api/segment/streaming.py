"""What a run does otherwise where its video is a stream."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Protocol

from camn.media.source import FrameSource, Item, prefetch


class _Counts(Protocol):
    frames: int


def read_ahead(frames: Generator[Item, None, None], source: FrameSource) -> Generator[Item, None, None]:
    """The same frames, made ready in another thread. A stream has a thread of its own, and a frame that waited for its
    turn would not be the newest."""
    return frames if source.once else prefetch(frames)


@contextmanager
def usual_end(source: FrameSource, run: _Counts) -> Iterator[None]:
    """Ctrl-C within is how a stream ends, once some of its frames are done."""
    try:
        yield
    except KeyboardInterrupt:
        if not (source.once and run.frames):
            raise


def said_dropped(source: FrameSource) -> str:
    return f"{source.dropped} dropped" if source.dropped else ""
