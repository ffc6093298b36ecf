"""Writing so that nothing is ever half-written: a temporary name in the same folder, then moved into place. And text as
others wrote it."""

from __future__ import annotations

import codecs
import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from camn.errors import CamnError, NoRoomError, OutputError

ODD = "backslashreplace"  # how `encoded` treats what is no UTF-8, for files that are written as text
_STEM = 150  # bytes of a name that a temporary one has, of the 255 that there may be
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
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


def text_of(data: bytes, names: bool = False) -> str:
    """The text of a file that people or other programs wrote: UTF-8 with or without a byte order mark, as Windows puts
    one, or UTF-16 or 32 with one. names: it names files, whose names may be no UTF-8. Raises ValueError."""
    kind = next((kind for mark, kind in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(kind, "surrogateescape" if names and kind == "utf-8" else "strict")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8 ({error}); save it as UTF-8") from error
    if "\0" in text:
        raise ValueError("it is no text in UTF-8 (it holds zero bytes); save it as UTF-8")
    return text


def output_error(path: str | Path, error: BaseException) -> OutputError:
    """What a failed write means for the user: where, why, and what to do."""
    number = getattr(error, "errno", None)
    reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
    if number in _FULL:
        return NoRoomError(f"{path}: no room left to write it ({reason}); free some space, or choose another folder")
    if number in _DENIED:
        return OutputError(f"{path}: not writable ({reason}); change its permissions, or choose another folder")
    if number in _NO_FOLDER:
        return OutputError(f"{path}: a file stands where a folder should, or the reverse ({reason}); choose another")
    return OutputError(f"{path}: cannot be written ({reason}); check the disk and its room, or choose another folder")


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


@contextmanager
def replacing(path: Path, *kinds: type[Exception]) -> Iterator[Path]:
    """A temporary name that becomes `path` at the end, or is removed if anything fails. Raises OutputError.

    kinds: errors, beside the system's, by which what writes within tells of a full or broken disk.
    """
    part = temporary(path)
    with writing(path, *kinds):
        try:
            yield part
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                part.unlink(missing_ok=True)
            raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises OutputError."""
    with replacing(path) as part:
        part.write_bytes(data)


@contextmanager
def held(path: Path, taken: str) -> Iterator[None]:
    """Holds a lock file, which is made where it is not there, for a while or until the process ends.

    Raises OutputError, which says `taken`, where another process holds it, and where it cannot be written. Where the
    system or the file system has no locks nothing is held.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    with file:  # closing it lets go of the lock
        try:
            import fcntl  # not there on every system

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(taken) from None
        except (ImportError, OSError):
            pass
        yield


def close_after(close: Callable[[], None], failure: object) -> None:
    """Closes at the end of a `with` block; after a failure in it, that is the error to see, not one of closing."""
    try:
        close()
    except Exception:
        if failure is None:
            raise
