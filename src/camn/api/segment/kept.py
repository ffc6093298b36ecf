"""What a run keeps while it is at work, so that it can be taken up where it was cut off, with the same answers: what
was found on each frame, a line each, and now and then all that the segmenter knows."""

from __future__ import annotations

import base64
import json
import math
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from camn.api.options import Notice
from camn.api.segment.checked import body_of, checked, sum_of
from camn.api.segment.exporters.exporter import Shown
from camn.api.segment.outputs import RUN_RECORD, former_run
from camn.errors import CamnError, OutputError, VideoError, words_of
from camn.files import to_json, write_whole, writing
from camn.inference import AnySegmenter, Result, snapshot
from camn.masks import ObjectIds
from camn.media.source import Frame, FrameSource

EVERY = 30.0  # seconds of work from one state to the next, at the least
SHARE = 50  # times as long as writing a state takes: that costs 2% of the time at the most
KEPT = 2  # states: should the newest be damaged, there is one before it
ABOUT, LINES, STATES = RUN_RECORD, "frames.txt", "*.safetensors"
_ROWS = 8  # one in so many rows tells a frame from another


@dataclass(frozen=True)
class Past:
    """A run that was cut off. done: frames up to its last state. end: bytes of their lines. segmenter: as it was then.
    about: what the run's record said. seconds: of work; stages: of each, see `Summary`."""

    folder: Path
    done: int
    end: int
    segmenter: AnySegmenter
    about: Mapping[str, Any]
    seconds: float
    stages: Mapping[str, float]

    def lines(self) -> Iterator[dict[str, Any]]:
        """What was found on each frame."""
        with (self.folder / LINES).open("rb") as file:
            for _, line in zip(range(self.done), file):
                yield json.loads(body_of(line))


def read_past(folder: Path, fresh: AnySegmenter, notice: Notice) -> Past | None:
    """The newest state that can be read, with the lines of all frames before it; `notice` is told of any that cannot.
    fresh: see `snapshot.taken_up`. Raises CamnError where memory is short."""
    about, ends = former_run(folder), _ends(folder / LINES)
    for path in sorted(folder.glob(STATES), reverse=True) if about else ():
        try:
            tensors = load(path.read_bytes())
            state = json.loads(body_of(tensors.pop("values").numpy().tobytes()))
            if state["sum"] != sum_of(tensors):
                raise ValueError("its bytes are not those that were written")
            done = int(state["done"])
            if done > len(ends):
                raise ValueError(f"it is of {done} frames, of which {len(ends)} are there")
            segmenter = snapshot.taken_up(fresh, state["segmenter"], tensors)
            return Past(folder, done, ends[done - 1], segmenter, about or {}, state["seconds"], state["stages"])
        except (MemoryError, torch.OutOfMemoryError) as error:  # not the file's fault, so it must not be dropped
            raise CamnError(f"{path}: not enough memory to read it; end what else uses it, and try again") from error
        except Exception as error:  # of any kind: it may hold anything
            notice(f"{path}: cannot be read ({words_of(error)}): it is damaged, and passed over")
    return None


def _ends(path: Path) -> list[int]:
    """Of each line in succession that is whole the place where it ends."""
    ends: list[int] = []
    try:
        with path.open("rb") as file:
            for line in file:
                body_of(line)
                ends.append((ends[-1] if ends else 0) + len(line))
    except (OSError, ValueError):
        pass
    return ends


def _name(done: int) -> str:
    return f"{done:09d}.safetensors"


@dataclass(frozen=True)
class State:
    """What the segmenter, a copy, knew after so many frames."""

    done: int
    segmenter: AnySegmenter


class Keeper:
    """Writes the folder. Frames are noted in order, by one thread. past: the run that this one goes on with, whose
    frames are noted already."""

    def __init__(self, folder: Path, about: Mapping[str, Any], past: Past | None, notice: Notice):
        self.folder, self.past, self._notice = folder, past, notice
        self._noted = self.saved = past.done if past else 0  # frames; of the newest state
        self._next = time.monotonic() + EVERY
        self._last: State | None = None
        self._told = False
        with writing(folder):
            if past is None and folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(exist_ok=True)
            self._file = (folder / LINES).open("ab", buffering=0)
            if past:
                self._file.truncate(past.end)
                for path in folder.glob(STATES):
                    if path.name > _name(past.done):  # damaged, or of frames that are not there
                        path.unlink()
        write_whole(folder / ABOUT, to_json(about))

    def note(self, number: int, shown: Shown) -> None:
        """A frame that all outputs have, unless it is noted already; 1 is the first. Raises OutputError."""
        if number > self._noted:
            with writing(self.folder / LINES):
                line = _line(shown)
                while line:  # a disk that is full may take a part of it first
                    line = line[self._file.write(line) :]
            self._noted = number

    def due(self, done: int, segmenter: AnySegmenter) -> State | None:
        """The state after so many frames, if it is time to save one."""
        self._last = State(done, copy(segmenter))
        if time.monotonic() < self._next:
            return None
        self._next = math.inf  # until it is saved
        return self._last

    def save(self, state: State, seconds: float, stages: Mapping[str, float]) -> None:
        """By the thread that notes, behind the state's frames. Where there is no room for it the run goes on without.
        seconds, stages: see `Past`."""
        started = time.monotonic()
        try:
            self._write(state, {"done": state.done, "seconds": seconds, "stages": dict(stages)})
        except (OutputError, TypeError) as error:  # no room; a step that knows what cannot be written down
            if not self._told:
                self._notice(f"{error}; the run goes on, but can be taken up only from where it kept its state before")
            self._told = True
        now = time.monotonic()
        self._next = now + max(EVERY, SHARE * (now - started))

    def save_last(self, seconds: float, stages: Mapping[str, float]) -> None:
        """Of a run that comes to no end, if its frames are noted; lines behind it are dropped when it is taken up."""
        if self._last and self._last.done <= self._noted:
            self.save(self._last, seconds, stages)

    def close(self) -> None:
        self._file.close()
        if not self._noted:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, state: State, about: dict[str, Any]) -> None:
        values, tensors = snapshot.written(state.segmenter)
        line = checked(json.dumps(about | {"segmenter": values, "sum": sum_of(tensors)}))
        path = self.folder / _name(state.done)
        with writing(path):
            os.fsync(self._file.fileno())  # a state is of no use without its lines
        write_whole(
            path, save(tensors | {"values": torch.frombuffer(bytearray(line), dtype=torch.uint8)}), lasting=True
        )
        self.saved = state.done
        for old in sorted(self.folder.glob(STATES))[:-KEPT]:
            old.unlink(missing_ok=True)


@contextmanager
def keeping(
    folder: Path,
    source: FrameSource,
    about: Mapping[str, Any],
    past: Past | None,
    notice: Notice,
    how_far: Callable[[], dict[str, Any]],
) -> Iterator[Keeper | None]:
    """What a run keeps while it is at work; after an error, its last state, too. None of a stream, which nobody can
    take up. how_far: gives what `save` takes."""
    if source.once:
        yield None
        return
    keeper = Keeper(folder, about, past, notice)
    try:
        yield keeper
    except BaseException:
        with suppress(CamnError, RuntimeError, MemoryError, OSError):  # the first error is the one to tell
            keeper.save_last(**how_far())
            if keeper.saved:
                notice(
                    f"{folder.parent}: {keeper.saved} frames are kept; the same again with --resume goes on from there"
                )
        raise
    finally:
        keeper.close()


def _line(shown: Shown) -> bytes:
    result, frame = shown.result, shown.seen
    found: dict[str, Any] = {"name": frame.name, "seen": _seen(frame)}
    if result is not None:
        objects = [[id, sure, id in result.lost] for id, sure in result.confidence.items()]
        found |= {"index": result.index, "objects": objects, "ids": _packed(result.ids)}
        if shown.asked and objects:
            alphas = np.stack([np.rint(shown.probabilities[id] * 255) for id, *_ in objects])
            found["probabilities"] = _packed(alphas.astype(np.uint8))
    return checked(json.dumps(found))


def result_of(line: Mapping[str, Any], frame: Frame, video: str) -> Result | None:
    """What was found on a frame. Raises VideoError where the line is of another one."""
    if line["name"] != frame.name or line["seen"] != _seen(frame):
        raise VideoError(
            f"{video}: frame {frame.index} is not the one that the run read which was cut off; give that run's video, "
            "or leave --resume out to start anew"
        )
    if "ids" not in line:
        return None
    size = frame.image.shape[:2]
    objects = ObjectIds(tuple(id for id, *_ in line["objects"]))
    confidence = {id: sure for id, sure, _ in line["objects"]}
    lost = frozenset(id for id, _, lost in line["objects"] if lost)
    probabilities = None
    if "probabilities" in line:
        alphas = torch.from_numpy(_unpacked(line["probabilities"], (len(objects), *size)))
        probabilities = torch.cat([torch.zeros(1, *size), alphas.float() / 255])
    return Result(line["index"], _unpacked(line["ids"], size), confidence, lost, probabilities, objects)


def _seen(frame: Frame) -> int:
    return zlib.crc32(frame.image[::_ROWS].tobytes())


def _packed(array: np.ndarray) -> str:
    """uint8, of long runs of the same."""
    flat = array.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1]).astype(np.int64)
    lengths = np.diff(starts, append=flat.size).astype("<u4")
    return base64.b64encode(zlib.compress(lengths.tobytes() + flat[starts].tobytes(), 1)).decode()


def _unpacked(text: str, shape: tuple[int, ...]) -> np.ndarray:
    data = zlib.decompress(base64.b64decode(text))
    count = len(data) // 5
    lengths = np.frombuffer(data, "<u4", count)
    return np.repeat(np.frombuffer(data, np.uint8, offset=4 * count), lengths).reshape(shape)
