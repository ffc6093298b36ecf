"""Where outputs go to: a folder of this machine, or one that fsspec reaches. Nothing is ever half there."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from camn import api
from camn.cluster.places import filesystem, is_url
from camn.errors import OutputError, words_of
from camn.files import alone, write_whole, writing


class OutputFolder(Protocol):
    """The folder of all outputs. Names are relative to it, with / between their parts. A folder NAME in it is made
    within the hidden folder .NAME.part. Every call may raise OutputError."""

    path: str

    def read(self, name: str) -> bytes | None:
        """A file's content, None if there is none."""
        ...

    def has(self, name: str) -> bool:
        """Whether the folder `name` is there and of camn."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """A file, whole or not at all."""
        ...

    def remove(self, name: str) -> None:
        """A file or a folder with all in it, if there is one."""
        ...

    def making(self, name: str) -> Any:
        """Context: a new local folder, which becomes the folder `name` at the end, in place of the one before, or is
        removed after an error. The record NAME.json goes before the old folder does, so it never tells of another. A
        folder that camn did not make is refused."""
        ...

    def sweep(self, name: str) -> None:
        """Removes what a process that was killed while making the folder `name` left of it."""
        ...


def open_folder(path: str) -> OutputFolder:
    return RemoteFolder(path) if is_url(path) else LocalFolder(path)


class LocalFolder:
    """A folder on this machine, or on a file system that all machines share."""

    def __init__(self, path: str):
        self.path = path

    def read(self, name: str) -> bytes | None:
        path = Path(self.path) / name
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise OutputError(f"{path}: cannot be read ({error.strerror}); mend or remove it") from error

    def has(self, name: str) -> bool:
        return (Path(self.path) / name / api.RUN_RECORD).is_file()

    def write(self, name: str, data: bytes) -> None:
        path = Path(self.path) / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)

    def remove(self, name: str) -> None:
        _remove(Path(self.path) / name)

    def sweep(self, name: str) -> None:
        self.remove(_hidden(name))

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        target, hidden = Path(self.path) / name, Path(self.path) / _hidden(name)
        there = os.path.lexists(target)  # also as a link that leads nowhere
        if there and not self.has(name):
            raise _not_ours(str(target))
        self.sweep(name)
        part = hidden / uuid.uuid4().hex
        with writing(target):
            part.mkdir(parents=True)
        try:
            yield part
            with alone(target) if there else nullcontext():  # a run may write there by now
                self.remove(f"{name}.json")
                with writing(target):
                    if target.exists():  # out of the way at once: half removed it would look like somebody else's
                        target.rename(hidden / "former")
                    part.rename(target)
        except BaseException:
            with suppress(OutputError):
                self.sweep(name)
            raise
        self.sweep(name)


class RemoteFolder:
    """A folder behind a URL. Outputs are made on this machine's disk (TMPDIR) and moved there when they are whole. Used
    by several threads, of which each has its own connection."""

    def __init__(self, path: str):
        self.path = path
        self._reach("")  # what is wrong with it is told now

    def _reach(self, name: str) -> tuple[Any, str]:
        with writing(self.path, Exception):
            fs, root = filesystem(self.path)
        return fs, f"{root.rstrip('/')}/{name}"

    def _exists(self, name: str) -> bool:
        fs, path = self._reach(name)
        with writing(f"{self.path}/{name}", Exception):
            return fs.exists(path)

    def read(self, name: str) -> bytes | None:
        fs, path = self._reach(name)
        try:
            return fs.cat_file(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:  # some storages have errors of their own for what is not there
            if self._exists(name):
                said = words_of(error)
                raise OutputError(f"{self.path}/{name}: cannot be read ({said}); check the storage") from error
            return None

    def has(self, name: str) -> bool:
        return self._exists(f"{name}/{api.RUN_RECORD}")

    def write(self, name: str, data: bytes) -> None:
        fs, path = self._reach(name)
        with writing(f"{self.path}/{name}", Exception):
            fs.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            part = f"{path}.{uuid.uuid4().hex[:12]}.part"
            fs.pipe_file(part, data)
            _move(fs, part, path)

    def remove(self, name: str) -> None:
        fs, path = self._reach(name)
        with writing(f"{self.path}/{name}", Exception):
            try:
                fs.rm(path, recursive=True)
            except FileNotFoundError:
                pass
            except Exception:
                if self._exists(name):
                    fs.rm(path)  # as of ftp, which takes files so

    def sweep(self, name: str) -> None:
        hidden = _hidden(name)
        if not self._exists(hidden):
            return
        if not self.has(name):
            self.remove(name)  # moved in part
        self.remove(hidden)

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        if self._exists(name) and not self.has(name) and not self._exists(_hidden(name)):
            raise _not_ours(f"{self.path}/{name}")
        with tempfile.TemporaryDirectory(prefix="camn-") as folder:
            made = Path(folder) / "out"
            made.mkdir()
            yield made
            try:
                self._publish(made, name)
            except OutputError:  # as of a connection that was idle too long: all work would be lost
                type(self._reach("")[0]).clear_instance_cache()
                self._publish(made, name)
        self.sweep(name)

    def _publish(self, made: Path, name: str) -> None:
        (fs, hidden), (_, target) = self._reach(_hidden(name)), self._reach(name)
        part = f"{hidden}/{uuid.uuid4().hex}"
        with writing(f"{self.path}/{name}", Exception):
            fs.makedirs(hidden, exist_ok=True)
            fs.put(f"{made}/", f"{part}/", recursive=True)
            self.remove(f"{name}.json")
            self.remove(name)
            _move(fs, part, target)


def _hidden(name: str) -> str:
    """a/b -> a/.b.part, within which b is made."""
    path = PurePosixPath(name)
    return str(path.with_name(f".{path.name}.part"))


def _move(fs: Any, source: str, target: str) -> None:
    """A file or folder to a name that is free, or is a file's. By renaming, where the storage can."""
    try:
        fs.mv(source, target, recursive=True)
    except TypeError:  # as of sftp, which always takes folders whole
        fs.mv(source, target)


def _not_ours(target: str) -> OutputError:
    return OutputError(f"{target}: is there already and not of camn; give another --out, or the video another name")


def _remove(path: Path) -> None:
    with writing(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
