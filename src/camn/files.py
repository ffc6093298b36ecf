"""Writing so that nothing is ever half-written: a temporary name in the same folder, then moved into place. And text as
others wrote it."""

from __future__ import annotations

import codecs
import errno
import json
import os
import platform
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

from camn.errors import CamnError, NoRoomError, OutputError, words_of

LOCK = ".lock"  # the lock file of a folder that one process at a time writes to
ODD = "backslashreplace"  # how `encoded` treats what is no UTF-8, for files that are written as text
_STEM = 150  # bytes of a name that a temporary one has, of the 255 that there may be
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_TO_SYNC = os.O_RDWR if os.name == "nt" else os.O_RDONLY  # Windows syncs only what is open for writing
_NO_FOLDER = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)


def encoded(text: str) -> bytes:
    """As UTF-8. Bytes of a file's name that are none, which Python keeps as lone surrogates, are escaped as JSON has
    them, \\udce9, so that a name in JSON is the same when it is read."""
    return text.encode(errors=ODD)


def to_json(content: Any) -> bytes:
    """A JSON file's content, indented. Raises TypeError, ValueError for what JSON cannot hold."""
    return encoded(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def text_of(data: bytes) -> str:
    """The text of a file that people or other programs wrote: UTF-8 with or without a byte order mark, as Windows puts
    one, or UTF-16 or 32 with one. Raises ValueError."""
    kind = next((kind for mark, kind in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(kind)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8 ({error}); save it as UTF-8") from error
    if "\0" in text:
        raise ValueError("it is no text in UTF-8 (it holds zero bytes); save it as UTF-8")
    return text


def output_error(path: str | Path, error: BaseException) -> OutputError:
    """What a failed write means for the user: where, why, and what to do."""
    number = getattr(error, "errno", None)
    reason = words_of(error)
    if number in _FULL:
        return NoRoomError(f"{path}: no room left to write it ({reason}); free some space, or choose another folder")
    if number in _DENIED:
        return OutputError(f"{path}: not writable ({reason}); change its permissions, or choose another folder")
    if number in _NO_FOLDER:
        return OutputError(f"{path}: a file stands where a folder should, or the reverse ({reason}); choose another")
    return OutputError(f"{path}: cannot be written ({reason}); check the disk and its room, or choose another folder")


def is_file(path: Path) -> bool:
    """Whether there is a file to read: no folder, no pipe or device, which may never end. False, too, where that cannot
    be found out, as for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


@contextmanager
def writing(path: str | Path, *kinds: type[Exception]) -> Iterator[None]:
    """Turns the system's errors within, and those of `kinds`, into OutputErrors that name `path`."""
    try:
        yield
    except CamnError:
        raise
    except (OSError, *kinds) as error:
        raise output_error(path, error) from error


def temporary(path: Path) -> Path:
    """A hidden name in the same folder and with the same suffix, to write to before renaming to `path`."""
    stem = os.fsdecode(os.fsencode(path.stem)[:_STEM])
    return path.with_name(f".{stem}.{os.getpid()}-{threading.get_ident()}.part{path.suffix}")


def leftovers(pattern: str) -> str:
    """Glob pattern of files -> that of their temporary names, which a process killed in the middle leaves behind."""
    path = Path(pattern)
    return str(path.with_name(f".{path.stem}.*.part{path.suffix}"))


def sync(*paths: Path) -> None:
    """Bring files, and of folders the names in them, from the system's memory to the disk itself, one after the other:
    from then on a loss of power takes nothing of them. Raises OSError."""
    for path in paths:
        try:
            file = os.open(path, _TO_SYNC)
        except PermissionError:
            if path.is_dir():  # Windows opens no folders, and needs no such thing
                continue
            raise
        try:
            os.fsync(file)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that has no such thing for it
                raise
        finally:
            os.close(file)


@contextmanager
def replacing(path: Path, *kinds: type[Exception], lasting: bool = False) -> Iterator[Path]:
    """A temporary name that becomes `path` at the end, or is removed if anything fails. Raises OutputError.

    kinds: errors, beside the system's, by which what writes within tells of a full or broken disk. lasting: it is on
    the disk itself when this returns, see `sync`; a few milliseconds on an SSD.
    """
    part = temporary(path)
    with writing(path, *kinds):
        try:
            yield part
            if lasting:
                sync(part)
            os.replace(part, path)
            if lasting:
                sync(path.parent)
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                part.unlink(missing_ok=True)
            raise


def write_whole(path: Path, data: bytes, lasting: bool = False) -> None:
    """Write a file whole or not at all. lasting: see `replacing`. Raises OutputError."""
    with replacing(path, lasting=lasting) as part:
        part.write_bytes(data)


def take_lock(file: IO[Any], wait: bool = False) -> bool:
    """Whether an open file's lock is this process's now; the system gives it back when the file closes, also by a kill.
    True as well where the system or the file system has no locks. wait: until another lets go of it."""
    try:
        import fcntl
    except ImportError:  # not there on every system
        return _take_lock_of_windows(file, wait)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (BlockingIOError, PermissionError):  # some network file systems say the latter
        return False
    except OSError:
        pass
    return True


def _take_lock_of_windows(file: IO[Any], wait: bool) -> bool:
    try:
        import msvcrt
    except ImportError:
        return True
    lock: Any = msvcrt
    try:
        file.seek(1 << 30)  # what is locked cannot be read: not where the file says whose it is
        lock.locking(file.fileno(), lock.LK_LOCK if wait else lock.LK_NBLCK, 1)
    except OSError:
        return False
    return True


@contextmanager
def held(path: Path, taken: str, tidy: bool = False) -> Iterator[None]:
    """Holds a lock file, which is made where it is not there, for a while or until the process ends. tidy: remove it
    at the end.

    Raises OutputError, which says `taken` and by whom, where another process holds it, and where it cannot be written.
    Where the system or the file system has no locks nothing is held.
    """
    file = _hold(path, taken)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file
            if tidy and _is_at(file, path):  # before it is let go: then it is nobody else's
                path.unlink()
        file.close()


def alone(folder: Path) -> AbstractContextManager[None]:
    """Holds the folder that a run writes to, which is made where it is not there. Raises OutputError as `held` does."""
    return held(folder / LOCK, f"{folder}: another run is writing here", tidy=True)


def _hold(path: Path, taken: str) -> IO[str]:
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with writing(path):
            file = path.open("a+", encoding="utf-8")
        with ExitStack() as undo:
            undo.enter_context(file)
            if not take_lock(file):
                raise OutputError(f"{taken}; wait for its end, stop it, or give another folder{_holder(file)}")
            if _is_at(file, path):  # else who held it removed it just now
                with writing(path):
                    _sign(file)
                undo.pop_all()
                return file


def _sign(file: IO[str]) -> None:
    """For others to read who holds it."""
    now = datetime.now().astimezone().isoformat(" ", "seconds")
    file.truncate(0)
    file.write(f"process {os.getpid()} on {platform.node()}, since {now}\n")
    file.flush()


def _holder(file: IO[str]) -> str:
    with suppress(OSError, ValueError):
        file.seek(0)
        if said := file.readline(200).strip():
            return f" ({said})"
    return ""


def _is_at(file: IO[Any], path: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def path_of(value: object, error: type[CamnError], remedy: str) -> Path:
    """What a caller gave as a path; `error` for what is none: nothing, an empty text, bytes, an array. remedy: ends its
    sentence."""
    if isinstance(value, (str, os.PathLike)) and not isinstance(name := os.fspath(value), bytes) and name:
        return Path(name)
    shape = getattr(value, "shape", "")
    what = "an empty text" if isinstance(value, str) else f"{type(value).__name__} {shape}".strip()
    raise error(f"{'None' if value is None else what} is no path; {remedy}")


def cache_folder() -> Path:
    """CAMN_CACHE, else XDG_CACHE_HOME/camn (if absolute, by its standard), else ~/.cache/camn; for who has no home, one
    that ends with the process."""
    try:
        if own := os.environ.get("CAMN_CACHE"):
            return Path(own).expanduser()
        given = Path(os.environ.get("XDG_CACHE_HOME", "")).expanduser()
        return (given if given.is_absolute() else Path.home() / ".cache") / "camn"
    except RuntimeError:
        return Path(private_cache().name)


@cache
def private_cache() -> tempfile.TemporaryDirectory[str]:
    """One that ends with the process."""
    return tempfile.TemporaryDirectory(prefix="camn-cache-")


class ClosedAtEnd:
    """Is closed at the end of its `with` block, see `close_after`."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        close_after(self.close, kind)


def close_after(close: Callable[[], None], failure: object) -> None:
    """Closes at the end of a `with` block; after a failure in it, that is the error to see, not one of closing."""
    try:
        close()
    except Exception:
        if failure is None:
            raise
