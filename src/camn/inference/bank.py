"""What is remembered of a video: reference frames, the previous frame, and a bounded space-time memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from camn.config import InferenceConfig
from camn.model.interface import Labelled
from camn.model.memory import Entry


@dataclass(frozen=True)
class Remembered:
    """A frame in the space-time memory; `index` is its position in the video, `entry` None in a network without one."""

    index: int
    entry: Entry | None


@dataclass(frozen=True)
class Given(Remembered):
    """A frame with masks from the user; `shows` are the channels of the objects that these masks hold."""

    frame: Labelled
    shows: frozenset[int]


class Bank:
    """Frames with masks of one set of objects.

    Kept always: the previous frame and, of the frames with a mask from the user (`references`), the first and the
    newest, `references` of them; beyond these only frames that are the last one to show an object. Of the others every
    `every`-th is remembered, at most `most` of them; when one more comes, the one that lies closest in time to its
    neighbours goes, so that those kept stay spread over the video. The newest `matched` of them since the last mask
    from the user are matched against, too, but for those that are doubtful. Memory is so bounded by `references`, by
    the number of objects, by `most` and by `matched`, whatever the video's length and however many masks are given.
    """

    def __init__(self, every: int, most: int, matched: int = 0, references: int = InferenceConfig.reference_frames):
        self.every, self.most, self.matched, self._most_given = every, most, matched, references
        self.previous: Labelled | None = None
        self._given: list[Given] = []
        self._spread: list[Remembered] = []
        self._recent: list[Labelled] = []
        self._last: Remembered | None = None

    @property
    def references(self) -> list[Labelled]:
        """The frames with masks from the user."""
        return [given.frame for given in self._given]

    def remember(
        self,
        index: int,
        frame: Labelled,
        entry: Entry | None,
        given: Iterable[int] | None = None,
        doubtful: bool = False,
    ) -> None:
        """Take in frame `index`, which becomes the previous one. given: its masks are (partly) the user's, who shows
        the objects of these channels. doubtful: its masks are too doubtful to be matched against.

        A frame that was taken in before, and is now given masks, takes its own place."""
        self.previous = frame
        self._last = Remembered(index, entry)
        self._spread = [r for r in self._spread if r.index != index]
        if given is not None:
            self._recent = []  # what the user mends may be wrong in these, too
            known = next((i for i, r in enumerate(self._given) if r.index == index), len(self._given))
            mine = Given(index, entry, frame, frozenset(given))
            # Lists are made anew, never changed, so that a copy of the bank is independent of it.
            self._given = _needed([*self._given[:known], mine, *self._given[known + 1 :]], self._most_given)
        elif self.most and index % self.every == 0:
            self._spread = _thinned([*self._spread, self._last], self.most)
            if self.matched and not doubtful:
                self._recent = [*self._recent, frame][-self.matched :]

    def to_match(self) -> list[Labelled]:
        """Frames to match against: those given, and the newest remembered since."""
        return [*self.references, *self._recent]

    def entries(self) -> list[Entry]:
        """Entries to read from: given frames, spread ones, and the previous frame, each once."""
        frames = {r.index: r for r in (*self._given, *self._spread, self._last) if r is not None}
        return [r.entry for r in frames.values() if r.entry is not None]

    def indices(self) -> list[int]:
        """Positions in the video of all frames held, sorted."""
        return sorted({r.index for r in (*self._given, *self._spread, self._last) if r is not None})

    def select(self, channels: Sequence[int | None]) -> None:
        """Change the objects: for each wanted channel (0 is the background) its old position, None for a new object.

        An object that is not wanted any more becomes background on all frames."""
        self._recent = [_selected(r, channels) for r in self._recent]
        self.previous = _selected(self.previous, channels) if self.previous else None
        objects = [None if c is None else c - 1 for c in channels[1:]]
        places = {old: new for new, old in enumerate(channels) if old is not None}
        self._given = [
            replace(
                _reordered(g, objects),
                frame=_selected(g.frame, channels),
                shows=frozenset(places[c] for c in g.shows if c in places),
            )
            for g in self._given
        ]
        self._spread = [_reordered(r, objects) for r in self._spread]
        self._last = _reordered(self._last, objects) if self._last else None


Kept = TypeVar("Kept", bound=Remembered)


def _selected(frame: Labelled, channels: Sequence[int | None]) -> Labelled:
    gone = [c for c in range(len(frame.masks[0])) if c not in channels]
    chosen = frame.select(channels)
    joined = [torch.cat([n[:1] + o[gone].sum(0), n[1:]]) for o, n in zip(frame.masks, chosen.masks, strict=True)]
    return replace(chosen, masks=tuple(joined))


def _reordered(frame: Kept, objects: Sequence[int | None]) -> Kept:
    return replace(frame, entry=frame.entry.select(objects)) if frame.entry else frame


def _needed(frames: list[Given], most: int) -> list[Given]:
    """The first and the newest, `most` in all, and of those between the ones that alone show an object."""
    kept = frames
    for frame in frames[1 : 1 - most]:
        others = [other for other in kept if other is not frame]
        if frame.shows <= frozenset().union(*(other.shows for other in others)):
            kept = others
    return kept


def _thinned(frames: list[Remembered], most: int) -> list[Remembered]:
    """At most `most` frames: the one with the smallest gap between its neighbours goes; the newest never does."""
    if len(frames) <= most:
        return frames
    at = [f.index for f in frames]
    gaps = {i: at[i + 1] - (at[i - 1] if i else -at[i + 1]) for i in range(len(at) - 1)}
    gone = min(gaps, key=lambda i: gaps[i]) if gaps else 0
    return frames[:gone] + frames[gone + 1 :]
