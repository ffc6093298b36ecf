"""Progress of a command on stderr: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from camn.api import Progress

EVERY = 5.0  # seconds between lines


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Callable[[Progress], None]]:
    """Yields what is to be called with each Progress."""
    if not sys.stderr.isatty():
        yield _lines(what, unit)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
    )
    bar = Bar(*columns, console=Console(stderr=True))
    task = bar.add_task(what, total=None, said="")

    def show(progress: Progress) -> None:
        bar.start()  # not sooner: while it stands, rich would take stdout's lines, too
        total = max(progress.total, progress.done) if progress.total else None
        bar.update(task, completed=progress.done, total=total, said=describe(progress, unit))

    try:
        yield show
    finally:
        with suppress(OSError):  # the terminal may have been closed
            bar.stop()


def _lines(what: str, unit: str) -> Callable[[Progress], None]:
    said = -EVERY

    def show(progress: Progress) -> None:
        nonlocal said
        if progress.seconds < said:  # a command may do several things, each with a clock of its own
            said = -EVERY
        if progress.seconds - said >= EVERY or progress.done == progress.total:
            said = progress.seconds
            print(f"{what}: {describe(progress, unit)}", file=sys.stderr, flush=True)

    return show


def describe(progress: Progress, unit: str) -> str:
    """`12/300 frames, 2.31 frames/s, 0:02:05 left`, and the note."""
    total = f"/{progress.total}" if progress.total else ""
    left = f", {timedelta(seconds=round(progress.left))} left" if progress.left is not None else ""
    note = f", {progress.note}" if progress.note else ""
    return f"{progress.done}{total} {unit}, {progress.rate:.2f} {unit}/s{left}{note}"
