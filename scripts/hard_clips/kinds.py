"""The kinds of scenes. Each is a function of a `Stage` that gives a film: label 1 is the object, 0 is all else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from camn.clips.scenes import Film, unzip
from camn.datasets.sequence import VideoSequence
from camn.errors import ConfigError, DataError
from hard_clips.patches import cloth, painted, past_pole, spots
from hard_clips.stage import H, Stage, W, play

LEAST = 24  # frames: fewer leave no time to go away and come back
CAST = 6  # videos: with fewer, a scene would have one video's object over the frames of the same


def twin(stage: Stage) -> Film:
    """A copy of the object at another moment, every other one mirrored, comes out from behind it and walks off."""
    rng, way, birth = stage.rng, stage.way, stage.frames // 8
    actor, other = stage.actor(1), stage.actor(1, later=int(rng.integers(5, 9)))
    zoom = actor.zoom(0.24, 0.5)
    path = stage.way_from((0.5 - 0.16 * way, 0.52), (0.5 - 0.28 * way, 0.55))
    film = play(stage.ground(2), actor, path, zoom)
    gone = np.maximum(0, np.arange(stage.frames) - birth)[:, None] / (stage.frames - 1 - birth)
    off = path[birth] + gone * np.array((0.52 * way * W, rng.uniform(-0.08, 0.04) * H)) + stage.sway()
    seen = [t >= birth for t in range(stage.frames)]
    look = other.brighter(rng.uniform(0.88, 1.12))
    return play(film, look, off, zoom * rng.uniform(0.88, 0.96), 0, flip=stage.number % 4 > 1, behind=True, seen=seen)


def part(stage: Stage) -> Film:
    """A patch on the object, 3 to 12% of it, is asked for; every other clip has a larger one like it beside it."""
    rng, actor = stage.rng, stage.actor(4)
    texture = cloth(stage.actor(1).pieces[0])
    share = float(np.exp(rng.uniform(*np.log((0.03, 0.12)))))
    spot = max(spots(rng, actor, share), key=lambda s: float(np.hypot(*s.place)))
    if stage.number % 2:
        apart = [s for size in (3, 2, 1.2) for s in spots(rng, actor, size * share) if s.gap(spot) > 0.05]
        if apart:
            actor = painted(actor, apart[0], texture)[0]
    actor, patches = painted(actor, spot, texture)
    path, zoom = stage.way_from((0.45, 0.52), (0.55, 0.5), sway=0.02), actor.zoom(0.55, 0.8)
    return play(play(stage.ground(3), actor, path, zoom, 0), patches, path, zoom)


def occluder(stage: Stage) -> Film:
    """The object passes behind a pole of 0.3 to 0.6 of its width."""
    way, actor = stage.way, stage.actor(2)
    zoom = actor.zoom(0.3, 0.6)
    path = stage.way_from((0.5 - 0.3 * way, 0.55), (0.5 + 0.3 * way, 0.52))
    film = play(stage.ground(1), actor, path, zoom)
    width = stage.rng.uniform(0.3, 0.6) * actor.box[0] * zoom
    bark = stage.video(4).read(0)[0]
    bark = bark[:, : max(1, bark.shape[1] // 6)]
    drift = stage.rng.uniform(-0.04, 0.04)
    middles = np.linspace(0.5 - drift, 0.5 + drift, stage.frames) * W
    return unzip(past_pole(image, ids, x, width, bark) for image, ids, x in zip(*film, middles.tolist(), strict=True))


def returning(stage: Stage) -> Film:
    """The object leaves on one side and, 6 to 10 frames later, comes in on the other."""
    way, actor, t = stage.way, stage.actor(0), np.arange(stage.frames)
    zoom = actor.zoom(0.26, 0.55)
    reach, out = actor.reach * zoom + 1, stage.frames // 3
    back = out + int(stage.rng.integers(6, 11))
    start, far = 0.45 * W, 0.55 * W + reach  # what it goes, were it to the right, from its start until it is out
    x = np.where(t < out, start + far * t / out, far * (t + 1 - back) / out - reach)
    path = np.stack([x if way > 0 else W - x, 0.55 * H + stage.sway()[:, 1]], axis=1)
    return play(stage.ground(3), actor, path, zoom, seen=((t < out) | (t >= back)).tolist())


def shrink(stage: Stage) -> Film:
    """The object goes away until its box is of 16 to 24 pixels, which it stays for the last fifth."""
    actor = stage.actor(3)
    first, last = actor.zoom(0.32, 0.6), stage.rng.uniform(16, 24) / actor.box.max()
    share = np.minimum(1, np.arange(stage.frames) / (0.8 * stage.frames))
    path = stage.way_from((0.35, 0.58), (0.66, 0.4))
    return play(stage.ground(1, empty=True), actor, path, first * (last / first) ** share)


def cutting(stage: Stage) -> Film:
    """A cut to other ground, the object elsewhere at another size; the third clip's is to one without it, and back."""
    actor = stage.actor(5)
    zoom = actor.zoom(0.3, 0.6)
    here = play(stage.ground(2), actor, stage.way_from((0.3, 0.55), (0.4, 0.5)), zoom)
    if stage.number % 3 == 2:
        films = [here, stage.ground(4), here]
    else:
        far = stage.way_from((0.72, 0.45), (0.66, 0.5))
        films = [here, play(stage.ground(4), actor, far, zoom * (0.6, 1.4)[stage.number % 2])]
    return unzip((films[k][0][t], films[k][1][t]) for t, k in enumerate(shares(stage.frames, len(films))))


def shares(frames: int, count: int) -> list[int]:
    """Of each frame the shot that it is in, of `count` that are of about the same length."""
    return [t * count // frames for t in range(frames)]


# by name: how many clips there are of it, and what stages one
KINDS: dict[str, tuple[int, Callable[[Stage], Film]]] = {
    "twin": (4, twin),
    "part": (4, part),
    "occluder": (3, occluder),
    "return": (3, returning),
    "shrink": (3, shrink),
    "cut": (3, cutting),
}


def scene(videos: Sequence[VideoSequence], kind: str, number: int, frames: int, seed: int) -> Film:
    """The `number`-th clip of a kind, from 0. Raises ConfigError, DataError."""
    if frames < LEAST:
        raise ConfigError(f"frames is {frames}: a scene takes {LEAST} or more")
    if len(videos) < CAST:
        raise DataError(f"the list names {len(videos)} videos: scenes take {CAST} or more, to mix objects and grounds")
    return KINDS[kind][1](Stage(np.random.default_rng((seed, *kind.encode(), number)), videos, number, frames))


def scenes(
    videos: Sequence[VideoSequence], frames: int, seed: int, each: int | None = None
) -> Iterator[tuple[str, Film]]:
    """(name, film) of all clips, one after the other; each: so many of each kind."""
    for kind, (count, _) in KINDS.items():
        for number in range(count if each is None else each):
            yield f"{kind}-{number + 1}", scene(videos, kind, number, frames, seed)
