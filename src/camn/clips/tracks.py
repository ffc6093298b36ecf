"""Objects cut from the frames of videos and pasted, frame by frame with their own motion, into other clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from camn.clips.appearance import recolour
from camn.clips.blur import Point, centre
from camn.clips.motion import Piece, Pose, cut, drift, paste
from camn.clips.options import ClipOptions
from camn.clips.scenes import Film, choose, drawn, span, unzip
from camn.datasets.sequence import VideoSequence
from camn.masks import IGNORE

EDGE = 0.3  # the most of an object that its picture's border may cut off, as length over the square root of its area


@dataclass(frozen=True)
class Track:
    """A piece for each frame, None where the object is not seen; `centre` (x, y) on the first, in its own picture."""

    pieces: tuple[Piece | None, ...]
    centre: Point

    def looking(self, matrix: np.ndarray) -> Track:
        """The same through a (3, 4) colour matrix."""
        pieces = (p and replace(p, image=recolour(p.image, matrix)) for p in self.pieces)
        return Track(tuple(pieces), self.centre)

    def shrunk(self, factor: float) -> Track:
        """The same at `factor` < 1 of its size, where it is in a picture that is reduced as well."""
        pieces = tuple(p and _reduced(p, factor) for p in self.pieces)
        return Track(pieces, (self.centre[0] * factor, self.centre[1] * factor))


def _reduced(piece: Piece, factor: float) -> Piece:
    return replace(piece.shrunk(factor), corner=(piece.corner[0] * factor, piece.corner[1] * factor))


def cut_off(mask: np.ndarray) -> bool:
    """Whether much of an object (H, W) bool lies beyond the picture's border."""
    border = sum(np.count_nonzero(line) for line in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return border > EDGE * np.sqrt(max(1, np.count_nonzero(mask)))


def clean(piece: Piece) -> Piece:
    """The piece whose edge has the colour of what lies just inside it, not of what it stood before.

    Parts too thin to have an inside keep what they have.
    """
    square = np.ones((3, 3), np.uint8)
    inside = cv2.erode(piece.alpha, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    thin = cv2.bitwise_and(piece.alpha, cv2.bitwise_not(cv2.dilate(inside, np.ones((5, 5), np.uint8))))
    known = cv2.bitwise_or(inside, thin)
    share = cv2.blur(known.astype(np.float32) / 255, (5, 5), borderType=cv2.BORDER_CONSTANT)
    sums = cv2.blur(cv2.copyTo(piece.image, known).astype(np.float32), (5, 5), borderType=cv2.BORDER_CONSTANT)
    near = (sums / np.maximum(share, 1e-3)[..., None] + 0.5).clip(0, 255).astype(np.uint8)
    take = cv2.bitwise_and(cv2.bitwise_not(known), (share > 0.01).astype(np.uint8) * 255)
    return replace(piece, image=cv2.copyTo(near, take, piece.image.copy()))


def follow(rng: np.random.Generator, sequence: VideoSequence, options: ClipOptions) -> Track | None:
    """One object of a video over as many frames as a clip has; None where it is too small, or cut off by the border."""
    order = span(rng, sequence, options)
    if order is None:
        return None
    first, last = sequence.labels(order[0]), sequence.labels(order[-1])
    ids = choose(rng, first, 1, smallest=0.005)
    if not ids or cut_off(first == ids[0]) or cut_off(last == ids[0]):
        return None
    pairs = [sequence.read(index) for index in order]
    pieces = tuple(clean(cut(image, ids_ == ids[0])) if (ids_ == ids[0]).any() else None for image, ids_ in pairs)
    return Track(pieces, centre((first == ids[0]).astype(np.uint8)))


def surroundings(image: np.ndarray, at: Point, reach: float) -> np.ndarray:
    """(N, 3): every fourth pixel of the image (H, W, 3) both ways within `reach` of (x, y), which is drawn into it."""
    h, w = image.shape[:2]
    x, y = (int(np.clip(v, 0, n - 1)) for v, n in zip(at, (w, h), strict=True))
    far = max(16, int(reach))
    return image[max(0, y - far) : y + far : 4, max(0, x - far) : x + far : 4].reshape(-1, 3)


def fitting(piece: Piece, around: np.ndarray, share: float) -> np.ndarray:
    """(3, 4): moves mean and spread of the piece's colours by `share` of the way towards those around, (N, 3)."""
    own = piece.image[piece.alpha > 0]
    mean, wanted = own.mean(axis=0), around.mean(axis=0)
    gain = np.clip((around.std(axis=0) + 8) / (own.std(axis=0) + 8), 0.5, 1.5)
    gain = 1 + share * (gain - 1)
    offset = mean + share * (wanted - mean) - gain * mean
    return np.hstack([np.diag(gain), offset[:, None]]).astype(np.float32)


def lay(film: Film, track: Track, poses: Sequence[Pose], value: int, behind: bool) -> Film:
    """The film with the track over it, or behind all that is labelled, ignored pixels included; labelled `value`.

    poses: how the track's own picture stands in the clip on each frame.
    """
    if poses[0].zoom < 0.6:
        factor = poses[0].zoom
        track = track.shrunk(factor)
        poses = [replace(p, anchor=_times(p.anchor, factor), zoom=p.zoom / factor) for p in poses]
    shots = []
    for image, labels, piece, pose in zip(*film, track.pieces, poses, strict=True):
        if piece is None:
            shots.append((image, labels))
            continue
        pose = replace(pose, anchor=(pose.anchor[0] - piece.corner[0], pose.anchor[1] - piece.corner[1]))
        shots.append(paste(image, labels, piece, pose, value, shield=labels > 0 if behind else None))
    return unzip(shots)


def _times(point: Point, factor: float) -> Point:
    return point[0] * factor, point[1] * factor


def settle(film: Film) -> Film:
    """The film in which what is not seen on the first frame is background on all: its label is free for others."""
    here, anywhere = (np.bincount(np.concatenate(part).ravel(), minlength=256) for part in (film[1][:1], film[1]))
    gone = [value for value in range(1, IGNORE) if anywhere[value] and not here[value]]
    if not gone:
        return film
    table = np.arange(256, dtype=np.uint8)
    table[gone] = 0
    return film[0], [table[labels] for labels in film[1]]


def next_value(rng: np.random.Generator, film: Film, options: ClipOptions, chance: float) -> int:
    """A label for something further in a settled film: by chance, and if there is room, a new object; or background."""
    first = film[1][0]
    highest = int(np.max(first, where=first < IGNORE, initial=0))
    return highest + 1 if rng.random() < chance and highest < options.max_objects else 0


def join_track(rng: np.random.Generator, film: Film, track: Track, options: ClipOptions) -> Film:
    """The film with the track somewhere in it, often an object more; by chance across an object, or behind it."""
    (h, w), labels = options.size, film[1][0]
    side = min(h, w)
    piece = next(p for p in track.pieces if p is not None)
    zoom = min(1.6, float(np.exp(rng.uniform(*np.log((0.15, 0.42))))) * side / piece.side)
    velocity = rng.uniform(-0.12, 0.12, 2) * side
    where = np.flatnonzero((labels > 0) & (labels < IGNORE))
    at = rng.uniform(0.15, 0.85, 2) * (w, h)
    if len(where) and rng.random() < 0.5:  # meets an object on some frame, beside it on the first
        met = np.array(divmod(int(rng.choice(where)), w)[::-1])
        at = np.clip(met - velocity * rng.uniform(1, len(film[0])), 0, (w - 1, h - 1))
    start = Pose(track.centre, (float(at[0]), float(at[1])), zoom, rng.uniform(-12, 12), flip=drawn(rng, options.flip))
    around = surroundings(film[0][0], start.at, piece.side * zoom)
    if len(where) and rng.random() < 0.3:  # near the colours of what is followed
        around = film[0][0].reshape(-1, 3)[where[:: max(1, len(where) // 500)]]
    track = track.looking(fitting(piece, around, rng.uniform(0, options.fit)))
    pace = options.motion.times(rng.uniform(0, 0.6))
    poses = drift(rng, start, len(film[0]), side, pace, (float(velocity[0]), float(velocity[1])))
    value = next_value(rng, film, options, 0.75)
    return settle(lay(film, track, poses, value, behind=drawn(rng, options.behind)))
