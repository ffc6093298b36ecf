"""A bar that shows how far something has come: in a notebook below its cell, on a terminal, else as lines on stderr."""

from __future__ import annotations

import html
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from camn.api import Progress

EVERY = 5.0  # seconds between lines


class ProgressBar:
    """To be called with each Progress. It ends with a `with` block, or when it is dropped."""

    def __init__(self, show: Callable[[Progress], None], end: Callable[[], None]):
        self._show, self._end = show, weakref.finalize(self, end)

    def __call__(self, progress: Progress) -> None:
        self._show(progress)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()


def progress_bar(what: str = "", unit: str = "frames") -> ProgressBar:
    """What to give as `progress` to show a bar:

        camn.segment_video("clip.mp4", "first.png", "out", progress=camn.progress_bar())

    what: the words before the bar. unit: what is counted.
    """
    if _in_notebook():
        return ProgressBar(_cell(what, unit), lambda: None)
    if sys.stderr is None:  # of a program without a console, or where it was closed
        return ProgressBar(lambda progress: None, lambda: None)
    if sys.stderr.isatty():
        return ProgressBar(*_terminal(what, unit))
    return ProgressBar(_lines(what, unit), lambda: None)


def _in_notebook() -> bool:
    """Whether this process shows what it displays in a notebook; an IPython on a terminal has no kernel."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _cell(what: str, unit: str) -> Callable[[Progress], None]:
    """HTML, which every notebook shows, also one that was saved: it needs no widgets."""
    from IPython.display import HTML, display

    handle: Any = None

    def show(progress: Progress) -> None:
        nonlocal handle
        share = f' value="{progress.done}" max="{_total(progress)}"' if progress.total else ""
        said = html.escape(f"{what} {describe(progress, unit)}".strip())
        bar = HTML(f"<progress{share}></progress> {said}")
        if handle is None:
            handle = display(bar, display_id=True)
        else:
            handle.update(bar)

    return show


def _terminal(what: str, unit: str) -> tuple[Callable[[Progress], None], Callable[[], None]]:
    """What shows it, and what ends it."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),  # names of videos may have brackets
        BarColumn(),
        TextColumn("{task.fields[said]}", markup=False),
    )
    bar = Bar(*columns, console=Console(stderr=True))
    task = bar.add_task(what, total=None, said="")

    def show(progress: Progress) -> None:
        bar.start()  # not sooner: while it stands, rich would take stdout's lines, too
        total = _total(progress) if progress.total else None
        bar.update(task, completed=progress.done, total=total, said=describe(progress, unit))

    def end() -> None:
        with suppress(OSError):  # the terminal may have been closed
            bar.stop()

    return show, end


def _lines(what: str, unit: str) -> Callable[[Progress], None]:
    said = -EVERY

    def show(progress: Progress) -> None:
        nonlocal said
        if progress.seconds < said:  # a command may do several things, each with a clock of its own
            said = -EVERY
        if progress.seconds - said >= EVERY or progress.done == progress.total:
            said = progress.seconds
            print(f"{what}: {describe(progress, unit)}".removeprefix(": "), file=sys.stderr, flush=True)

    return show


def _total(progress: Progress) -> int:
    """An estimate may be less than what there is."""
    return max(progress.total or 0, progress.done)


def describe(progress: Progress, unit: str) -> str:
    """`12/300 frames, 2.31 frames/s, 0:02:05 left`, and the note."""
    total = f"/{progress.total}" if progress.total else ""
    left = f", {timedelta(seconds=round(progress.left))} left" if progress.left is not None else ""
    note = f", {progress.note}" if progress.note else ""
    return f"{progress.done}{total} {unit}, {progress.rate:.2f} {unit}/s{left}{note}"
