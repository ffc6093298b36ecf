"""Several networks, and several views of each, side by side on one video; their answers are joined frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from camn.config import EnsembleConfig
from camn.errors import ConfigError, VideoError
from camn.inference.backends import Backends
from camn.inference.calls import Caller, entry, own_settings
from camn.inference.frames import Picture, as_frame
from camn.inference.postprocess import PostProcessor
from camn.inference.result import Result
from camn.inference.segmenter import Prediction, Segmenter, corrected_ids
from camn.inference.upload import Uploaded
from camn.inference.views import View
from camn.masks import ObjectIds, ids_in

# (frame (H, W, 3) uint8, maps (M, N+1, h, w): each member's probabilities) -> (N+1, h, w) that sum to 1.
Join = Callable[[np.ndarray, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Way:
    """One network on one view of the video. segmenter: its own memory, at this view's scale."""

    member: int
    view: View
    segmenter: Segmenter


@dataclass(frozen=True, eq=False)
class UploadedViews:
    """A frame of `size` (H, W) as it is, and on the device as each of the ways sees it."""

    frame: np.ndarray
    seen: tuple[Uploaded, ...]

    @property
    def size(self) -> tuple[int, int]:
        return self.frame.shape[0], self.frame.shape[1]


class Ensemble(Caller):
    """Follows objects as a `Segmenter` does, by the same calls, with several networks and views.

    Each way keeps a memory of its own. On each frame the probabilities of a member's views are averaged, those of the
    members are joined, by `join` or by their mean with the config's weights, and the answer is mended by `post`. What
    each way remembers as its previous mask is that answer (feedback `joint`) or what it found itself (`own`).
    ways: the first one's size is that of the answers. Raises ConfigError for weights that do not fit the members.
    """

    def __init__(
        self,
        ways: Sequence[Way],
        config: EnsembleConfig | None = None,
        join: Join | None = None,
        post: PostProcessor | None = None,
    ):
        super().__init__()
        self.ways, self.join, self._post = tuple(ways), join, post
        self.ensemble = config or EnsembleConfig()
        self.members = len({way.member for way in ways})
        if (given := len(self.ensemble.weights)) not in (0, self.members):
            raise ConfigError(f"{given} weights for {self.members} models: give one for each, or none")
        self._frame = np.zeros((0, 0, 3), np.uint8)  # last seen
        self._ids = np.zeros((0, 0), np.uint8)

    # --- the user's calls, see `Segmenter` ---------------------------------------------------------------------------

    @entry
    def start(self, frame: Picture | UploadedViews, mask: np.ndarray, objects: Iterable[int] = ()) -> Result:
        """See `Segmenter.start`."""
        uploaded, ways, post = self._uploaded(frame), self._copies(), copy(self._post)
        objects = tuple(objects)
        mask = ids_in(mask, objects)
        for way, seen in zip(ways, uploaded.seen):
            way.segmenter.start(seen, way.view.apply(mask), objects)
        return self._state(uploaded.frame, ways, post, mask, ways[0].segmenter.objects)

    @entry
    def step(self, frame: Picture | UploadedViews) -> Result:
        """See `Segmenter.step`."""
        uploaded, ways, post = self._uploaded(frame), self._copies(), copy(self._post)
        predicted = [way.segmenter.predict(seen) for way, seen in zip(ways, uploaded.seen)]
        joined = self._joined(uploaded.frame, [p.probabilities for p in predicted])
        first, trust = ways[0].segmenter, {}
        if post is not None and len(self.objects):
            joined = post(self.index + 1, uploaded.frame, self.objects, joined)
            trust = post.trust
        below = first.config.lost_below
        result = Result.of(self.index + 1, self.objects, joined, uploaded.size, lost_below=below, trust=trust)
        doubtful = first.doubts(result)
        for way, found in zip(ways, predicted):
            if self.ensemble.feedback == "joint":
                found = Prediction(found.embedding, way.view.redo(joined, found.probabilities.shape[1:]))
            way.segmenter.accept(found, way.view.apply(result.ids), doubtful, result.lost)
        self._take(uploaded.frame, ways, post, result.ids)
        return result

    @entry
    def correct(self, mask: np.ndarray, objects: Iterable[int] = ()) -> Result:
        """See `Segmenter.correct`."""
        objects, ways, post = tuple(objects), self._copies(), copy(self._post)
        mask = ids_in(mask, (*self.objects, *objects))
        for way in ways:
            way.segmenter.correct(way.view.apply(mask), objects)
        given = ObjectIds.of(mask).with_ids(objects)
        return self._state(self._frame, ways, post, corrected_ids(self._ids, mask, given), given)

    @entry
    def remove(self, id: int) -> None:
        """See `Segmenter.remove`."""
        ways, post = self._copies(), copy(self._post)
        for way in ways:
            way.segmenter.remove(id)
        if post is not None:
            post.select(ways[0].segmenter.objects)
        self._take(self._frame, ways, post, np.where(self._ids == id, 0, self._ids).astype(np.uint8))

    @own_settings()
    def upload(self, frame: Picture) -> UploadedViews:
        """See `Segmenter.upload`. Ways that see the same share it."""
        frame = as_frame(frame).copy()  # it is looked at again, and the caller may read the next one into its memory
        there: dict[Any, Uploaded] = {}
        for way in self.ways:
            if (key := self._seen_as(way, frame)) not in there:
                there[key] = way.segmenter.upload(way.view.apply(frame))
        return UploadedViews(frame, tuple(there[self._seen_as(way, frame)] for way in self.ways))

    @entry
    def encode(self, frame: Picture | UploadedViews) -> UploadedViews:
        """See `Segmenter.encode`."""
        uploaded = self._uploaded(frame)
        seen = (way.segmenter.encode(one) for way, one in zip(self.ways, uploaded.seen))
        return replace(uploaded, seen=tuple(seen))

    @property
    def index(self) -> int:
        return self.ways[0].segmenter.index

    @property
    def objects(self) -> ObjectIds:
        return self.ways[0].segmenter.objects

    @property
    def remembered(self) -> list[int]:
        """Positions of the frames that are held in memory, sorted."""
        return sorted({index for way in self.ways for index in way.segmenter.remembered})

    @property
    def device(self) -> torch.device:
        return self.ways[0].segmenter.device

    @property
    def backends(self) -> AllBackends:
        return AllBackends(tuple({id(b): b for b in (way.segmenter.backends for way in self.ways)}.values()))

    @own_settings()
    def member_maps(self) -> Tensor:
        """(M, N+1, h, w): what each member has for the frame last seen, its views averaged; with feedback `own` that
        is what it found."""
        return self._by_member([way.segmenter.probabilities for way in self.ways])

    def fresh(self) -> Ensemble:
        """See `Segmenter.fresh`."""
        other = copy(self)
        other.ways = tuple(replace(way, segmenter=way.segmenter.fresh()) for way in self.ways)
        return other

    def known(self) -> dict[str, Any]:
        """See `Segmenter.known`."""
        ways, post = [way.segmenter.known() for way in self.ways], self._post and self._post.known()
        return {"ways": ways, "post": post, "frame": self._frame, "ids": self._ids}

    def knowing(self, known: Mapping[str, Any]) -> Ensemble:
        """See `Segmenter.knowing`."""
        other, both = copy(self), zip(self.ways, known["ways"], strict=True)
        ways = tuple(replace(way, segmenter=way.segmenter.knowing(one)) for way, one in both)
        post = self._post and self._post.knowing(known["post"])
        other._take(known["frame"], ways, post, known["ids"])
        return other

    def open_segmenter(self, side: int) -> Segmenter:
        """A segmenter of the first network that was never started, and works at a side in pixels."""
        return self.ways[0].segmenter.open_segmenter(side)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _copies(self) -> tuple[Way, ...]:
        """The ways with segmenters of their own: a call that fails in one of them changes nothing in any."""
        return tuple(replace(way, segmenter=copy(way.segmenter)) for way in self.ways)

    def _seen_as(self, way: Way, frame: np.ndarray) -> Any:
        """What of a way decides how a frame comes to it."""
        return way.view.flip, way.segmenter.work_size(frame.shape[:2]), way.segmenter.network.hard_masks

    def _uploaded(self, frame: Picture | UploadedViews) -> UploadedViews:
        if isinstance(frame, UploadedViews):
            if len(frame.seen) != len(self.ways):
                raise VideoError("this frame was uploaded by another ensemble; upload it by this one")
            return frame
        return self.upload(frame)

    def _by_member(self, found: Sequence[Tensor]) -> Tensor:
        """Probabilities (N+1, ...) of each way, as it sees them -> (M, N+1, h, w) of the frame, at the first's size."""
        size = found[0].shape[1:]
        sums: dict[int, Tensor] = {}
        counts: dict[int, int] = {}
        for way, probabilities in zip(self.ways, found):
            undone = way.view.undo(probabilities, size)
            sums[way.member] = sums[way.member] + undone if way.member in sums else undone
            counts[way.member] = counts.get(way.member, 0) + 1
        return torch.stack([sums[member] / counts[member] for member in sorted(sums)])

    def _joined(self, frame: np.ndarray, found: Sequence[Tensor]) -> Tensor:
        maps = self._by_member(found)
        if self.join is not None and maps.shape[1] > 1:
            return self.join(frame, maps)
        return self._mean(maps)

    def _mean(self, maps: Tensor) -> Tensor:
        if not self.ensemble.weights:
            return maps.mean(0)
        weights = maps.new_tensor(self.ensemble.weights).view(-1, 1, 1, 1)
        return (maps * weights).sum(0) / weights.sum()

    def _state(
        self, frame: np.ndarray, ways: tuple[Way, ...], post: PostProcessor | None, ids: np.ndarray, given: ObjectIds
    ) -> Result:
        """Take in a frame whose labels `ids` the user has given for `given`, which every way knows already."""
        first = ways[0].segmenter
        joined = self._mean(self._by_member([way.segmenter.probabilities for way in ways]))
        below = first.config.lost_below
        result = Result.of(first.index, first.objects, joined, ids.shape, ids, frozenset(given), below)
        if post is not None:
            post.select(first.objects)
            post.given(first.index, frame, first.objects, result.ids, given)
        self._take(frame, ways, post, result.ids)
        return result

    def _take(self, frame: np.ndarray, ways: tuple[Way, ...], post: PostProcessor | None, ids: np.ndarray) -> None:
        self.ways, self._post, self._frame = ways, post, frame
        self._ids = ids.copy()  # an answer is the caller's own


@dataclass(frozen=True, eq=False)
class AllBackends:
    """The `Backends` of all networks of an ensemble, told as one."""

    each: tuple[Backends, ...]

    def __str__(self) -> str:
        return ", ".join(dict.fromkeys(str(backends) for backends in self.each))

    def as_dict(self) -> dict[str, Any]:
        """As `Backends.as_dict`."""
        told = [backends.as_dict() for backends in self.each]
        return told[0] | {"parts": [part for one in told for part in one["parts"]]}


def fused(network: torch.nn.Module, device: torch.device, order: Sequence[int]) -> Join:
    """Join by a fusion network (`camn.model.fusion.Fusion`). order: for each of its members the place among ours."""
    network, places = network.eval().to(device), list(order)

    def join(frame: np.ndarray, maps: Tensor) -> Tensor:
        height, width = maps.shape[-2:]
        small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        image = torch.from_numpy(small).to(maps.device).permute(2, 0, 1).float() / 255
        return network(image, maps[places])

    return join
