"""Moving copies of a clip's own objects: only where each of them goes tells which one was meant."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from camn.clips.appearance import colour_matrix
from camn.clips.blur import Point, centre
from camn.clips.motion import Pose, cut
from camn.clips.options import ClipOptions
from camn.clips.scenes import Film, drawn
from camn.clips.tracks import EDGE, Track, clean, lay, next_value, settle
from camn.masks import IGNORE


@dataclass(frozen=True)
class Way:
    """How far a copy is from the object: `first` on frame 0, `speed` more on each after it, in the object's extents."""

    first: float
    speed: float
    behind: bool


def way_of(rng: np.random.Generator, length: int) -> Way:
    """Out from behind the object, by it on either side, or away from it until it leaves the picture."""
    kind, speed = rng.random(), rng.uniform(0.12, 0.5)
    if kind < 0.5:
        return Way(rng.uniform(0, 0.2), speed, behind=True)
    if kind < 0.8:
        speed = rng.uniform(0.3, 0.8)
        return Way(-speed * rng.uniform(0.7, max(1.0, length - 1.5)), speed, behind=rng.random() < 0.5)
    return Way(rng.uniform(0.8, 1.3), speed, behind=rng.random() < 0.5)


def timing(rng: np.random.Generator, length: int) -> list[int]:
    """Which frame's object a copy shows on each frame: the same, one later or earlier, or all backwards."""
    same = list(range(length))
    kind = rng.random()
    if kind < 0.4 or length == 1:
        return same
    if kind < 0.7:
        return same[::-1]
    return [*same[1:], length - 2] if kind < 0.85 else [1, *same[:-1]]


def copied(rng: np.random.Generator, film: Film, value: int, options: ClipOptions) -> tuple[Track, list[Point]]:
    """The object as a track, often in other colours and at other times, and its centre in the copied frames."""
    masks = [labels == value for labels in film[1]]
    order = timing(rng, len(masks))
    pieces = tuple(clean(cut(film[0][k], masks[k])) if masks[k].any() else None for k in order)
    centres = [centre(masks[k].astype(np.uint8)) for k in order]
    track = Track(pieces, centres[0])
    if rng.random() < 0.5:
        track = track.looking(colour_matrix(rng, replace(options.appearance, grey=0.0)))
    return track, centres


def heading(rng: np.random.Generator, mask: np.ndarray) -> tuple[float, bool] | None:
    """(direction in degrees of a copy's way, mostly to a side; whether the border cuts the object (H, W) off).

    What one border cuts off goes along it, so that the cut stays at the border; None where it is two that do.
    """
    sides = (np.count_nonzero(mask[[0, -1]]), np.count_nonzero(mask[:, [0, -1]]))
    long = [side > EDGE * np.sqrt(np.count_nonzero(mask)) for side in sides]
    if all(long):
        return None
    turned = 180.0 if rng.random() < 0.5 else 0.0
    return (turned + (0 if long[0] else 90 if long[1] else rng.normal(0, 25)), any(long))


def join_alike(rng: np.random.Generator, film: Film, options: ClipOptions) -> Film:
    """The film with a copy of one of its objects on a way of its own, as background or as an object more."""
    first = film[1][0]
    areas = np.bincount(first.ravel(), minlength=256)[:IGNORE] / first.size
    headings = {k: heading(rng, first == k) for k in range(1, IGNORE) if options.min_area <= areas[k] <= 0.4}
    ways = [(k, *found) for k, found in headings.items() if found is not None]
    if not ways:
        return film
    value, angle, pinned = ways[int(rng.integers(len(ways)))]
    track, anchors = copied(rng, film, value, options)
    way = way_of(rng, len(film[0]))
    places = _places(rng, [labels == value for labels in film[1]], way, angle)
    least, most = (1.0, 1.1) if pinned else (0.85, 1.0) if way.behind else (0.8, 1.2)
    tilt = 0.0 if pinned else rng.uniform(-6, 6)
    look = Pose((0, 0), (0, 0), rng.uniform(least, most), tilt, flip=drawn(rng, options.flip))
    poses = [replace(look, anchor=anchor, at=at) for anchor, at in zip(anchors, places, strict=True)]
    return settle(lay(film, track, poses, next_value(rng, film, options, 0.35), way.behind))


def _places(rng: np.random.Generator, masks: list[np.ndarray], way: Way, angle: float) -> list[Point]:
    """Where the copy's centre is on each frame: it goes along with the object but for its way, or from where it was."""
    along = rng.random() < 0.5
    centres = [centre(mask.astype(np.uint8)) for mask in masks]
    ahead = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    reach = np.ptp(np.argwhere(masks[0])[:, ::-1] @ ahead)
    places, last = [], centres[0]
    for t, here in enumerate(centres):
        last = here if along and not np.isnan(here[0]) else last
        x, y = np.array(last) + ahead * reach * (way.first + way.speed * t)
        places.append((float(x), float(y)))
    return places
