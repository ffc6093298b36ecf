"""Text that waits in nameless files until it is known what stands before it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from camn.files import writing


class Spill:
    """Nameless files beside `path`, which vanish with the process. They are made at the first text.

    What counts of each is up to an end that the caller keeps, so that a text which was not written whole is none.
    """

    def __init__(self, path: Path, count: int = 1) -> None:
        self._path, self._count = path, count
        self._files: tuple[BinaryIO, ...] = ()

    def append(self, ends: Sequence[int], texts: Sequence[bytes]) -> tuple[int, ...]:
        """One text for each file, behind what ends there -> where they end now. Raises OutputError."""
        with writing(self._path):
            if not self._files:
                self._files = tuple(tempfile.TemporaryFile(dir=self._path.parent) for _ in range(self._count))  # noqa: SIM115
            for file, end, text in zip(self._files, ends, texts, strict=True):
                file.seek(end)
                file.write(text)
                file.flush()
        return tuple(end + len(text) for end, text in zip(ends, texts, strict=True))

    def copy(self, number: int, end: int, target: BinaryIO) -> None:
        """All that counts of a file, to another."""
        if self._files:
            self._files[number].truncate(end)
            self._files[number].seek(0)
            shutil.copyfileobj(self._files[number], target)

    def read(self, number: int, start: int, end: int) -> bytes:
        """A piece of a file."""
        self._files[number].seek(start)
        return self._files[number].read(end - start)

    def close(self) -> None:
        for file in self._files:
            with suppress(OSError):  # of what did not fit, which nobody wants any more
                file.close()
