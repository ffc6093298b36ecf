"""Masks as polygons of pixels: the outlines of their pieces and holes, and one polygon of all of them."""

from __future__ import annotations

import cv2
import numpy as np

_AT_ONCE = 512  # points whose distances to all others are in memory together


def outlines(binary: np.ndarray) -> list[np.ndarray]:
    """Binary mask (H, W) bool -> closed outlines (N, 2) int32, each of the (x, y) of neighbouring pixels of the mask.

    Of every piece its outer border, of every hole the pixels around it; of a single pixel that one alone. To fill them
    all together by the rule of even and odd, borders included, gives the mask.
    """
    found, _ = cv2.findContours(binary.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return [one[:, 0] for one in found]


def as_one_polygon(binary: np.ndarray) -> np.ndarray:
    """Binary mask (H, W) bool with some pixel -> one polygon (N, 2) int32 of pixels, N at least 3.

    To fill it by the rule of even and odd, border included, gives the mask, and with it the seams, one pixel wide, that
    join its pieces. Seams to holes run within the mask, and so change nothing: between the nearest points of two
    outlines lies no third.
    """
    first, *rest = sorted(outlines(binary), key=len, reverse=True)
    polygon = _simple(_joined(first, rest))
    return polygon if len(polygon) > 2 else np.resize(polygon, (3, 2))


def _joined(first: np.ndarray, rest: list[np.ndarray]) -> np.ndarray:
    """All outlines as one closed walk: always the nearest next, there and back by one straight line (a minimal spanning
    tree, Prim 1957)."""
    walk = first
    if not rest:
        return walk
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
        squared.append(apart.min(1) + own[part])
    return np.concatenate(found), np.concatenate(squared)


def _simple(walk: np.ndarray) -> np.ndarray:
    """A closed walk without the points on its straight stretches. Where it turns back there is a point."""
    if len(walk) < 3:
        return walk
    before, after = walk - np.roll(walk, 1, axis=0), np.roll(walk, -1, axis=0) - walk
    along = (before == after).all(1)
    return walk[~along] if not along.all() else walk
