"""Video files of a data set: frames by number. A video is decoded once, and its frames are kept as JPEGs in the cache.

A frame goes by a path, as a picture does: clip.mp4/000012 is frame 12 of clip.mp4. Numbers are those of
`camn.media.open_source`, so also of `camn segment`: of a damaged video, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from camn.errors import CamnError, DataError, VideoError
from camn.files import cache_folder, encoded, is_file, take_lock, to_json, write_whole, writing
from camn.media.opening import open_source
from camn.media.picture import read_image
from camn.media.video_file import VideoSource

_SUFFIXES = "mp4 m4v mov mkv webm avi mpg mpeg ts mts m2ts 3gp wmv flv ogv y4m mxf"
SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split(" "))  # of what is taken for a video by its name alone
LIMIT = 50 << 30  # bytes of all frames that are kept; the videos that were used longest ago go first
QUALITY = 95  # of JPEG, colours at full size: 0.3 MB and 6 ms of 1280x720, against 1.2 MB as PNG
_HOW = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
ABOUT = "about.json"
RUN_RECORD = "run.json"  # beside the masks that `camn segment` wrote
_MANY = 1_000_000  # frames, 9 hours: what says more is counted
_began = time.time()


def list_videos(folder: Path) -> list[Path]:
    """The video files in a folder, by their suffixes; hidden ones do not count."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.name[:1] != "." and is_file(p))


def frame_paths(video: Path, counted: bool = False) -> list[Path]:
    """One for each frame, as many as the file states; counted, where that is wished, or it states none, or more than it
    can well hold. Raises DataError."""
    stated = None if counted else _open(video).stated.frames
    if stated is None or stated > min(_MANY, video.stat().st_size):
        stated = kept_count(video)
    return [video / f"{index:06d}" for index in range(stated)]


class RunVideo(NamedTuple):
    """The video of which `camn segment` made masks. stream: it was one, of which no file was kept."""

    path: Path
    stream: bool

    def gone(self, mend: str) -> str:
        """What is said where it is not there. mend: what to do."""
        why = "was a stream, and its frames are gone" if self.stream else "is not there any more"
        return f"{self.path}: the video of this run {why}; {mend}"


def video_of_run(run: Path) -> RunVideo | None:
    """By the record of a run, None where there is none that can be read; the video need not be there."""
    try:
        record = json.loads((run / RUN_RECORD).read_bytes())
        return RunVideo(Path(record["video"]), "stream" in record)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def video_of(frame: Path) -> Path | None:
    """The video file that a frame is of; None of a picture's file."""
    return None if frame.suffix or not is_file(frame.parent) else frame.parent


def read_frame(frame: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB, upright, as it is kept. Raises DataError."""
    kept = _kept(frame.parent)
    if not (kept / ABOUT).is_file():  # removed since, by a person or by another process
        _kept_of.cache_clear()
        kept = _kept(frame.parent)
    file, count = kept / f"{frame.name}.jpg", _about(kept)["frames"]
    if not file.is_file() and int(frame.name) >= count:
        raise _too_short(frame.parent, count)
    try:
        return read_image(file)
    except VideoError as error:
        raise DataError(f"{error}; remove {kept}, which is made anew then") from error


def read_frames(frames: tuple[Path, ...]) -> Iterator[np.ndarray]:
    """Frames of one video, in order, as they are decoded. Raises DataError."""
    video, done = frames[0].parent, 0
    decoded: Any = iter(_open(video))
    with closing(decoded), _as_data():
        seen = 0
        for frame in decoded:
            seen = frame.index + 1
            if frame.name == frames[done].name:
                yield frame.image
                done += 1
            if done == len(frames):
                return
    raise _too_short(video, seen)


def _too_short(video: Path, count: int) -> DataError:
    return DataError(f"{video}: only {count} frames could be read; copy or export it again, or remove the masks behind")


@contextmanager
def _as_data() -> Iterator[None]:
    try:
        yield
    except VideoError as error:
        raise DataError(str(error)) from error


def warnings_of(video: Path) -> list[str]:
    """What is wrong with a video. Raises DataError."""
    return list(_about(_kept(video))["warnings"])


def kept_count(video: Path) -> int:
    """How many frames can be read. Raises DataError."""
    return int(_about(_kept(video))["frames"])


def _open(video: Path) -> VideoSource:
    with _as_data():
        source = open_source(video)
    if not isinstance(source, VideoSource):
        raise DataError(f"{video}: holds pictures, no video; save them as files in a folder frames/")
    return source


def _kept(video: Path) -> Path:
    """The folder of its frames, which are decoded now if none is there. Others who want them wait meanwhile."""
    try:
        found = video.stat()
    except OSError as error:
        raise DataError(f"{video}: cannot be read ({error.strerror}); fetch it again or take it out") from error
    return _kept_of(video.absolute(), found.st_size, found.st_mtime_ns)


@lru_cache(4096)
def _kept_of(video: Path, size: int, changed: int) -> Path:
    key = hashlib.sha256(encoded(f"{video} {size} {changed} {QUALITY}")).hexdigest()[:32]
    top = cache_folder() / "frames"
    folder = top / key
    with writing(top):
        top.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (top / f".lock-{key[0]}").open("wb") as lock:
            take_lock(lock, wait=True)  # closing the file unlocks it
            if not (folder / ABOUT).is_file():
                _decode(video, folder)
                _trim(top, folder)
            os.utime(folder)  # used now
    return folder


def _decode(video: Path, folder: Path) -> None:
    """The record comes last: a folder without one was left in the middle."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    source = _open(video)
    decoded: Any = iter(source)
    try:
        with closing(decoded), _as_data():
            for frame in decoded:
                data = cv2.imencode(".jpg", np.ascontiguousarray(frame.image[..., ::-1]), _HOW)[1]
                (folder / f"{frame.name}.jpg").write_bytes(data.tobytes())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    remarks = [f"{video}: {remark}" for remark in source.remarks]  # which are no damage
    damage = [warning for warning in source.warnings if warning not in remarks]
    count = sum(1 for _ in folder.iterdir())
    write_whole(folder / ABOUT, to_json({"video": str(video), "frames": count, "warnings": damage}))


@lru_cache(4096)
def _about(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / ABOUT).read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: frames that were kept are gone ({error}); start anew") from error


def _trim(top: Path, newest: Path) -> None:
    """Removes the videos that were used longest ago, until all fit. Raises CamnError where those that are used now do
    not."""
    sizes = {path: _size(path) for path in top.iterdir() if path.is_dir()}
    total = sum(sizes.values())
    for path in sorted(sizes, key=_used):
        if total <= LIMIT:
            return
        if path != newest and _used(path) < _began:
            shutil.rmtree(path, ignore_errors=True)
            total -= 0 if path.exists() else sizes[path]
    if total > LIMIT:
        raise CamnError(
            f"{top}: frames of these videos take more than {LIMIT >> 30} GiB; save the frames that have masks as "
            "pictures in CLIP/frames (docs/reference/data.md), or train on fewer videos"
        )


def _size(folder: Path) -> int:
    """In bytes, as far as its files stay: other processes decode and remove meanwhile."""
    total = 0
    with suppress(OSError):
        for file in folder.iterdir():
            with suppress(OSError):
                total += file.stat().st_size
    return total


def _used(folder: Path) -> float:
    """When last; long ago, where it is gone."""
    with suppress(OSError):
        return folder.stat().st_mtime
    return 0.0
