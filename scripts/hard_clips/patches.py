"""Patches painted on an object, which move with it, and poles before it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from camn.clips.motion import Piece, soft
from hard_clips.stage import SIZE, Actor, H, W


@dataclass(frozen=True)
class Spot:
    """An ellipse on an object. place: of its middle, from the object's centre, and axes, half of them: (x, y) in sides
    of the square that has the object's area. angle: degrees."""

    place: np.ndarray
    axes: np.ndarray
    angle: float

    def masks(self, actor: Actor) -> list[np.ndarray]:
        """(h, w) uint8 0 or 255 for each piece, in its own picture."""
        drawn = []
        for piece, middle, side in zip(actor.pieces, actor.centres, actor.sides, strict=True):
            x, y = np.round((middle - piece.corner + side * self.place) * 16).astype(int).tolist()
            axes = np.round(self.axes * side * 16).astype(int).tolist()
            mask = np.zeros_like(piece.alpha)
            cv2.ellipse(mask, (x, y), axes, self.angle, 0, 360, (255,), -1, shift=4)
            drawn.append(mask)
        return drawn

    def covered(self, actor: Actor) -> float:
        """How much of it is on the object, 0 to 1, on the frame that has least."""
        areas = np.pi * self.axes.prod() * actor.sides**2
        shown = [np.count_nonzero(mask & piece.alpha) for mask, piece in zip(self.masks(actor), actor.pieces)]
        return float(np.min(shown / areas))

    def gap(self, other: Spot) -> float:
        """Between two, at least."""
        return float(np.hypot(*(self.place - other.place)) - self.axes.max() - other.axes.max())


def spots(rng: np.random.Generator, actor: Actor, share: float, count: int = 60) -> list[Spot]:
    """Ellipses of `share` of the object's area, where it is on its first frame: those that are on it on all frames,
    or the one that comes nearest to that."""
    where, drawn = np.argwhere(actor.pieces[0].alpha > 127)[:, ::-1], []
    for _ in range(count):
        point, stretch = rng.choice(where) + actor.pieces[0].corner, rng.uniform(0.75, 1.35)
        axes = np.sqrt(share / np.pi) * np.array((stretch, 1 / stretch))
        drawn.append(Spot((point - actor.centres[0]) / actor.sides[0], axes, rng.uniform(0, 180)))
    covered = [spot.covered(actor) for spot in drawn]
    return [spot for spot, on in zip(drawn, covered) if on >= min(0.85, max(covered))]


def painted(actor: Actor, spot: Spot, texture: np.ndarray) -> tuple[Actor, Actor]:
    """The actor with the texture (h, w, 3) on the spot, and the patches as an actor by themselves."""
    whole, patches = [], []
    for piece, mask in zip(actor.pieces, spot.masks(actor), strict=True):
        mask &= piece.alpha
        x, y, w, h = cv2.boundingRect(mask)
        image, box = piece.image.copy(), np.s_[y : y + h, x : x + w]
        weight = soft(mask)[box]
        image[box] = cv2.blendLinear(cv2.resize(texture, (w, h)), np.ascontiguousarray(image[box]), weight, 1 - weight)
        whole.append(replace(piece, image=image))
        patches.append(Piece(image[box], mask[box], (piece.corner[0] + x, piece.corner[1] + y)))
    return replace(actor, pieces=tuple(whole)), replace(actor, pieces=tuple(patches))


def cloth(piece: Piece) -> np.ndarray:
    """(h, w, 3): a square of the object's own pixels, about the point that is deepest within it."""
    depth = cv2.distanceTransform(cv2.copyMakeBorder(piece.alpha, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_C, 3)
    y, x = np.unravel_index(np.argmax(depth), depth.shape)
    reach = max(1, int(depth[y, x]) - 2)
    return piece.image[max(0, y - 1 - reach) : y + reach, max(0, x - 1 - reach) : x + reach]


def past_pole(
    image: np.ndarray, labels: np.ndarray, middle: float, width: float, bark: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A frame and its labels seen past an upright pole, `middle` and `width` in pixels, drawn with `bark` (h, w, 3)."""
    x = np.arange(W)
    wood = cv2.resize(bark, (max(2, round(width)), H), interpolation=cv2.INTER_AREA)
    wood = cv2.convertScaleAbs(wood[:, np.clip(x - round(middle - width / 2), 0, wood.shape[1] - 1)], alpha=0.7)
    share = np.clip(width / 2 + 0.5 - np.abs(x - middle), 0, 1).astype(np.float32)
    share = np.ascontiguousarray(np.broadcast_to(share, SIZE))
    return cv2.blendLinear(wood, image, share, 1 - share), np.where(share >= 0.5, 0, labels).astype(np.uint8)
