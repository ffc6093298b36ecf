"""What a scene is staged with: objects cut out of one video frame by frame, the frames of another, ways to go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from camn.clips.blur import centre
from camn.clips.motion import Piece, Pose, cut, fill, warp
from camn.clips.scenes import Film, unzip
from camn.clips.tracks import Track, clean, lay
from camn.datasets.sequence import VideoSequence
from camn.errors import DataError

SIZE = H, W = 289, 513


@dataclass(frozen=True)
class Actor:
    """An object cut out of each frame of a video: its shape moves as it really does. centres: (T, 2), smoothed."""

    pieces: tuple[Piece, ...]
    centres: np.ndarray

    @property
    def box(self) -> np.ndarray:
        """(width, height), the median over the frames."""
        return np.median([piece.alpha.shape[::-1] for piece in self.pieces], axis=0)

    @property
    def sides(self) -> np.ndarray:
        """(T,) of the squares that have the object's area, smoothed."""
        return smooth(np.array([piece.side for piece in self.pieces]))

    @property
    def reach(self) -> float:
        """How far it is seen from its centre to either side, at most."""
        left = np.array([piece.corner[0] for piece in self.pieces])
        right = left + [piece.alpha.shape[1] for piece in self.pieces]
        return float(max((self.centres[:, 0] - left).max(), (right - self.centres[:, 0]).max()))

    def zoom(self, width: float, height: float) -> float:
        """The scale at which its box fits these shares of the frame."""
        return float(min(width * W / self.box[0], height * H / self.box[1]))

    def brighter(self, factor: float) -> Actor:
        pieces = (replace(p, image=cv2.convertScaleAbs(p.image, alpha=factor)) for p in self.pieces)
        return replace(self, pieces=tuple(pieces))


@dataclass(frozen=True)
class Stage:
    """What a clip is made of: its number among those of its kind, the videos in order, and all of its randomness."""

    rng: np.random.Generator
    videos: Sequence[VideoSequence]
    number: int
    frames: int

    @property
    def way(self) -> int:
        """-1 of the first clip, to the left, 1 of the second, and so on."""
        return 1 if self.number % 2 else -1

    def video(self, turn: int) -> VideoSequence:
        """Another one for each clip of a kind, beginning with the `turn`-th."""
        return self.videos[(self.number + turn) % len(self.videos)]

    def actor(self, turn: int, later: int = 3) -> Actor:
        """The object of a video, on the longest stretch of frames on which it is in one piece, back and forth, from so
        many frames after its beginning on."""
        video = self.video(turn)
        masks = [video.labels(k) == 1 for k in range(len(video))]
        stretch = longest([unity(mask) >= 0.97 for mask in masks])
        if len(stretch) < 2:
            raise DataError(f"{video.name}: no two frames on which object 1 is in one piece; take it out of the list")
        order = [stretch[k] for k in there_and_back(len(stretch), later, self.frames)]
        pieces = tuple(clean(cut(video.read(k)[0], masks[k])) for k in order)
        return Actor(pieces, smooth(np.array([centre(masks[k].astype(np.uint8)) for k in order])))

    def ground(self, turn: int, empty: bool = False) -> Film:
        """The part of a video's frames that shows least of its own object. empty: nothing at all is left of that."""
        video = self.video(turn)
        pairs = [video.read(k) for k in there_and_back(len(video), 0, self.frames)]
        masks = [labels > 0 for _, labels in pairs]
        (h, w), share = masks[0].shape, 0.55 if empty else 0.9
        scale = min(h / H, w / W) * share
        corner = emptiest(np.mean(masks, axis=0), (round(H * scale), round(W * scale)))
        view = Pose(corner, (0, 0), 1 / scale)
        images = [fill(image, mask) if empty and mask.any() else image for (image, _), mask in zip(pairs, masks)]
        return unzip(warp(image, np.zeros((h, w), np.uint8), view, SIZE) for image in images)

    def sway(self, reach: float = 0.012) -> np.ndarray:
        """(T, 2) pixels: a slow swing, so that nothing moves as along a ruler."""
        pace, phase = self.rng.uniform(0.15, 0.35, 2), self.rng.uniform(0, 2 * np.pi, 2)
        return reach * H * np.sin(np.arange(self.frames)[:, None] * pace + phase)

    def way_from(self, start: tuple[float, float], end: tuple[float, float], sway: float = 0.012) -> np.ndarray:
        """(T, 2) pixels, from one point to another, both given in shares of the frame."""
        return np.linspace(start, end, self.frames) * (W, H) + self.sway(sway)


def there_and_back(length: int, first: int, count: int) -> list[int]:
    """`count` of `length` frames: from `first` on to the last, back to frame 0, and so on."""
    period = max(1, 2 * length - 2)
    return [period - k if k >= length else k for k in ((first + t) % period for t in range(count))]


def unity(mask: np.ndarray) -> float:
    """The share of a mask (H, W) bool that is its largest part, 0 if it is empty."""
    areas = cv2.connectedComponentsWithStats(mask.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
    return float(areas.max() / areas.sum()) if len(areas) else 0.0


def longest(flags: Sequence[bool]) -> range:
    """The longest run of True, the first of those."""
    runs, begin = [range(0)], 0
    for k, flag in enumerate([*flags, False]):
        if not flag:
            runs.append(range(begin, k))
            begin = k + 1
    return max(runs, key=len)


def smooth(values: np.ndarray, reach: int = 4) -> np.ndarray:
    """(T, ...) means of those within `reach` frames, of as many before as after."""
    reaches = (min(reach, t, len(values) - 1 - t) for t in range(len(values)))
    return np.array([values[t - r : t + r + 1].mean(axis=0) for t, r in enumerate(reaches)])


def emptiest(share: np.ndarray, size: tuple[int, int]) -> tuple[float, float]:
    """(x, y) of the top left corner of the part of `size` with the lowest mean of `share` (H, W)."""
    means = cv2.boxFilter(share, -1, size[::-1], anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    means = means[: share.shape[0] - size[0] + 1, : share.shape[1] - size[1] + 1]
    y, x = np.unravel_index(np.argmin(means), means.shape)
    return float(x), float(y)


def play(
    film: Film,
    actor: Actor,
    path: np.ndarray,
    zoom: float | np.ndarray,
    value: int = 1,
    *,
    flip: bool = False,
    behind: bool = False,
    seen: Sequence[bool] | None = None,
) -> Film:
    """The film with the actor's centre on `path` (T, 2), labelled `value`; seen: on which frames, on all if None."""
    shots = []
    for t, (image, labels) in enumerate(zip(*film, strict=True)):
        frame: Film = ([image], [labels])
        if seen is None or seen[t]:
            (x, y), at = actor.centres[t].tolist(), path[t].tolist()
            pose = Pose((x, y), (at[0], at[1]), float(np.broadcast_to(zoom, len(path))[t]), flip=flip)
            frame = lay(frame, Track((actor.pieces[t],), (x, y)), [pose], value, behind)
        shots.append((frame[0][0], frame[1][0]))
    return unzip(shots)
