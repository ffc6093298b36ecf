"""The live table of a batch on stderr: on a terminal it stands, else there is a line every few seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from camn.cluster.batch import Tally

EVERY = 5.0  # seconds between lines
ROWS = 20  # of workers, at most


@contextmanager
def batch_board() -> Iterator[Callable[[Tally], None]]:
    """Yields what is to be called with each Tally."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.live import Live

    live = Live(console=Console(stderr=True), refresh_per_second=4)

    def show(tally: Tally) -> None:
        live.start()  # not sooner: while it stands, rich would take stdout's lines, too
        live.update(_table(tally))

    try:
        yield show
    finally:
        with suppress(OSError):  # the terminal may have been closed
            live.stop()


def describe(tally: Tally) -> str:
    """`12 of 300 done, 2 running, 1 failed, 0.50 videos/s, 31.2 frames/s, 0:09:36 left`"""
    seconds = max(tally.seconds, 1e-9)
    left = f", {timedelta(seconds=round(tally.left))} left" if tally.left is not None else ""
    return (
        f"{tally.done} of {tally.total} done, {len(tally.running)} running, {len(tally.failed)} failed, "
        f"{tally.ended / seconds:.2f} videos/s, {tally.frames_so_far / seconds:.2f} frames/s{left}"
    )


def _lines() -> Callable[[Tally], None]:
    said = -EVERY

    def show(tally: Tally) -> None:
        nonlocal said
        if tally.seconds - said >= EVERY or tally.ended == tally.total:
            said = tally.seconds if tally.ended < tally.total else float("inf")
            print(f"batch: {describe(tally)}", file=sys.stderr, flush=True)

    return show


def _table(tally: Tally) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None)
    table.add_column("worker", justify="right")
    table.add_column("video")
    table.add_column("frames", justify="right")
    working = sorted(tally.running.items())
    for worker, (name, frames) in working[:ROWS]:
        table.add_row(str(worker), Text(name), str(frames))
    more = [Text(f"  and {len(working) - ROWS} more workers")] * (len(working) > ROWS)
    failed = [Text(f"failed: {name}: {reason.splitlines()[0]}", "red") for name, reason in [*tally.failed.items()][-3:]]
    return Group(Text(describe(tally), "bold"), table, *more, *failed)
