"""Compiled parts on disk: made once, found again by the next run."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from camn.errors import OutputError
from camn.files import replacing, take_lock, write_whole

Loaded = TypeVar("Loaded")
LIMIT = 4 << 30  # bytes of all files together; those that were used longest ago go first


def cache_folder() -> Path:
    """CAMN_CACHE, else XDG_CACHE_HOME/camn, else ~/.cache/camn. Its files are run as code: let no one else write it."""
    if own := os.environ.get("CAMN_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "camn"


class Cache:
    """Files by key in one folder. What is damaged, or cannot be loaded, is made anew; no file is ever half-written, and
    several processes may use the folder at the same time. One that cannot be written to is warned of, once, and done
    without.

    limit: bytes that all files may take together; the file last made stays, however large.
    """

    def __init__(self, folder: Path | None = None, limit: int = LIMIT):
        self.folder = folder or cache_folder()
        self.limit = limit
        self._warned = False

    def load(self, key: str, suffix: str, make: Callable[[Path], None], load: Callable[[Path], Loaded]) -> Loaded:
        """What `load` makes of the file of `key`, which `make` writes first where there is none, or none that loads.

        The file's name ends with a digest of its content, by which damage is noticed.
        """
        for path in self.find(key, suffix):
            with suppress(Exception):  # whatever is wrong with it, a new one is made
                if path.stem.endswith(_digest(path)):
                    loaded = load(path)
                    with suppress(OSError):
                        os.utime(path)  # used now
                    return loaded
            with suppress(OSError):
                path.unlink()
        return self._new(key, suffix, make, load)

    def _new(self, key: str, suffix: str, make: Callable[[Path], None], load: Callable[[Path], Loaded]) -> Loaded:
        with tempfile.TemporaryDirectory(prefix="camn-") as folder:
            made = Path(folder) / f"{key}{suffix}"
            make(made)
            loaded = load(made)
            with self._or_without():
                path = self.folder / f"{key}-{_digest(made)}{suffix}"
                self._prepare()
                with replacing(path) as part:
                    part.write_bytes(made.read_bytes())
                self._trim(path)
        return loaded

    def find(self, key: str, suffix: str) -> list[Path]:
        """Files of `key`, whole or not."""
        with suppress(OSError):
            return sorted(self.folder.glob(f"{key}-*{suffix}"))
        return []

    def read_facts(self, key: str) -> dict[str, Any]:
        """What `write_facts` was given; empty where there is none that can be read."""
        with suppress(OSError, ValueError):
            facts = json.loads((self.folder / f"{key}.json").read_bytes())
            return facts if isinstance(facts, dict) else {}
        return {}

    def write_facts(self, key: str, facts: dict[str, Any]) -> None:
        with self._or_without():
            self._prepare()
            write_whole(self.folder / f"{key}.json", json.dumps(facts).encode())

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Others who make the same wait meanwhile, where the system can do that; at worst it is made twice."""
        try:
            self._prepare()
            file = (self.folder / f".lock-{hashlib.sha256(key.encode()).hexdigest()[0]}").open("wb")
        except OSError:
            yield
            return
        with file:
            take_lock(file, wait=True)
            yield  # closing the file unlocks it

    def _prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def _or_without(self) -> Iterator[None]:
        try:
            yield
        except (OSError, OutputError) as error:
            if not self._warned:
                warnings.warn(
                    f"nothing can be kept in {self.folder} ({error}), so that compiled networks are made anew each "
                    "time; set CAMN_CACHE to a folder that can be written to",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self._warned = True

    def _trim(self, newest: Path) -> None:
        """Remove files used longest ago, those that killed processes left among them, until all fit."""
        files = []
        for path in self.folder.iterdir():
            with suppress(OSError):  # another process may have removed it
                if not path.name.startswith(".lock-"):
                    files.append((path.stat().st_mtime, path.stat().st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.limit:
                return
            if path != newest:
                with suppress(OSError):
                    path.unlink()
                    total -= size


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
