"""Poles, trunks and fences that objects pass behind: thin, background, standing still or drifting by."""

from __future__ import annotations

import cv2
import numpy as np

from camn.clips.motion import Piece, Pose
from camn.clips.options import ClipOptions
from camn.clips.scenes import Film, cross
from camn.masks import IGNORE


def bar_spans(rng: np.random.Generator, side: float) -> list[tuple[float, float]]:
    """(middle, width) of each bar, pixels, about 0: one or two poles of 2 to 22% of `side`, or a fence of thin ones."""
    if rng.random() < 0.2:
        width, space = max(2.0, side * rng.uniform(0.01, 0.03)), side * rng.uniform(0.08, 0.25)
        return [(space * k, width) for k in range(-4, 5)]
    widths = side * np.exp(rng.uniform(np.log(0.02), np.log(0.22), int(rng.integers(1, 3))))
    return [(k * side * rng.uniform(0.25, 0.6), max(2.0, float(width))) for k, width in enumerate(widths)]


def bars(rng: np.random.Generator, texture: np.ndarray, side: int) -> Piece:
    """Upright bars, twice `side` high and wide, with a part of `texture` (H, W, 3) drawn out along them."""
    full, (h, w) = 2 * side, texture.shape[:2]
    spans = bar_spans(rng, side)
    alpha = np.zeros((full, full), np.uint8)
    for middle, width in spans:
        lean = rng.uniform(-0.2, 0.2) * width
        ends = [(-width / 2 - lean, 0), (width / 2 + lean, 0), (width / 2 - lean, full), (lean - width / 2, full)]
        corners = np.array([(side + middle + x, y) for x, y in ends]) * 16
        cv2.fillPoly(alpha, [np.round(corners).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    if len(spans) > 2 and rng.random() < 0.5:  # a fence's rails
        for y in side + side * rng.uniform(-0.3, 0.3) * np.array([-1, 1]):
            half = spans[0][1] / 2
            cv2.rectangle(alpha, (0, int(y - half)), (full, int(y + half)), (255,), -1)
    tall, wide = max(2, int(h * rng.uniform(0.05, 0.3))), max(2, int(w * rng.uniform(0.2, 0.6)))
    y, x = int(rng.integers(h - tall + 1)), int(rng.integers(w - wide + 1))
    bark = cv2.resize(texture[y : y + tall, x : x + wide], (full, full), interpolation=cv2.INTER_LINEAR)
    return Piece(cv2.convertScaleAbs(bark, alpha=rng.uniform(0.4, 1.1)), alpha)


def join_bars(rng: np.random.Generator, film: Film, texture: np.ndarray, options: ClipOptions) -> Film:
    """The film with bars before all of it, one of which lies over an object's pixel on some frame."""
    (h, w), t = options.size, len(film[0])
    piece = bars(rng, texture, max(h, w))
    frame = int(rng.integers(t))
    where = np.flatnonzero((film[1][frame] > 0) & (film[1][frame] < IGNORE))
    x = int(rng.choice(where)) % w if len(where) else rng.uniform(0, w)
    speed = 0.0 if rng.random() < 0.4 else rng.uniform(-0.2, 0.2) * w
    angle = rng.normal(0, 6) if rng.random() < 0.8 else rng.uniform(-45, 45)
    start = Pose(piece.centre, (float(x - speed * frame), h / 2), 1.0, float(angle))
    return cross(rng, film, piece, start, 0, options, rng.uniform(0, 0.3), (float(speed), 0.0))
