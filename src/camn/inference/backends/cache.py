"""Compiled parts on disk: made once, found again by the next run."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from camn.errors import OutputError
from camn.files import cache_folder, is_file, private_cache, replacing, take_lock, write_whole

Loaded = TypeVar("Loaded")
LIMIT = 4 << 30  # bytes of all files together; those that were used longest ago go first


def _not_ours(path: Path) -> str:
    """Why another user may have put code there; empty where none may, and where nothing is there."""
    try:
        found = path.lstat()
    except OSError:
        return ""
    if not hasattr(os, "geteuid"):  # not a system with such owners and modes
        return ""
    if stat.S_ISLNK(found.st_mode):
        return "it is a link"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    return "others may write to it" if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) else ""


class Cache:
    """Files by key in one folder. What is damaged, or cannot be loaded, is made anew; no file is ever half-written, and
    several processes may use the folder at the same time. One that cannot be written to is warned of, once, and done
    without. The files are run as code, so they and the folder must be the user's own and no one else's to write; in
    place of another folder, which is warned of, a private one serves until the process ends.

    limit: bytes that all files may take together; the file last made stays, however large.
    """

    def __init__(self, folder: Path | None = None, limit: int = LIMIT):
        self._asked = folder or cache_folder()
        self.limit = limit
        self._warned: set[str] = set()

    @property
    def folder(self) -> Path:
        """Looked at each time: it may be made by another while we run."""
        if not (why := _not_ours(self._asked)):
            return self._asked
        self._warn(
            f"{self._asked}: {why}, and what lies there would be run as code: compiled networks are kept in a private "
            "folder, and made anew in each process; take the rights from others (chmod 700), or set CAMN_CACHE to a "
            "folder of yours alone"
        )
        return Path(private_cache().name)

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
                    part.chmod(0o600)
                self._trim(path)
        return loaded

    def find(self, key: str, suffix: str) -> list[Path]:
        """Files of `key`, whole or not, but for those that another may have put there."""
        with suppress(OSError):
            return sorted(p for p in self.folder.glob(f"{key}-*{suffix}") if is_file(p) and not _not_ours(p))
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
            self._warn(
                f"nothing can be kept in {self._asked} ({error}), so that compiled networks are made anew each time; "
                "set CAMN_CACHE to a folder that can be written to",
                "kept",
            )

    def _warn(self, said: str, kind: str = "") -> None:
        """Once of each kind."""
        if kind not in self._warned:
            self._warned.add(kind)
            warnings.warn(said, RuntimeWarning, stacklevel=3)

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
