"""Where videos come from and outputs go to: this machine's folders, or what fsspec reaches (s3://, gs://, sftp://)."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from camn.errors import CamnError, DataError, OutputError
from camn.files import write_whole, writing

# What storages call that which changes when a file does.
_CHANGES = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "updated", "modified")


class OutputFolder(Protocol):
    """The folder of all outputs. Names are relative to it, with / between their parts."""

    path: str

    def read(self, name: str) -> bytes | None:
        """A file's content, None if there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """A file, whole or not at all. Raises OutputError."""
        ...

    def remove(self, name: str) -> None:
        """A file or a folder with all in it, if there is one."""
        ...

    def making(self, name: str) -> Any:
        """Context: a new local folder, which becomes the folder `name` at the end, in place of the one before, or is
        removed after an error."""
        ...

    def sweep(self, name: str) -> None:
        """Removes what a process that was killed while making the folder `name` left of it."""
        ...


def open_folder(path: str) -> OutputFolder:
    return RemoteFolder(path) if is_url(path) else LocalFolder(path)


def is_url(path: str) -> bool:
    return "://" in path


def beside(path: str, name: str) -> str:
    """`name` as seen from the folder `path`; a URL or an absolute path is itself."""
    if is_url(name) or os.path.isabs(name):
        return name
    return f"{path.rstrip('/')}/{name}" if is_url(path) else str(Path(path) / name)


class LocalFolder:
    """A folder on this machine, or on a file system that all machines share."""

    def __init__(self, path: str):
        self.path = path

    def read(self, name: str) -> bytes | None:
        try:
            return (Path(self.path) / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        path = Path(self.path) / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)

    def remove(self, name: str) -> None:
        _remove(Path(self.path) / name)

    def sweep(self, name: str) -> None:
        path = Path(self.path) / name
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            _remove(left)

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        target = Path(self.path) / name
        _check_ours(target)
        self.sweep(name)
        with writing(target):
            part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.part")
            part.mkdir(parents=True)
        try:
            yield part
            with writing(target):
                _remove(target)
                part.rename(target)
        except BaseException:
            with suppress(OutputError):
                _remove(part)
            raise


class RemoteFolder:
    """A folder behind a URL. Outputs are made on this machine's disk (TMPDIR) and moved there when they are whole."""

    def __init__(self, path: str):
        self.path = path
        self._fs, self._root = filesystem(path)

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def read(self, name: str) -> bytes | None:
        try:
            return self._fs.cat_file(self._at(name))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        path = self._at(name)
        with writing(f"{self.path}/{name}", Exception):
            self._fs.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            part = f"{path}.{uuid.uuid4().hex[:12]}.part"
            self._fs.pipe_file(part, data)
            self._fs.mv(part, path)

    def remove(self, name: str) -> None:
        with writing(f"{self.path}/{name}", Exception), suppress(FileNotFoundError):
            self._fs.rm(self._at(name), recursive=True)

    def sweep(self, name: str) -> None:
        with writing(f"{self.path}/{name}", Exception):
            for left in self._fs.glob(self._at(_hidden(name, "*"))):
                self._fs.rm(left, recursive=True)

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        part, target = self._at(_hidden(name, uuid.uuid4().hex[:12])), self._at(name)
        with tempfile.TemporaryDirectory(prefix="camn-") as folder:
            made = Path(folder) / "out"
            made.mkdir()
            yield made
            self.sweep(name)
            with writing(f"{self.path}/{name}", Exception):
                self._fs.makedirs(str(PurePosixPath(part).parent), exist_ok=True)
                self._fs.put(f"{made}/", f"{part}/", recursive=True)
                self.remove(name)
                self._fs.mv(part, target, recursive=True)


def _hidden(name: str, mark: str) -> str:
    """a/b -> a/.b.MARK.part, where b is made."""
    path = PurePosixPath(name)
    return str(path.with_name(f".{path.name}.{mark}.part"))


def filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path in it. Raises CamnError if what it needs is not installed."""
    try:
        import fsspec.core
    except ImportError as error:
        raise CamnError(f"{url}: URLs need fsspec; pip install 'camn[cluster]', or give a local path") from error
    try:
        return fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise CamnError(f"{url}: cannot be reached ({error}); install what it names, or give a local path") from error


def read_bytes(path: str) -> bytes:
    """A file's content. Raises DataError."""
    try:
        if not is_url(path):
            return Path(path).read_bytes()
        fs, inner = filesystem(path)
        return fs.cat_file(inner)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error


def fetch(path: str, folder: Path) -> Path:
    """A local path as it is; of a URL a copy in `folder`, which is made. Raises DataError if there is none."""
    if not is_url(path):
        return Path(path)
    fs, inner = filesystem(path)
    target = folder / PurePosixPath(inner).name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if fs.info(inner)["type"] == "directory":
            fs.get(f"{inner.rstrip('/')}/", f"{target}/", recursive=True)
        else:
            fs.get_file(inner, str(target))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file or folder; check the URL") from error
    return target


def stamp(path: str) -> str | None:
    """What changes when a file or folder does: a digest of names, sizes and times. None if there is none."""
    try:
        entries = _remote_entries(path) if is_url(path) else _local_entries(Path(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return hashlib.sha256(repr(sorted(entries)).encode()).hexdigest()[:16]


def _local_entries(path: Path) -> list[tuple[str, str]]:
    if not path.is_dir():
        return [("", _of(path.stat()))]
    with os.scandir(path) as found:
        return [(entry.name, _of(entry.stat())) for entry in found if entry.is_file()]


def _of(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns}"


def _remote_entries(url: str) -> list[tuple[str, str]]:
    fs, path = filesystem(url)
    info = fs.info(path)
    files = fs.ls(path, detail=True) if info["type"] == "directory" else [info]
    return [
        (file["name"], f"{file.get('size')} {[str(file[key]) for key in _CHANGES if key in file]}") for file in files
    ]


def _check_ours(target: Path) -> None:
    """Raises OutputError for a folder that no run of camn made."""
    if target.exists() and not (target / "run.json").exists():
        raise OutputError(f"{target}: is there already and not of camn; give another --out, or the video another name")


def _remove(path: Path) -> None:
    with writing(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
