"""The log of a batch: what every worker said of every video, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from camn.cluster.folders import OutputFolder
from camn.cluster.places import is_url
from camn.files import ODD, encoded, writing

Log = Callable[[str], None]


@contextmanager
def open_log(folder: OutputFolder, name: str) -> Iterator[Log]:
    """Yields what takes a line, to which the time is added. On this machine lines are appended at once; behind a URL,
    where nothing can be appended, they are written at the end, into a file of this run. Raises OutputError."""
    if is_url(folder.path):
        lines: list[str] = []
        started = _now().replace(":", "")
        try:
            yield lambda line: lines.append(f"{_now()} {line}\n")
        finally:
            folder.write(f"{name.removesuffix('.txt')}-{started}.txt", encoded("".join(lines)))
        return
    path = Path(folder.path) / name
    with writing(path):
        file = path.open("a", encoding="utf-8", errors=ODD, buffering=1)
    with file:
        yield lambda line: print(_now(), line, file=file)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
