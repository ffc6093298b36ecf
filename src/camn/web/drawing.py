"""From a box or some strokes to an object's mask, by GrabCut (Rother et al., SIGGRAPH 2004), fast enough to be shown at
once: on the surroundings alone, and not at more than WORK pixels."""

from __future__ import annotations

import cv2
import numpy as np

from camn.projects.problem import Problem
from camn.web.schemas import Stroke

WORK = 320  # longer side at work, in pixels
MARGIN = 0.25  # of the marked extent, around it: there GrabCut learns what the background looks like
ROUNDS = 3
Box = tuple[int, int, int, int]  # left, top, right, bottom; the last two not included


def from_box(image: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    """image (H, W, 3) uint8 RGB, box (x0, y0, x1, y1) in pixels -> (H, W) bool; all outside is background.

    Raises Problem for a box that holds less than 2x2 pixels of the frame."""
    inner = _clip(box, image.shape)
    if inner[2] - inner[0] < 2 or inner[3] - inner[1] < 2:
        raise Problem("invalid", "The box lies outside the frame or is too small; draw one around the object.")
    labels = np.full(image.shape[:2], cv2.GC_BGD, np.uint8)
    labels[inner[1] : inner[3], inner[0] : inner[2]] = cv2.GC_PR_FGD
    return _cut(image, labels, _around(inner, image.shape))


def from_strokes(image: np.ndarray, strokes: list[Stroke], mask: np.ndarray | None = None) -> np.ndarray:
    """Strokes over the object, and over what is not -> (H, W) bool. mask (H, W) bool: what they correct.

    Without a mask the object lies within the strokes' extent and a half of it around. Raises Problem if nothing is
    marked as object."""
    labels = np.full(image.shape[:2], cv2.GC_PR_BGD, np.uint8)
    if mask is not None:
        labels[mask] = cv2.GC_PR_FGD
    for stroke in strokes:
        _draw(labels, stroke)
    fore = labels == cv2.GC_FGD
    if not fore.any() and (mask is None or not (labels == cv2.GC_PR_FGD).any()):
        raise Problem("invalid", "No stroke lies on the object; scribble over a part of it.")
    extent = _extent((labels != cv2.GC_PR_BGD) & (labels != cv2.GC_BGD))
    grown = _around(extent, image.shape, 0.5)
    outside = np.ones(labels.shape, bool)
    outside[grown[1] : grown[3], grown[0] : grown[2]] = False
    labels[outside] = cv2.GC_BGD
    return _cut(image, labels, _around(grown, image.shape), guess=mask is None)


def _draw(labels: np.ndarray, stroke: Stroke) -> None:
    value = cv2.GC_FGD if stroke.foreground else cv2.GC_BGD
    points = np.rint(np.array(stroke.points)).astype(np.int32)
    points = np.clip(points, -20_000, 20_000)
    radius = max(1, round(stroke.radius))
    if len(points) == 1:
        cv2.circle(labels, points[0].tolist(), radius, int(value), -1)
    else:
        cv2.polylines(labels, [points[:, None]], False, int(value), min(2 * radius, 2000))


def _cut(image: np.ndarray, labels: np.ndarray, window: Box, guess: bool = False) -> np.ndarray:
    left, top, right, bottom = window
    part, marks = image[top:bottom, left:right], labels[top:bottom, left:right]
    height, width = marks.shape
    scale = min(1.0, WORK / max(height, width))
    small = (max(2, round(width * scale)), max(2, round(height * scale)))
    work = cv2.cvtColor(cv2.resize(part, small, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    seeds = cv2.resize(marks, small, interpolation=cv2.INTER_NEAREST)
    drawn = cv2.resize((marks == cv2.GC_FGD).astype(np.float32), small, interpolation=cv2.INTER_AREA)
    seeds[drawn > 0] = cv2.GC_FGD  # a thin stroke must not vanish
    cv2.setRNGSeed(0)  # the same marks give the same mask
    found = _grab(work, _guessed(work, seeds) if guess else seeds)
    inside = cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    inside = (inside & (marks != cv2.GC_BGD)) | (marks == cv2.GC_FGD)
    whole = np.zeros(labels.shape, bool)
    whole[top:bottom, left:right] = inside
    return whole


def _guessed(image: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Where nothing is said, what the colour is nearer to: the object's strokes, or all that is surely background.

    GrabCut takes a doubtful pixel's label for its colour's at first: the object's own colour as background's misleads.
    """
    near = []
    for sure in (cv2.GC_FGD, cv2.GC_BGD):
        colours = image[seeds == sure].astype(np.float32)
        if not len(colours):
            return seeds
        criteria = (cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
        count = min(6, len(np.unique(colours, axis=0)))
        _, _, centres = cv2.kmeans(colours, count, None, criteria, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
        distances = [((image.astype(np.float32) - centre) ** 2).sum(2) for centre in centres]
        near.append(np.min(distances, axis=0))
    guess = np.where(near[0] < near[1], cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    return np.where(seeds == cv2.GC_PR_BGD, guess, seeds).astype(np.uint8)


def _grab(image: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """(h, w) bool."""
    fore = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if fore.all() or not fore.any():  # nothing to tell it from
        return fore
    labels, models = seeds.copy(), np.zeros((2, 1, 65))
    cv2.grabCut(image, labels, None, models[0], models[1], ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _clip(box: tuple[float, ...], shape: tuple[int, ...]) -> Box:
    """Corners in any order -> whole pixels within the frame."""
    x, y = sorted((box[0], box[2])), sorted((box[1], box[3]))
    left, right = (int(np.clip(round(value), 0, shape[1])) for value in x)
    top, bottom = (int(np.clip(round(value), 0, shape[0])) for value in y)
    return left, top, right, bottom


def _around(box: Box, shape: tuple[int, ...], margin: float = MARGIN) -> Box:
    more_x, more_y = (max(8, margin * (box[i + 2] - box[i])) for i in (0, 1))
    return _clip((box[0] - more_x, box[1] - more_y, box[2] + more_x, box[3] + more_y), shape)


def _extent(marked: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(marked.any(1)), np.flatnonzero(marked.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
