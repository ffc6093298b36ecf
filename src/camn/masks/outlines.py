"""Masks as polygons."""

from __future__ import annotations

import cv2
import numpy as np

_AT_ONCE = 512  # points whose distances to all others are in memory together


def as_one_polygon(binary: np.ndarray) -> np.ndarray:
    """Binary mask (H, W) bool with some pixel -> one polygon (N, 2) float64 of (x, y) in pixels, (0, 0) being the
    picture's corner, N at least 4.

    It runs a quarter of a pixel within the borders of the mask, its pieces and its holes, which are joined by seams,
    there and back. So it gives the mask, holes and all, to readers of two kinds. Those that take a pixel if its centre
    is within, as COCO does, by the rule of even and odd: seams have no width. And those that cut coordinates off and
    draw the border, too, as Ultralytics does: there seams between pieces are a pixel wide. Seams to holes lie in the
    mask: between the nearest points of two outlines there is no third.
    """
    double = binary.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    found, _ = cv2.findContours(double, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    first, *rest = sorted((one[:, 0] for one in found), key=len, reverse=True)
    return (_simple(_joined(first, rest)) + 0.5) / 2


def _joined(first: np.ndarray, rest: list[np.ndarray]) -> np.ndarray:
    """All outlines as one closed walk: always the nearest next, there and back by one straight line (a minimal spanning
    tree, Prim 1957)."""
    if not rest:
        return first
    walk = first
    points = np.concatenate(rest)
    owner = np.repeat(np.arange(len(rest)), [len(one) for one in rest])
    distance = np.full(len(points), np.inf)
    partner = np.zeros((len(points), 2), points.dtype)
    new = first
    while len(points):
        nearest, squared = _nearest(points, new)
        closer = squared < distance
        distance[closer], partner[closer] = squared[closer], new[nearest[closer]]
        end = int(distance.argmin())
        new = points[owner == owner[end]]
        start = int(np.flatnonzero((walk == partner[end]).all(1))[0])
        turned = np.roll(new, -int(np.flatnonzero((new == points[end]).all(1))[0]), axis=0)
        walk = np.concatenate((walk[: start + 1], turned, turned[:1], walk[start:]))
        left = owner != owner[end]
        points, owner, distance, partner = points[left], owner[left], distance[left], partner[left]
    return walk


def _nearest(points: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each point (x, y) the index of the nearest target, and the square of its distance."""
    points, targets = points.astype(np.float64), targets.astype(np.float64)
    own, theirs = (points**2).sum(1), (targets**2).sum(1)
    found, squared = [], []
    for start in range(0, len(points), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        apart = theirs - 2 * points[part] @ targets.T  # without what is the same for all targets
        found.append(apart.argmin(1))
        squared.append(apart[np.arange(len(apart)), found[-1]] + own[part])
    return np.concatenate(found), np.concatenate(squared)


def _simple(walk: np.ndarray) -> np.ndarray:
    """A closed walk without the points on its straight stretches. Where it turns back there is a point."""
    before, after = walk - np.roll(walk, 1, axis=0), np.roll(walk, -1, axis=0) - walk
    return walk[(before != after).any(1)]
