"""What is remembered of a video: reference frames, the previous frame, and a bounded space-time memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from camn.config import InferenceConfig
from camn.inference.worth import least_worth
from camn.model.interface import Labelled
from camn.model.memory import Entry

Looks = Callable[[Labelled], Tensor | None]
_HELD = ("previous", "_given", "_spread", "_recent", "_last", "_newest")


@dataclass(frozen=True)
class Remembered:
    """A frame in the space-time memory; `index` is its position in the video, `entry` None in a network without one.
    looks: see `Network.looks`."""

    index: int
    entry: Entry | None
    looks: Tensor | None


@dataclass(frozen=True)
class Given(Remembered):
    """A frame with masks from the user; `shows` are the channels of the objects that these masks hold."""

    frame: Labelled
    shows: frozenset[int]


class Bank:
    """Frames with masks of one set of objects.

    Kept always: the previous frame and, of the frames with a mask from the user (`references`), the first and the
    newest, `references` of them; beyond these only frames that are the last one to show an object.

    Of the others one in each `every` is remembered, the first of them that is sure of any object: what is doubtful
    would be taken for true from then on, and one that is lost shows nothing. Each object reads only from frames that
    are sure of it. At most `most` are kept; when one more comes, the one that is worth the least goes, see
    `least_worth`. The newest `matched` since the last mask from the user are matched against, too, but for those with
    any doubt: there one object's pixels are the background of another. Memory is so bounded by `references`, by the
    number of objects, by `most` and by `matched`, whatever the video's length and however many masks are given.

    looks: of a labelled frame, see `Network.looks`.
    """

    def __init__(
        self,
        every: int,
        most: int,
        matched: int = 0,
        references: int = InferenceConfig.reference_frames,
        looks: Looks = lambda frame: None,
    ):
        self.every, self.most, self.matched, self._most_given = every, most, matched, references
        self._looks = looks
        self.previous: Labelled | None = None
        self._given: list[Given] = []
        self._spread: list[Remembered] = []
        self._recent: list[Labelled] = []
        self._last: Remembered | None = None
        self._newest = 0  # of the frames remembered or given

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
        doubtful: Collection[int] = (),
        lost: Collection[int] = (),
    ) -> None:
        """Take in frame `index`, which becomes the previous one. given: its masks are (partly) the user's, who shows
        the objects of these channels. doubtful: channels of objects whose masks are doubtful. lost: of those that are
        not to be seen.

        A frame that was taken in before, and is now given masks, takes its own place."""
        self.previous, self._last = frame, Remembered(index, entry, None)
        # Lists are made anew, never changed, so that a copy of the bank is independent of it.
        self._spread = [r for r in self._spread if r.index != index]
        if given is not None:
            self._recent = []  # what the user mends may be wrong in these, too
            known = next((i for i, r in enumerate(self._given) if r.index == index), len(self._given))
            mine = Given(index, entry, self._looks(frame), frame, frozenset(given))
            self._given = _needed([*self._given[:known], mine, *self._given[known + 1 :]], self._most_given)
            self._newest = index
        elif self.most and index // self.every > self._newest // self.every:
            sure = [None if c in doubtful or c in lost else c for c in range(len(frame.masks[0]))]
            if any(sure):
                mine = Remembered(index, entry, self._looks(frame))
                self._spread = self._thinned([*self._spread, _reordered(mine, sure) if None in sure else mine])
                self._newest = index
                if self.matched and not doubtful:
                    self._recent = [*self._recent, frame][-self.matched :]

    def to_match(self) -> list[Labelled]:
        """Frames to match against: those given, and the newest remembered since."""
        return [*self.references, *self._recent]

    def entries(self) -> list[Entry]:
        """Entries to read from: given frames, remembered ones, and the previous frame, each once."""
        return [r.entry for r in self._held().values() if r.entry is not None]

    def indices(self) -> list[int]:
        """Positions in the video of all frames held, sorted."""
        return sorted(self._held())

    def select(self, channels: Sequence[int | None]) -> None:
        """Change the objects: for each wanted channel (0 is the background) its old position, None for a new object.

        An object that is not wanted any more becomes background on all frames."""
        self.previous = _selected(self.previous, channels) if self.previous else None
        self._recent = [_selected(r, channels) for r in self._recent]
        places = {old: new for new, old in enumerate(channels) if old is not None}
        self._given = [
            replace(
                _reordered(g, channels),
                frame=_selected(g.frame, channels),
                shows=frozenset(places[c] for c in g.shows if c in places),
            )
            for g in self._given
        ]
        self._spread = [_reordered(r, channels) for r in self._spread]
        self._last = _reordered(self._last, channels) if self._last else None

    def known(self) -> dict[str, Any]:
        """All frames that are held, in values that are never changed; see `take`."""
        return {name: getattr(self, name) for name in _HELD}

    def take(self, known: Mapping[str, Any]) -> None:
        """Hold what another bank had `known`, in place of its own."""
        for name in _HELD:
            setattr(self, name, known[name])

    def _thinned(self, frames: list[Remembered]) -> list[Remembered]:
        """At most `most` frames, those worth most."""
        if len(frames) <= self.most:
            return frames
        looks = [r.looks for r in (*frames[:-1], *self._given) if r.looks is not None]
        gone = least_worth([r.index for r in frames], looks or None)
        return frames[:gone] + frames[gone + 1 :]

    def _held(self) -> dict[int, Remembered]:
        return {r.index: r for r in (*self._given, *self._spread, self._last) if r is not None}


Kept = TypeVar("Kept", bound=Remembered)


def _selected(frame: Labelled, channels: Sequence[int | None]) -> Labelled:
    gone = [c for c in range(len(frame.masks[0])) if c not in channels]
    chosen = frame.select(channels)
    joined = [torch.cat([n[:1] + o[gone].sum(0), n[1:]]) for o, n in zip(frame.masks, chosen.masks, strict=True)]
    return replace(chosen, masks=tuple(joined))


def _reordered(held: Kept, channels: Sequence[int | None]) -> Kept:
    objects, looks = [None if c is None else c - 1 for c in channels[1:]], held.looks
    if looks is not None:
        looks = torch.cat([looks, looks.new_zeros(1, looks.shape[1])])[[-1 if o is None else o for o in objects]]
    return replace(held, entry=held.entry and held.entry.select(objects), looks=looks)


def _needed(frames: list[Given], most: int) -> list[Given]:
    """The first and the newest, `most` in all, and of those between the ones that alone show an object."""
    kept = frames
    for frame in frames[1 : 1 - most]:
        others = [other for other in kept if other is not frame]
        if frame.shows <= frozenset().union(*(other.shows for other in others)):
            kept = others
    return kept
