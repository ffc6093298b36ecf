"""How a training clip is staged: which objects of a still or a video are followed, how they move, what crosses them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from camn.clips.blur import smear
from camn.clips.halves import half
from camn.clips.motion import Piece, Pose, cut, drift, fill, paste, ripple, tilting, warp, zooming
from camn.clips.options import ClipOptions
from camn.datasets.sequence import VideoSequence
from camn.datasets.stills import Still
from camn.masks import IGNORE

Film = tuple[list[np.ndarray], list[np.ndarray]]  # frames (H, W, 3) and labels (H, W) at the clip's size


def drawn(rng: np.random.Generator, chance: float) -> bool:
    """Whether chance has it so. A chance of 0 takes no number, so that new options leave old clips as they were."""
    return chance > 0 and rng.random() < chance


def choose(rng: np.random.Generator, labels: np.ndarray, most: int, smallest: float = 0.003) -> list[int]:
    """Up to `most` ids, largest first, drawn with weight sqrt(area), of `smallest` to 0.7 of the picture."""
    areas = np.bincount(labels.ravel(), minlength=256)[1:IGNORE] / labels.size
    ids = np.flatnonzero((areas >= smallest) & (areas <= 0.7)) + 1
    if not len(ids):
        return []
    weights = np.sqrt(areas[ids - 1])
    count = int(rng.integers(1, min(most, len(ids)) + 1))
    picked = rng.choice(ids, count, replace=False, p=weights / weights.sum())
    return sorted((int(i) for i in picked), key=lambda i: -areas[i - 1])


def relabel(labels: np.ndarray, ids: list[int]) -> np.ndarray:
    """(H, W) uint8 in which ids[k] has become k + 1, other objects 0; 255 stays."""
    table = np.zeros(256, np.uint8)
    table[ids] = np.arange(1, len(ids) + 1)
    table[IGNORE] = IGNORE
    return table[labels]


def as_one(rng: np.random.Generator, still: Still, labels: np.ndarray, options: ClipOptions) -> np.ndarray:
    """The labels, or, of a kind whose objects are parts, by chance their union as object 1."""
    if still.kind not in options.merged or rng.random() >= options.merge:
        return labels
    return relabel(np.where((labels > 0) & (labels < IGNORE), 1, labels), [1])


def objects_of(rng: np.random.Generator, still: Still, labels: np.ndarray, options: ClipOptions) -> np.ndarray:
    """The labels with the objects drawn as 1, 2, ..., the others as background."""
    labels = as_one(rng, still, labels, options)
    return relabel(labels, choose(rng, labels, options.max_objects))


def part_of(rng: np.random.Generator, still: Still, labels: np.ndarray, options: ClipOptions) -> np.ndarray:
    """The labels with one part as object 1 and its whole as background: half of an object; of `merged`, a part."""
    labels = relabel(labels, choose(rng, labels, 1))
    if still.kind in options.merged and rng.random() < 0.8:
        return labels
    halves = half(rng, [labels])
    return labels if halves is None else halves[0]


def look_at(
    rng: np.random.Generator, labels: np.ndarray, options: ClipOptions, scale: tuple[float, float], tilt: float
) -> Pose | None:
    """A view whose crop lies around a random object pixel, inside the picture where it fits; None without objects."""
    (h, w), (height, width) = labels.shape, options.size
    where = np.flatnonzero((labels > 0) & (labels < IGNORE))
    if not len(where):
        return None
    zoom = np.exp(rng.uniform(*np.log(scale))) * 360 / min(h, w)
    zoom = max(zoom, 0.95 * height / h, 0.95 * width / w)
    y, x = divmod(int(rng.choice(where)), w)
    half = np.array([width, height]) / zoom / 2
    centre = np.array([x, y]) + rng.uniform(-0.6, 0.6, 2) * half
    centre = np.where(2 * half < (w, h), np.clip(centre, half, np.maximum(half, (w, h) - half)), (w / 2, h / 2))
    return Pose(
        anchor=(float(centre[0]), float(centre[1])),
        at=((width - 1) / 2, (height - 1) / 2),
        zoom=float(zoom),
        angle=rng.uniform(-15, 15) * tilt,
        shear=rng.uniform(-0.1, 0.1) * tilt,
        stretch=float(np.exp(rng.uniform(-0.2, 0.2) * tilt)),
        flip=rng.random() < options.flip,
    )


def unzip(shots: Iterable[tuple[np.ndarray, np.ndarray]]) -> Film:
    """The film of these (frame, labels)."""
    frames, labels = zip(*shots, strict=True)
    return list(frames), list(labels)


def bend(rng: np.random.Generator, options: ClipOptions, pace: float, always: bool) -> list[np.ndarray | None]:
    """Of each frame the displacements by ripples and perspective, None for none. `always`: ripples of 0 are drawn."""
    t, reach = options.frames, options.ripple * pace
    waves = ripple(rng, t, options.size, reach) if always or reach > 0 else [None] * t
    if options.perspective == 0:
        return [*waves]
    views = tilting(rng, t, options.size, options.perspective, pace)
    return [view if wave is None else wave + view for wave, view in zip(waves, views, strict=True)]


def move(rng: np.random.Generator, film: Film, view: Pose, options: ClipOptions, pace: float) -> Film:
    """Each picture through a view that drifts and bends: one warp a frame. `pace` is a share of the full motion."""
    t, size = len(film[0]), options.size
    poses = drift(rng, view, t, min(size), options.motion.times(pace))
    if drawn(rng, options.zoom):
        poses = zooming(rng, poses, 0.95 * max(np.divide(size, film[0][0].shape[:2])))
    fields = bend(rng, options, pace, always=False)
    shots = zip(*film, poses, fields, strict=True)
    frames, labels = unzip(warp(image, labels, pose, size, field) for image, labels, pose, field in shots)
    return smear(rng, frames, [pose.at for pose in poses]) if drawn(rng, options.smear) else frames, labels


def span(rng: np.random.Generator, sequence: VideoSequence, options: ClipOptions) -> list[int] | None:
    """Indices of annotated frames at one gap, in the order of a clip; None where the sequence is too short."""
    shown, last = sequence.annotated, options.frames - 1
    gap = int(rng.integers(options.gap[0], options.gap[1] + 1))
    gap = min(gap, (len(shown) - 1) // last) if last else gap
    if gap < 1:
        return None
    start = int(rng.integers(len(shown) - gap * last))
    order = [shown[start + gap * k] for k in range(options.frames)]
    return order[::-1] if rng.random() < options.reverse else order


def from_video(rng: np.random.Generator, sequence: VideoSequence, options: ClipOptions) -> Film | None:
    """Annotated frames of a sequence, forwards or backwards, in a crop around an object of the first of them.

    The gap from one to the next is the same all through, and counts annotated frames.
    """
    order = span(rng, sequence, options)
    if order is None:
        return None
    pairs = [sequence.read(k) for k in order]
    ids = choose(rng, pairs[0][1], options.max_objects)
    labels = [relabel(labels, ids) for _, labels in pairs]
    if drawn(rng, options.part):
        labels = half(rng, labels) or labels
    view = look_at(rng, labels[0], options, options.video_scale, tilt=0.4)
    if view is None:
        return None
    return move(rng, ([image for image, _ in pairs], labels), view, options, options.video_motion * rng.uniform())


def from_still(rng: np.random.Generator, still: Still, behind: Still | None, options: ClipOptions) -> Film | None:
    """A still seen by a drifting camera; or, with `behind`, its objects moving over that picture or over their own."""
    image, labels = still.read()
    part = drawn(rng, options.part)
    labels = part_of(rng, still, labels, options) if part else objects_of(rng, still, labels, options)
    view = look_at(rng, labels, options, options.still_scale, tilt=1.0)
    if view is None:
        return None
    t, pace = options.frames, rng.uniform(0.1, 1)
    if behind is None or part:  # a part stays with its whole
        return move(rng, ([image] * t, [labels] * t), view, options, pace)
    if rng.random() < 0.5:
        ground, ground_view = fill(image, labels > 0), view
    else:
        ground = behind.read()[0]
        everywhere = np.ones(ground.shape[:2], np.uint8)
        view = replace(view, zoom=view.zoom * rng.uniform(0.4, 1))  # stills hardly have small objects of their own
        ground_view = look_at(rng, everywhere, options, options.still_scale, tilt=1.0)
        assert ground_view is not None
    empty = np.zeros(ground.shape[:2], np.uint8)
    unzoomed = replace(options, zoom=0.0)  # what moves over it does not zoom
    film = move(rng, ([ground] * t, [empty] * t), ground_view, unzoomed, 0.5 * pace)
    for value in range(1, int(np.max(labels, where=labels < IGNORE, initial=0)) + 1):
        piece = cut(image, labels == value)
        middle = tuple(np.add(piece.corner, piece.centre))
        at = view.matrix() @ (*middle, 1.0)
        start = replace(view, anchor=piece.centre, at=(float(at[0]), float(at[1])))
        film = cross(rng, film, piece, start, value, options, pace)
    return film


def cross(
    rng: np.random.Generator,
    film: Film,
    piece: Piece,
    start: Pose,
    value: int,
    options: ClipOptions,
    pace: float,
    velocity: tuple[float, float] = (0.0, 0.0),
) -> Film:
    """The film with `piece` drifting over it, labelled `value`."""
    t = len(film[0])
    if start.zoom < 0.6:
        factor = start.zoom
        piece = piece.shrunk(factor)
        start = replace(start, anchor=piece.centre, zoom=start.zoom / factor)
    poses = drift(rng, start, t, min(options.size), options.motion.times(pace), velocity)
    fields = bend(rng, options, pace, always=True)
    shots = zip(*film, poses, fields, strict=True)
    return unzip(paste(image, labels, piece, pose, value, field) for image, labels, pose, field in shots)


def piece_of(rng: np.random.Generator, still: Still, options: ClipOptions) -> Piece | None:
    """One object of a still, of 1% to 50% of its picture, or None if it has none."""
    image, labels = still.read()
    labels = as_one(rng, still, labels, options)
    ids = choose(rng, labels, 1, smallest=0.01)
    mask = labels == ids[0] if ids else None
    return None if mask is None or mask.mean() > 0.5 else cut(image, mask)


def pass_by(
    rng: np.random.Generator, film: Film, piece: Piece, options: ClipOptions, zoom: float | None = None
) -> Film:
    """The film crossed by `piece`, by chance over an object; it is a further object if there is room, or background."""
    (h, w), labels = options.size, film[1][0]
    count = int(np.max(labels, where=labels < IGNORE, initial=0))
    value = count + 1 if count < options.max_objects and rng.random() < 0.5 else 0
    velocity = rng.uniform(-0.15, 0.15, 2) * min(h, w)
    over = np.flatnonzero((labels > 0) & (labels < IGNORE))
    if value == 0 and len(over) and rng.random() < 0.5:
        place = np.array(divmod(int(rng.choice(over)), w)[::-1])
    else:
        place = rng.uniform(0, 1, 2) * (w, h)
    at = place - velocity * rng.uniform(0, len(film[0]) - 1)
    if zoom is None:
        zoom = float(np.exp(rng.uniform(*np.log((0.12, 0.5))))) * min(h, w) / piece.side
    start = Pose(
        piece.centre, (float(at[0]), float(at[1])), zoom, rng.uniform(-20, 20), flip=rng.random() < options.flip
    )
    return cross(rng, film, piece, start, value, options, rng.uniform(0.1, 1), (float(velocity[0]), float(velocity[1])))
