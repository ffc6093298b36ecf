"""Writing results: folders, JSON, mask PNGs, and a thread that does it."""

from __future__ import annotations

import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from camn import masks
from camn.errors import OutputError
from camn.files import ClosedAtEnd, temporary, to_json, write_whole, writing


def prepare_output(folder: str | Path) -> Path:
    """Makes the folder and its parents, and tries to write in it. Raises OutputError, before any work is done."""
    folder = Path(folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"camn")
            file.flush()
    return folder


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path`, to make that in; what is left in it goes at the end. Raises OutputError; what was
    raised of files in the folder names them by the place that they were for."""
    folder = temporary(path.with_name(f"{path.name}.folder"))
    try:
        with writing(folder):
            folder.mkdir(parents=True)
        yield folder
    except OutputError as error:
        raise type(error)(str(error).replace(str(folder), str(path.parent))) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_json(path: str | Path, content: Any) -> None:
    """A JSON file, UTF-8, indented, whole or not at all. Raises OutputError; TypeError for what JSON cannot hold."""
    write_whole(Path(path), to_json(content))


class MaskWriter:
    """Id masks as palette PNGs, one per frame: `folder`/NAME.png."""

    def __init__(self, folder: str | Path):
        self.folder = prepare_output(folder)

    def write(self, name: str, ids: np.ndarray) -> Path:
        """ids (H, W) uint8. Raises OutputError."""
        path = self.folder / f"{name}.png"
        masks.write_palette_png(path, ids)
        return path


class WriterThread(ClosedAtEnd):
    """Runs jobs in order in one background thread, so that encoding overlaps with other work.

    depth: how many jobs may wait; `submit` blocks beyond that, so memory stays flat. The first error of a job is raised
    by the next `submit` or by `close`; the jobs behind it are dropped. As a context manager it closes at the end; jobs
    already submitted are finished even when its body fails, and the body's error is the one that is seen.
    """

    def __init__(self, depth: int = 4):
        self._jobs: queue.Queue[tuple[Callable[..., Any], tuple[Any, ...]] | None] = queue.Queue(max(1, depth))
        self._error: BaseException | None = None
        self._failed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camn-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[..., Any], *arguments: Any) -> None:
        """Queues job(*arguments); the arguments must not be changed afterwards. Raises what an earlier job raised."""
        if not self._thread.is_alive():
            raise ValueError("submit() on a closed WriterThread")
        self._raise()
        self._jobs.put((job, arguments))

    def close(self) -> None:
        """Waits for all jobs. Raises the first error not raised yet. Closing again does nothing."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self._raise()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self) -> None:
        while (work := self._jobs.get()) is not None:
            if self._failed.is_set():
                continue
            job, arguments = work
            try:
                job(*arguments)
            except BaseException as error:  # whatever it is, it belongs to the caller
                self._error = error
                self._failed.set()
