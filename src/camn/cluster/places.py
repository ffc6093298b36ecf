"""Where videos come from: this machine's folders, or what fsspec reads (s3://, gs://, ftp://, https://)."""

from __future__ import annotations

import hashlib
import os
import posixpath
from pathlib import Path, PurePosixPath
from typing import Any

from camn.errors import CamnError, DataError, words_of

# What storages call that which changes when a file does.
_CHANGES = (
    *("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "Digest", "CRC", "sha"),
    *("mtime", "LastModified", "last_modified", "Last-Modified", "updated", "modified", "modify"),
    *("modificationTime", "last_write_time"),
)


def is_url(path: str) -> bool:
    return "://" in path


def beside(path: str, name: str) -> str:
    """`name` as seen from the folder `path`; a URL or an absolute path is itself."""
    if is_url(name) or os.path.isabs(name):
        return name
    if not is_url(path):
        return str(Path(path) / name)
    storage, _, within = path.partition("://")
    return f"{storage}://{posixpath.normpath(f'{within}/{name}')}"


def plain(path: str) -> str:
    """A path or URL; of a chain of them (zip://a.mp4::s3://b/c.zip) the first, of the web's without what comes behind
    the file's name."""
    if not is_url(path):
        return path
    first = next(part for part in path.split("::") if is_url(part))
    return first.partition("?")[0] if first.startswith(("http://", "https://")) else first


def name_of(video: str) -> str:
    """What the outputs of a video are called if nothing else is said."""
    return PurePosixPath(plain(video).rstrip("/")).stem


def filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, which has looked at nothing yet, and the path in it. Each thread has its own.

    Raises CamnError if what it needs is not installed, and the storage's own error if it cannot be reached.
    """
    try:
        import fsspec.core
    except ImportError as error:
        raise CamnError(f"{url}: URLs need fsspec; pip install 'camn[cluster]', or give a local path") from error
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise CamnError(f"{url}: cannot be reached ({error}); install what it names, or give a local path") from error
    fs.invalidate_cache()
    return fs, path


def read_bytes(path: str) -> bytes:
    """A file's content. Raises DataError."""
    try:
        if not is_url(path):
            return Path(path).read_bytes()
        fs, inner = filesystem(path)
        return fs.cat_file(inner)
    except CamnError:
        raise
    except Exception as error:  # a storage's may be any
        raise DataError(f"{path}: cannot be read ({words_of(error)}); check the path") from error


def fetch(path: str, folder: Path) -> Path:
    """A local path as it is; of a URL a copy in `folder`, which is made. Raises DataError if there is none,
    and any other error where the storage does not answer."""
    if not is_url(path):
        return Path(path)
    fs, inner = filesystem(path)
    name = PurePosixPath(plain(inner)).name
    target = folder / ("up" if name == ".." else name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if fs.info(inner)["type"] == "directory":
            _fetch_folder(path, fs, inner.rstrip("/"), target)
        else:
            fs.get_file(inner, str(target))
    except FileNotFoundError as error:
        cause = error.__cause__  # fsspec tells of all the web's failures so
        if type(cause).__module__.startswith("aiohttp") and getattr(cause, "status", 0) not in (404, 410):
            raise CamnError(f"{path}: the server does not give it ({cause}); check it and the URL") from error
        raise DataError(f"{path}: no such file or folder; check the URL") from error
    return target


def _fetch_folder(url: str, fs: Any, inner: str, target: Path) -> None:
    """All files of a folder. A storage's keys are any text: those that would be written elsewhere are refused."""
    names, top = [str(name) for name in fs.find(inner)], Path(os.path.abspath(target))
    files = [top / (name.removeprefix(f"{inner}/") if inner else name.lstrip("/")) for name in names]
    for name, file in zip(names, files):
        if ".." in file.parts[len(top.parts) :] or not file.is_relative_to(top):
            raise DataError(f"{url}: lists {name!r}, which leads out of the folder; look who wrote it, and remove that")
    for folder in {top, *(file.parent for file in files)}:
        folder.mkdir(parents=True, exist_ok=True)
    fs.get(names, [str(file) for file in files])


def stamp(path: str) -> str | None:
    """What changes when a file or folder does: a digest of names, sizes and times. None if there is none, or none
    that can be looked at: who reads it will say why. Raises CamnError if what a URL needs is not installed."""
    try:
        entries = _remote_entries(path) if is_url(path) else _local_entries(Path(path))
    except CamnError:
        raise
    except Exception:
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
