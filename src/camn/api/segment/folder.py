"""The output folder while a run writes to it: it is that run's alone, and former results stay until the new ones are
whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from camn.api.options import Notice
from camn.api.segment.outputs import HIDDEN, KEPT, RUN_RECORD, former_run, patterns
from camn.files import alone, writing
from camn.media.outputs import prepare_output

UNFINISHED = "unfinished"  # what a run did that came to no end, where a former run's results stay
# Folders within it, in the order in which new results take the place of former ones. Each step is a renaming, so that
# after a kill the names that are there tell how far it was.
_MADE = f"{HIDDEN}new"  # the run writes here
_WHOLE = f"{HIDDEN}whole"  # it has ended: what is there makes way
_PLACED = f"{HIDDEN}placed"  # all of that has: what is new takes its place
_FORMER = f"{HIDDEN}former"  # what made way, and then goes


@contextmanager
def run_folder(folder: Path, notice: Notice = lambda note: None) -> Iterator[Path]:
    """Yields the folder to write to: `folder` itself, or, where outputs lie there already, one within it, whose content
    takes their place at the end. After an error these stay, and what was written is kept in `UNFINISHED`, which
    `notice` is told. Files that no run wrote stay. What the run keeps to be taken up again goes when it has ended.

    Raises OutputError, also where another run writes there.
    """
    with alone(folder):
        prepare_output(folder)
        with writing(folder):
            _settle(folder)
            if (folder / _MADE).exists():  # of a run that was killed
                shutil.rmtree(folder / _MADE)
            if any(path.is_dir() and (path.is_symlink() or path.is_mount()) for path in _tops(folder)):
                _clear(folder)
        if not any(path for pattern in patterns() for path in folder.glob(pattern)):
            yield folder
            drop_kept(folder)
            return
        made = prepare_output(folder / _MADE)
        try:
            yield made
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                _keep(folder, notice)
            raise
        with writing(folder):
            made.rename(folder / _WHOLE)
            try:
                _settle(folder)
            finally:
                _settle(folder)  # again, as Ctrl-C may have come between two steps
        drop_kept(folder)


def settle(folder: Path) -> None:
    """Ends what a kill left half done when a run's results took the place of former ones: until then the folder tells
    of a run whose files are not there. Raises OutputError, also where another run writes there."""
    if any((folder / name).exists() for name in (_WHOLE, _PLACED, _FORMER)):
        with alone(folder), writing(folder):
            _settle(folder)


def drop_kept(folder: Path) -> None:
    """Of a run that has ended."""
    shutil.rmtree(folder / KEPT, ignore_errors=True)


def _settle(folder: Path) -> None:
    """What is whole takes its place; does nothing where all is done. Also after a kill in the middle of it."""
    whole, placed, former = (folder / name for name in (_WHOLE, _PLACED, _FORMER))
    if whole.exists():
        former.mkdir(exist_ok=True)
        for path in {*_tops(folder), *(folder / path.name for path in whole.iterdir())}:
            if os.path.lexists(path):
                path.rename(former / path.name)
        whole.rename(placed)
    if placed.exists():
        for path in list(placed.iterdir()):
            path.rename(folder / path.name)
        if former_run(folder / UNFINISHED):  # of a run before this one
            shutil.rmtree(folder / UNFINISHED)
        placed.rmdir()
    if former.exists():
        _give_back(former, folder)
        for path in _own(former):  # the record, which says whose files these are, goes last
            path.unlink()
        shutil.rmtree(former)


def _give_back(former: Path, folder: Path) -> None:
    """What no run wrote goes back to where it was, unless something new is there."""
    own = set(_own(former))
    for path in list(former.rglob("*")):
        place = folder / path.relative_to(former)
        if path not in own and not _is_room(path) and not os.path.lexists(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            path.rename(place)


def _clear(folder: Path) -> None:
    """Of a former run's outputs, at once: where they lie in a folder that is a disk of its own, or elsewhere by a link,
    nothing can take its place."""
    for path in _own(folder):
        path.unlink()
    rooms = {room for pattern in patterns() for room in Path(pattern).parents if room.name}
    for room in sorted(map(str, rooms), reverse=True):  # inner ones first
        for path in folder.glob(room):
            with suppress(OSError):  # holds something else, or is none
                path.rmdir()


def _own(folder: Path) -> list[Path]:
    """The files of a former run, its record last; none where none ran."""
    found = {path for pattern in patterns() for path in folder.glob(pattern)} if former_run(folder) else set()
    return sorted(found, key=lambda path: path == folder / RUN_RECORD)


def _tops(folder: Path) -> set[Path]:
    """What lies in the folder and has the name of an output."""
    return {path for pattern in patterns() for path in folder.glob(Path(pattern).parts[0])}


def _keep(folder: Path, notice: Notice) -> None:
    """Of a run that came to no end, beside a former one."""
    made, kept = folder / _MADE, folder / UNFINISHED
    if all(path.name == RUN_RECORD or _is_room(path) for path in made.rglob("*")):
        shutil.rmtree(made)
        return
    if former_run(kept):
        shutil.rmtree(kept)
    if kept.exists():  # somebody else's
        kept = made
    else:
        made.rename(kept)
    notice(f"{folder}: keeps the results of the run before; what this one wrote so far is in {kept}")


def _is_room(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
