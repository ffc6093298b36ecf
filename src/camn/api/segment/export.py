"""Exports of masks that are there already: of a project, of a run, of the joined parts of a video."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, closing, suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from camn.api.options import Notice
from camn.api.segment.exporters import exporter
from camn.api.segment.exporters.exporter import About, Opener, Shown
from camn.errors import ConfigError
from camn.media.source import FrameSource, prefetch

MovieKind = Literal["overlay", "prores", "vp9"]
Masks = Callable[[int], np.ndarray | None]


def export_masks(
    name: str,
    masks: Masks,
    path: str | Path,
    *,
    size: tuple[int, int],
    count: int | None = None,
    source: FrameSource | None = None,
    fps: Fraction | int = 24,
    names: Mapping[int, str] | None = None,
    colours: Mapping[int, tuple[int, int, int]] | None = None,
    opacity: float = 0.5,
    progress: Callable[[int], None] = lambda done: None,
    notice: Notice = lambda note: None,
) -> None:
    """One file by one of `camn.api.page_exports`, whole or not at all.

    masks: frame index -> (H, W) uint8 ids, None where there is none. path: see `Exporter.file` for its end. size: of
    the masks, (H, W). count: stop after so many frames. source: of the frames, which some exports need; without it
    `count` is needed, and frames are called 000000, 000001, ... fps: where the source states none. names, colours
    (RGB): of objects, by id. progress: called with the frames done; what it raises ends the work, and then no file is
    left. notice: called where a movie goes without the source's sound. Raises ConfigError, VideoError, OutputError.
    """
    found, path = exporter(name), Path(path)
    if not found.of_masks:
        raise ConfigError(f"{name}: tells what the network said, so it is written in a run alone (camn segment)")
    if found.needs == "frames" and source is None:
        raise ConfigError(f"{name}: shows the frames; give the source that they come from")
    if source is None and count is None:
        raise ConfigError(f"{name}: say how many frames there are (count), or give the source that they come from")
    about = about_video(size, source, fps, names=names or {}, colours=colours or {}, opacity=opacity, notice=notice)
    if source is None:
        frames = named_frames((f"{index:06d}" for index in range(count or 0)), masks, size)
    else:
        frames = seen_frames(source, masks, count)
    try:
        write_exports([(found.packed or found.open, path)], about, frames, progress)
    except BaseException:
        with suppress(IsADirectoryError):  # a folder's files are whole, each by itself
            path.unlink(missing_ok=True)
        raise


def write_movie(
    kind: MovieKind,
    source: FrameSource,
    masks: Masks,
    path: str | Path,
    *,
    fps: Fraction | int = 24,
    opacity: float = 0.5,
    colours: Mapping[int, tuple[int, int, int]] | None = None,
    count: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
    notice: Notice = lambda note: None,
) -> None:
    """overlay: H.264, objects tinted. prores (4444), vp9: the objects' colours with alpha, one pixel soft at the edge.

    path: with the end .mp4, .mov or .webm. All else as for `export_masks`.
    """
    export_masks(
        kind,
        masks,
        path,
        size=source.size,
        count=count,
        source=source,
        fps=fps,
        colours=colours,
        opacity=opacity,
        progress=progress,
        notice=notice,
    )


def about_video(size: tuple[int, int], source: FrameSource | None, fps: Fraction | int, **more: Any) -> About:
    """size, fps: where there is no source, or it states none. more: fields of `About`."""
    if source is None:
        return About(size, fps, **more)
    return About(source.size, source.fps or fps, source.time_base, aspect=source.aspect, sound=source.sound, **more)


def named_frames(names: Iterable[str], masks: Masks, size: tuple[int, int]) -> Generator[Shown, None, None]:
    """Masks alone, for exports that need no more. size: (H, W)."""
    for index, name in enumerate(names):
        yield Shown(index, name, _filled(masks(index), size))


def seen_frames(source: FrameSource, masks: Masks, count: int | None = None) -> Generator[Shown, None, None]:
    """The frames with their masks, read ahead. count: at most so many."""
    with closing(prefetch(source)) as frames:
        for frame in islice(frames, count):
            yield Shown(frame.index, frame.name, _filled(masks(frame.index), source.size), frame)


def write_exports(
    outputs: Iterable[tuple[Opener, Path]],
    about: About,
    frames: Generator[Shown, None, None],
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """All in one pass. progress: called with the frames done."""
    with ExitStack() as stack:
        writes = [stack.enter_context(open(path, about)) for open, path in outputs]
        for done, shown in enumerate(stack.enter_context(closing(frames)), 1):
            for write in writes:
                write(shown)
            progress(done)


def _filled(ids: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
    return np.zeros(size, np.uint8) if ids is None else ids
