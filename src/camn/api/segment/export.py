"""Exports: opened together, and given frame by frame what was chosen for each. And those of masks that are there."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from camn.api.options import Notice, SegmentOptions
from camn.api.segment.choice import Choice
from camn.api.segment.exporters import check_wishes, exporter, exporters
from camn.api.segment.exporters.exporter import BACKGROUND, About, Exporter, Shown, Write
from camn.api.segment.exporters.zipped import in_one_file
from camn.api.segment.spans import Span, SpanSource
from camn.errors import ConfigError, MaskError, OutputError
from camn.files import writing
from camn.masks.ids import check_mask
from camn.masks.sizes import in_words
from camn.media.outputs import scratch
from camn.media.source import FrameSource, prefetch

MovieKind = Literal["overlay", "prores", "vp9"]
Masks = Callable[[int], np.ndarray | None]


@dataclass(frozen=True)
class Target:
    """An export that is to be written, and what of the video it shows. zipped: a folder as one file."""

    exporter: Exporter
    path: Path
    choice: Choice = Choice()
    zipped: bool = False

    def open(self, about: About) -> AbstractContextManager[Write]:
        """about: the whole video."""
        open = in_one_file(self.exporter) if self.zipped else self.exporter.open
        return open(self.path, self.choice.about(about))


def targets(folder: Path, options: SegmentOptions, remade: bool | None = None) -> list[Target]:
    """All that a run with these options writes below `folder`. remade: of it only what is made of joined masks, or only
    what is not."""
    found = exporters(options.outputs()).items()
    return [
        Target(one, folder / one.path, options.choice() if name in options.export else Choice())
        for name, one in found
        if remade in (None, one.remade)
    ]


@contextmanager
def opened(wanted: Iterable[Target], about: About) -> Iterator[Write]:
    """Takes each frame for all of them. Leaving the context ends every output, also after an error."""
    with ExitStack() as stack:
        writes = [(one.choice, stack.enter_context(one.open(about))) for one in wanted]
        choices = {choice: _table(choice) for choice, _ in writes}

        def write(shown: Shown) -> None:
            parts = {choice: _part(shown, choice, table) for choice, table in choices.items()}
            for choice, one in writes:
                if (part := parts[choice]) is not None:
                    one(part)

        yield write


def _table(choice: Choice) -> np.ndarray | None:
    """(256,) uint8: what each id becomes; None where all stay."""
    if choice.objects is None:
        return None
    table, kept = np.zeros(256, np.uint8), list(choice.objects)
    table[kept] = kept
    return table


def _part(shown: Shown, choice: Choice, table: np.ndarray | None) -> Shown | None:
    """What an export with this choice sees of a frame."""
    if not choice.holds(shown.index):
        return None
    return shown if table is None else replace(shown, ids=table[shown.ids], objects=choice.objects)


def export_masks(
    name: str,
    masks: Masks,
    path: str | Path,
    *,
    size: tuple[int, int],
    count: int | None = None,
    source: FrameSource | None = None,
    fps: Fraction | int = 24,
    video: str | None = None,
    ids: Iterable[int] | None = None,
    names: Mapping[int, str] | None = None,
    colours: Mapping[int, tuple[int, int, int]] | None = None,
    opacity: float = 0.5,
    background: str = BACKGROUND,
    objects: Iterable[int] | None = None,
    frames: tuple[int, int] | None = None,
    progress: Callable[[int], None] = lambda done: None,
    notice: Notice = lambda note: None,
) -> None:
    """One export of those of `camn.api.page_exports`, whole or not at all.

    masks: frame index -> (H, W) uint8 ids, None where there is none. path: of the file, see `Exporter.file` for its
    end; where the export is a folder, a zip of it if `path` ends with .zip, else a folder, which must be new or empty.
    size: of the masks, (H, W). count: frames that there are; the source's if None. source: of the frames, which some
    exports need; without it `count` is needed, and frames are called 000000, 000001, ... fps: where the source states
    none. video: its name, for exports that tell it; the source's own if None. ids, names, colours (RGB): of all
    objects, by id. opacity: of objects over the picture. background: of cut-outs over something: "#rrggbb", "blur", or
    the path of a picture. objects: ids of those that are shown; all if None. frames: first and last that are shown, 0
    being the video's first; all if None. progress: called with the frames done; what it raises ends the work, and then
    all is as it was. notice: called where a movie goes without the source's sound. Raises ConfigError, MaskError,
    VideoError, OutputError.
    """
    one, path, choice = exporter(name), Path(path), Choice.of(objects, frames)
    _need_possible(name, one, source, count)
    more = {"names": names or {}, "colours": colours or {}, "opacity": opacity, "background": background}
    more |= {"ids": tuple(() if ids is None else ids), "notice": notice} | ({"name": video} if video else {})
    about = about_video(size, source, fps, **more)
    check_wishes([name], opacity=opacity, background=background)
    choice.check(about.ids or choice.objects or (), count if source is None else source.count)
    one.check(choice.about(about))
    stop = choice.stop if count is None else min(count, choice.stop or count)
    if source is None:
        names_of = (f"{index:06d}" for index in range(choice.first, stop or 0))
        shown = named_frames(names_of, masks, size, choice.first)
    else:
        shown = seen_frames(SpanSource(source, Span(choice.first, stop)) if choice.first or stop else source, masks)
    zipped = bool(one.files) and path.suffix.lower() == ".zip"
    if one.files and not zipped:
        _need_new(path)
    elif path.is_dir():
        raise OutputError(f"{path}: is a folder; give the name of a file to write")
    with _whole(path) as made:
        write_exports([Target(one, made, choice, zipped)], about, shown, progress)


def need_of_masks(name: str, one: Exporter) -> None:
    """Raises ConfigError for an export that cannot be made of masks that are there."""
    if not one.of_masks:
        raise ConfigError(f"{name}: tells what the network said, so it is written in a run alone (camn segment)")


def _need_possible(name: str, one: Exporter, source: FrameSource | None, count: int | None) -> None:
    """Raises ConfigError."""
    need_of_masks(name, one)
    if one.needs == "frames" and source is None:
        raise ConfigError(f"{name}: shows the frames; give the source that they come from")
    if source is None and count is None:
        raise ConfigError(f"{name}: say how many frames there are (count), or give the source that they come from")


def _need_new(folder: Path) -> None:
    """Raises OutputError for what is there already, but an empty folder."""
    with writing(folder):
        if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
            raise OutputError(f"{folder}: is there already; give a new folder, or a name with .zip to have one file")


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Where to make a file or folder, so that `path` has it at the end; after an error all is as it was."""
    with scratch(path) as folder:
        made = folder / path.name
        yield made
        if not made.exists():
            raise OutputError(f"{path}: not written, as the video has none of the frames that were asked for")
        with writing(path):
            if path.is_dir():
                path.rmdir()
            made.replace(path)


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
    how: dict[str, Any] = {"fps": fps, "opacity": opacity, "colours": colours, "count": count}
    export_masks(kind, masks, path, size=source.size, source=source, **how, progress=progress, notice=notice)


def about_video(size: tuple[int, int], source: FrameSource | None, fps: Fraction | int, **more: Any) -> About:
    """size, fps: where there is no source, or it states none. more: fields of `About`."""
    if source is None:
        return About(size, fps, **more)
    known: dict[str, Any] = {"name": source.title} | more
    return About(source.size, source.fps or fps, source.time_base, aspect=source.aspect, sound=source.sound, **known)


def named_frames(
    names: Iterable[str], masks: Masks, size: tuple[int, int], start: int = 0
) -> Generator[Shown, None, None]:
    """Masks alone, for exports that need no more. size: (H, W). start: index of the first."""
    for index, name in enumerate(names, start):
        yield Shown(index, name, _filled(masks(index), size, index))


def seen_frames(source: FrameSource, masks: Masks, count: int | None = None) -> Generator[Shown, None, None]:
    """The frames with their masks, read ahead. count: at most so many."""
    with closing(prefetch(source)) as frames:
        for frame in islice(frames, count):
            yield Shown(frame.index, frame.name, _filled(masks(frame.index), source.size, frame.index), frame)


def write_exports(
    wanted: Iterable[Target],
    about: About,
    frames: Generator[Shown, None, None],
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """All in one pass. progress: called with the frames done."""
    with opened(wanted, about) as write, closing(frames):
        for done, shown in enumerate(frames, 1):
            write(shown)
            progress(done)


def _filled(ids: np.ndarray | None, size: tuple[int, int], index: int) -> np.ndarray:
    """Raises MaskError for what is no mask of this size."""
    if ids is None:
        return np.zeros(size, np.uint8)
    if (ids := check_mask(ids)).shape != size:
        raise MaskError(f"the mask of frame {index} is {in_words(ids.shape)}, and the frames are {in_words(size)}")
    return ids
