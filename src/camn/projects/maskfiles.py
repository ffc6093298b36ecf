"""The masks of a project, each a palette PNG that carries what is known of it: killed at any moment, none is half."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from camn.errors import MaskError
from camn.files import sync, write_whole, writing
from camn.masks import encode_palette_png
from camn.masks.palette import NOTE, note_of, stated_in
from camn.masks.paletted import ids_alone
from camn.projects.change import Before, Change, Step, difference

_NO_NOTE = (TypeError, ValueError, AttributeError, OverflowError)  # what another program's note may lead to


@dataclass(frozen=True)
class Given:
    """A mask from the user. stated: the ids that are just where it says, or, if not in it, not on this frame."""

    stated: frozenset[int]


@dataclass(frozen=True)
class Predicted:
    """A mask from the network. confidence: of each id, 0..1. lost: ids that it lost here. job: that made it."""

    confidence: Mapping[int, float] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()
    job: str = ""


class _Frame(NamedTuple):
    """before: what an undo of the next step goes back to. predicted, shown: (H, W) uint8 ids."""

    before: Before
    predicted: np.ndarray | None
    shown: np.ndarray


def encode(ids: np.ndarray, note: Mapping[str, Any]) -> bytes:
    """ids (H, W) uint8 -> a palette PNG whose indices they are, with the note."""
    return encode_palette_png(ids, {NOTE: json.dumps(note, separators=(",", ":"))})


class MaskFiles:
    """given/NNNNNN.png and masks/NNNNNN.png of a project: which there are, reading, writing, clearing.

    A file that does not belong (no number, no PNG, another size, another's note) is passed over: folders may be shared.
    """

    def __init__(self, folder: Path, size: tuple[int, int]):
        self._folder, self._size = folder, size
        self._lock = threading.RLock()
        self.given: dict[int, Given] = {}
        self.predicted: dict[int, Predicted] = {}
        for index, note in self._notes("given"):
            stated = stated_in(note) if "stated" in note else self._ids("given", index)
            if stated is not None:
                self.given[index] = Given(stated)
        for index, note in self._notes("masks"):
            with suppress(*_NO_NOTE):
                confidence = {int(id): float(value) for id, value in note.get("confidence", {}).items()}
                lost = frozenset(int(id) for id in note.get("lost", ()))
                self.predicted[index] = Predicted(confidence, lost, str(note.get("job", "")))

    def read_given(self, index: int) -> np.ndarray | None:
        """(H, W) uint8 ids, None where the user gave none."""
        return self._read("given", index) if index in self.given else None

    def read_predicted(self, index: int) -> np.ndarray | None:
        """(H, W) uint8 ids, None where the network made none."""
        return self._read("masks", index) if index in self.predicted else None

    def read_shown(self, index: int) -> np.ndarray | None:
        """What the user sees: the given mask for the objects it states, the predicted one for all others."""
        with self._lock:
            return self._laid(index, self.read_given(index), self.read_predicted(index))

    def _laid(self, index: int, given: np.ndarray | None, predicted: np.ndarray | None) -> np.ndarray | None:
        if given is None or predicted is None:
            return predicted if given is None else given
        others = np.where(np.isin(predicted, list(self.given[index].stated)), 0, predicted)
        return np.where(given > 0, given, others).astype(np.uint8)

    def give(
        self, index: int, ids: np.ndarray, objects: Iterable[int] | None = None, absent: Iterable[int] = ()
    ) -> Step:
        """The user's mask of a frame; it states what is in it and what was shown there before. objects: those that it
        speaks of (all if None); pixels of others, which were deleted, stay where it has background. absent: ids that
        are not on the frame. Raises OutputError."""
        with self._lock:
            was = self._now(index)
            if objects is not None:
                ids = np.where((ids == 0) & ~np.isin(was.shown, list(objects)), was.shown, ids).astype(np.uint8)
            self._write_given(index, ids, self._stated(index) | _ids(ids) | _ids(was.shown) | set(absent))
            return self._step(index, was, ids)

    def change(
        self, index: int, change: Change, undo: Before | None = None, said: frozenset[int] = frozenset()
    ) -> Step:
        """Some pixels of the user's mask of a frame, over what is shown; all others stay, whoever painted them.

        undo: this takes a step back, before which the frame was so. An object whose last pixels go is not spoken of
        any more, unless it was said to be absent; of a first mask, pixels are again what the network says, and where
        that is all of them, the mask goes. said: ids that this step left absent, which are so no more. Raises
        OutputError."""
        with self._lock:
            was = self._now(index)
            here = change.on(was.shown)
            if here.empty and not change.empty:
                return Step(was.before, was.before, None)  # others have painted over all of it
            predicted = self._filled(was.predicted)
            ids = (here.back_to(predicted) if undo and not undo.given else here).made(was.shown)
            present, shown = _ids(ids), _ids(was.shown)
            stated = self._stated(index) | shown | present
            if undo:
                stated = stated - ((shown | said) - present) | undo.absent
            nothing = not stated or undo and not undo.given and np.array_equal(ids, predicted)
            if undo and nothing and stated <= present:
                self.clear([index], "given")
                return self._step(index, was, None)
            self._write_given(index, ids, stated)
            return self._step(index, was, ids)

    def remove(self, index: int, kind: str) -> Step:
        """As `clear`, of one frame."""
        with self._lock:
            was = self._now(index)
            self.clear([index], kind)
            now = self._now(index)
            return Step(was.before, now.before, difference(was.shown, now.shown))

    def _now(self, index: int) -> _Frame:
        given, predicted = self.read_given(index), self.read_predicted(index)
        return _Frame(self._before(index, given), predicted, self._filled(self._laid(index, given, predicted)))

    def _before(self, index: int, given: np.ndarray | None) -> Before:
        return Before() if given is None else Before(True, self.given[index].stated - _ids(given))

    def _filled(self, ids: np.ndarray | None) -> np.ndarray:
        return np.zeros(self._size, np.uint8) if ids is None else ids

    def _step(self, index: int, was: _Frame, given: np.ndarray | None) -> Step:
        """What was done since then. given: the mask that the frame has now."""
        now = self._filled(self._laid(index, given, was.predicted))
        return Step(was.before, self._before(index, given), difference(was.shown, now))

    def _stated(self, index: int) -> set[int]:
        return set(self.given[index].stated) if index in self.given else set()

    def _write_given(self, index: int, ids: np.ndarray, stated: set[int]) -> None:
        given = Given(frozenset(stated))
        write_whole(self._path("given", index), encode(ids, {"stated": sorted(stated)}), lasting=True)
        self.given[index] = given

    def predict(self, index: int, ids: np.ndarray, known: Predicted) -> None:
        """The network's mask of a frame, not yet safe from a loss of power: see `settle`. Raises OutputError."""
        confidence = {id: round(value, 4) for id, value in known.confidence.items()}
        note = {"confidence": confidence, "lost": sorted(known.lost), "job": known.job}
        with self._lock:
            write_whole(self._path("masks", index), encode(ids, note))
            self.predicted[index] = Predicted(confidence, known.lost, known.job)

    def settle(self, indices: Iterable[int]) -> None:
        """Bring the network's masks of frames, where they are not cleared meanwhile, to the disk itself."""
        folder = self._folder / "masks"
        with writing(folder):
            for index in indices:
                with suppress(FileNotFoundError):
                    sync(self._path("masks", index))
            sync(folder)

    def clear(self, indices: Iterable[int], kind: str) -> None:
        """kind: given, predicted or both. Frames without such a mask are passed over. Raises OutputError."""
        with self._lock, writing(self._folder):
            for index in indices:
                if kind != "predicted" and self.given.pop(index, None):
                    self._path("given", index).unlink(missing_ok=True)
                if kind != "given" and self.predicted.pop(index, None):
                    self._path("masks", index).unlink(missing_ok=True)
            sync(self._folder / "given", self._folder / "masks")

    def known(self, index: int, objects: Iterable[int]) -> tuple[dict[int, float], list[int]]:
        """Confidence of each object on a frame, 1 where the user gave its mask, and the ids lost there."""
        with self._lock:
            given, predicted = self.given.get(index), self.predicted.get(index, Predicted())
        stated = given.stated if given else frozenset()
        confidence = {id: 1.0 if id in stated else predicted.confidence.get(id) for id in objects}
        return (
            {id: value for id, value in confidence.items() if value is not None},
            sorted(id for id in predicted.lost - stated if id in confidence),
        )

    def mentions(self, id: int) -> bool:
        """Whether a mask says anything of this object."""
        with self._lock:
            return any(id in one.stated for one in self.given.values()) or any(
                id in one.confidence for one in self.predicted.values()
            )

    def etag(self, index: int) -> str:
        """Another one after each change of the frame's masks."""
        with self._lock:
            there = {"given": self.given, "masks": self.predicted}
            return "-".join(f"{self._time(kind, index):x}" if index in known else "0" for kind, known in there.items())

    def _time(self, kind: str, index: int) -> int:
        """Nanoseconds; 0 of a file that somebody took away."""
        try:
            return self._path(kind, index).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _path(self, kind: str, index: int) -> Path:
        return self._folder / kind / f"{index:06d}.png"

    def _notes(self, kind: str) -> Iterable[tuple[int, dict[str, Any]]]:
        folder = self._folder / kind
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            sync(self._folder)
        for path in sorted(folder.glob("[0-9]*.png")):
            try:
                with Image.open(path) as image:  # the header alone
                    fits = image.mode == "P" and (image.height, image.width) == self._size
                    note = note_of(image)
                index = int(path.stem)
            except (OSError, ValueError, SyntaxError):
                continue
            if fits and note is not None and path.stem == f"{index:06d}":
                yield index, note

    def _ids(self, kind: str, index: int) -> frozenset[int]:
        mask = self._read(kind, index)
        return frozenset() if mask is None else frozenset(_ids(mask))

    def _read(self, kind: str, index: int) -> np.ndarray | None:
        try:
            with Image.open(self._path(kind, index)) as image:
                ids = np.array(image)
                return ids_alone(image, ids) if image.mode == "P" else ids  # a program may have made the file smaller
        except (OSError, SyntaxError, MaskError):  # somebody took it away
            return None


def _ids(mask: np.ndarray) -> set[int]:
    """Those of the objects in it."""
    return {int(id) for id in np.unique(mask) if id}
