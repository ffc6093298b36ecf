"""Exports of a finished run, without segmenting again."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camn.api.options import Notice, Progress, Report, rate_of
from camn.api.segment.choice import Choice
from camn.api.segment.export import Masks, Target, about_video, named_frames, need_of_masks, seen_frames, write_exports
from camn.api.segment.exporters import check_wishes, exporters, nameless
from camn.api.segment.exporters.exporter import BACKGROUND, LEGEND, About, Exporter, Shown
from camn.api.segment.exporters.legend import legend, write_legend
from camn.api.segment.finished import FinishedRun, read_run
from camn.api.segment.folder import settle
from camn.api.segment.outputs import need_no_room
from camn.api.segment.spans import Span, SpanSource
from camn.errors import ConfigError, DataError, OutputError
from camn.files import alone, leftovers, path_of, to_json, writing
from camn.media.outputs import scratch
from camn.media.source import FrameSource

_MADE = "export"  # what the hidden folder is called after in which exports are made


@dataclass(frozen=True)
class Exported:
    """outputs: the files and folders that were written. frames: how many they show. notes: what the user should
    know."""

    folder: Path
    outputs: tuple[Path, ...]
    frames: int
    notes: tuple[str, ...] = ()


def export_run(
    run: str | Path,
    to: str | Sequence[str],
    out: str | Path | None = None,
    *,
    video: str | Path | None = None,
    objects: Iterable[int] | None = None,
    frames: tuple[int, int] | None = None,
    background: str = BACKGROUND,
    opacity: float = 0.5,
    partial: bool = False,
    overwrite: bool = False,
    progress: Report = lambda progress: None,
    notice: Notice = lambda note: None,
) -> Exported:
    """Exports of the masks that a run left in its folder; the network is not asked again.

    run: the folder that `segment_video` wrote to. to: one or more of `camn.api.page_exports`. out: folder to write to;
    the run's own if None. video: where the run's video is now, if it was moved. objects: ids of those that are shown;
    all if None. frames: first and last that are shown, 0 being the video's first; all if None. background, opacity: as
    for `export_masks`. partial: take a run that came to no end, as far as it came. overwrite: replace exports that are
    there. progress: called after each frame. notice: called with what the user should know.

    All of them are written, or none. Beside exports that lose what objects are called lies objects.json. Raises
    CamnError, before anything is written where that can be known: DataError for what is no finished run or lacks masks,
    VideoError, ConfigError, OutputError.
    """
    chosen = exporters(dict.fromkeys([to] if isinstance(to, str) else to))
    if not chosen:
        raise ConfigError("name one export or more, as overlay or matte-png")
    for name, one in chosen.items():
        need_of_masks(name, one)
    settle(place := path_of(run, DataError, "give the folder of a run"))
    found = read_run(place, partial)
    folder = found.folder if out is None else path_of(out, OutputError, "give that of a folder to write to")
    need_no_room(folder)
    said = list(found.notes)

    def tell(note: str) -> None:
        said.append(note)
        notice(note)

    for note in found.notes:
        notice(note)
    wants_frames = any(one.needs == "frames" for one in chosen.values())
    source = found.open_video(video) if wants_frames or video is not None else None
    more = {"opacity": opacity, "background": background, "notice": tell}
    about, choice = _about(found, source, more), Choice.of(objects, frames)
    check_wishes(chosen, opacity=opacity, background=background)
    choice.check(about.ids, len(found.masks))
    for one in chosen.values():
        one.check(choice.about(about))
    with alone(folder):
        _tidy(folder)
        _refuse(found, folder, chosen, about, overwrite)
        _spare(Path(video or found.video), [folder / one.path for one in chosen.values()])
        with scratch(folder / _MADE) as made:
            targets = [Target(one, made / one.path, choice) for one in chosen.values()]
            count = _write(found, source, targets, about, choice, progress)
            if nameless(chosen):
                write_legend(made, about)
            outputs = _place(made, folder)
    return Exported(folder, outputs, count, tuple(said))


def _about(found: FinishedRun, source: FrameSource | None, more: Mapping[str, object]) -> About:
    if source is None:  # as the record has it
        more = {"name": found.video.stem, **more}
    return about_video(found.size, source, rate_of(found.fps), **found.objects, **more)


def _refuse(found: FinishedRun, folder: Path, chosen: Mapping[str, Exporter], about: About, overwrite: bool) -> None:
    """Raises OutputError where something would be replaced that is not to be."""
    if "masks" in chosen and os.path.realpath(folder) == os.path.realpath(found.folder):
        raise OutputError(f"{folder / chosen['masks'].path}: are the run's own masks; give another folder by --out")
    taken = [folder / one.path for one in chosen.values() if os.path.lexists(folder / one.path)]
    beside = folder / LEGEND
    if nameless(chosen) and os.path.lexists(beside) and _content(beside) != to_json(legend(about)):
        taken.append(beside)
    if taken and not overwrite:
        raise OutputError(f"{taken[0]}: is there already; --overwrite replaces it, --out FOLDER writes elsewhere")


def _spare(video: Path, outputs: Iterable[Path]) -> None:
    """Raises OutputError where an output would take the place of the video, also if something may be replaced."""
    for path in outputs if os.path.exists(video) else ():
        if Path(os.path.realpath(video)).is_relative_to(os.path.realpath(path)):
            raise OutputError(f"{path}: would replace the video of the run, {video}; give another folder by --out")


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write(
    found: FinishedRun,
    source: FrameSource | None,
    targets: Sequence[Target],
    about: About,
    choice: Choice,
    progress: Report,
) -> int:
    """How many frames were written. Raises DataError where the video has others than the run, or nothing is shown."""
    count, started = len(found.masks), time.monotonic()
    stop = min(count, choice.stop or count)
    total, shows, seen = stop - choice.first, False, 0
    wanted = None if choice.objects is None else list(choice.objects)

    def mask(index: int) -> np.ndarray | None:
        nonlocal shows
        ids = found.mask(index)
        shows = shows or (ids is not None and bool(ids.any() if wanted is None else np.isin(ids, wanted).any()))
        return ids

    def tell(done: int) -> None:
        nonlocal seen
        seen = done
        progress(Progress(done, total, time.monotonic() - started))

    whole = total == count and not found.partial  # to its end: a video that goes on behind the masks is another one
    span = Span() if whole else Span(choice.first, stop)
    write_exports(targets, about, _frames(found, source, mask, span), tell)
    if seen != total:
        assert source is not None
        raise found.other(source.place, f"{seen} frames could be read, and the run has {total}")
    if not shows:
        which = "no mask of an object" if wanted is None else f"no mask of object {', '.join(map(str, sorted(wanted)))}"
        raise DataError(f"{found.folder}: has {which} on these frames, so there is nothing to export; choose others")
    return total


def _frames(found: FinishedRun, source: FrameSource | None, mask: Masks, span: Span) -> Generator[Shown, None, None]:
    if source is not None:
        return seen_frames(source if span.whole else SpanSource(source, span), mask)
    names = [file.stem for file in found.masks[span.start : span.stop]]
    return named_frames(names, mask, found.size, span.start)


def _place(made: Path, folder: Path) -> tuple[Path, ...]:
    """What was made takes its place in the folder, and of what was there: all of it, or after an error nothing."""
    outputs, former = [], made / f"{_MADE}.former"
    with writing(folder), ExitStack() as undo:
        for path in sorted(made.iterdir()):
            place = folder / path.name
            if os.path.lexists(place):
                former.mkdir(exist_ok=True)
                place.replace(former / path.name)
                undo.callback((former / path.name).replace, place)
            path.replace(place)
            undo.callback(place.replace, path)
            outputs.append(place)
        undo.pop_all()
    return tuple(outputs)


def _tidy(folder: Path) -> None:
    """What an export that was killed left behind."""
    with writing(folder):
        for path in folder.glob(leftovers(f"{_MADE}.folder")):
            shutil.rmtree(path)
