"""The bodies of all objects of a video, from frame to frame: see `body`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from camn.config.postprocess import TrackLossOptions
from camn.inference.body import Body, Verdict
from camn.inference.looks import Looks
from camn.inference.motion import Motion, small
from camn.inference.parts import Parts, distance
from camn.masks import ObjectIds

ALIKE = 0.6  # least likeness of a part after a cut, share of the largest: one of unknown colours has half


@dataclass(frozen=True, eq=False)
class Bodies:
    """picture (h, w, 3): the frame last seen, small, and motion how it came from the one before. each, looks, verdicts
    (of that frame): by the objects' ids."""

    options: TrackLossOptions
    picture: np.ndarray
    motion: Motion | None = None
    each: Mapping[int, Body] = field(default_factory=dict)
    looks: Mapping[int, Looks] = field(default_factory=dict)
    verdicts: Mapping[int, Verdict] = field(default_factory=dict)

    def given(self, frame: np.ndarray, stated: ObjectIds, ids: np.ndarray) -> Bodies:
        """ids (H, W) uint8 are right on the frame for the objects `stated`."""
        picture = small(frame)
        masks = {id: mask for id in stated if (mask := _small(ids == id, picture)).any()}
        looks = {id: Looks.of(picture, mask) for id, mask in masks.items()}
        looks = {id: self.looks[id].with_more(new) if id in self.looks else new for id, new in looks.items()}
        each = {id: Body.of(mask) for id, mask in masks.items()}
        return replace(self, picture=picture, each={**self.each, **each}, looks={**self.looks, **looks})

    def select(self, objects: ObjectIds) -> Bodies:
        """Of these objects alone."""
        kept = {name: {i: v for i, v in getattr(self, name).items() if i in objects} for name in ("each", "looks")}
        return replace(self, **kept)

    def at(self, frame: np.ndarray) -> Bodies:
        """On the next frame."""
        picture = small(frame)
        return replace(self, picture=picture, motion=Motion(self.picture, picture), verdicts={})

    def judged(self, id: int, mask: np.ndarray) -> tuple[Bodies, np.ndarray]:
        """mask (H, W) bool, of any size: where an object was found -> where that is something else, (H, W) bool."""
        body = self.each.get(id)
        if body is None or self.motion is None or self.cut:
            return self, np.zeros_like(mask)
        found = _small(mask, self.picture)
        verdict = body.judged(found, self.motion, lambda: self._likeness(id), self.options)
        now = replace(self, verdicts={**self.verdicts, id: verdict})
        if not verdict.others.any():
            return now, np.zeros_like(mask)
        nearer = distance(verdict.others) < distance(verdict.kept)
        return now, mask & _large(nearer, mask.shape)

    @property
    def cut(self) -> bool:
        return self.motion is not None and self.motion.cut

    def like(self, id: int, parts: Parts) -> np.ndarray:
        """(K,) bool: the parts that look about as much like the object as the one that does most."""
        if not len(parts.areas):
            return np.ones(0, bool)
        means = parts.means(cv2.resize(self._likeness(id), parts.size[::-1]))
        return means >= ALIKE * means.max()

    def seen(self, id: int, mask: np.ndarray) -> Bodies:
        """mask (H, W) bool, of any size: what was answered for an object on the frame last seen."""
        mask = _small(mask, self.picture)
        body, verdict = self.each.get(id), self.verdicts.get(id)
        if body is not None and verdict is not None:
            now = body.seen(verdict, mask, self.options)
        elif mask.any():
            now = Body.of(mask)
        else:  # not there after a cut: of what size it comes back nobody knows
            return replace(self, each={i: body for i, body in self.each.items() if i != id})
        return replace(self, each={**self.each, id: now})

    @property
    def trust(self) -> Mapping[int, float]:
        """See `Verdict`."""
        return {id: verdict.trust for id, verdict in self.verdicts.items()}

    def _likeness(self, id: int) -> np.ndarray:
        looks = self.looks.get(id)
        return np.ones(self.picture.shape[:2], np.float32) if looks is None else looks.likeness(self.picture)


def _small(mask: np.ndarray, picture: np.ndarray) -> np.ndarray:
    size = picture.shape[1], picture.shape[0]
    way = cv2.INTER_AREA if mask.shape[0] > size[1] else cv2.INTER_LINEAR
    return cv2.resize(mask.astype(np.float32), size, interpolation=way) > 0.5


def _large(mask: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    return cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
