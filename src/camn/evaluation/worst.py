"""The frames on which J is lowest, as pictures: the prediction tinted, the truth outlined."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from camn.datasets.pairs import read_image
from camn.datasets.sequence import VideoSequence
from camn.evaluation.predicted import PredictedMasks
from camn.evaluation.protocol import Protocol
from camn.evaluation.scores import Scores, SequenceScores

TINTS = np.array(  # RGB of an object's tint by its place in the sequence, those of the page's lines on dark ground
    [(111, 177, 255), (255, 138, 128), (79, 209, 197), (245, 185, 66), (199, 155, 255), (255, 126, 192), (163, 214, 92)]
    + [(203, 213, 225)],
    np.uint8,
)
APART = 0.15  # of a sequence's length: two pictures of it are at least so far apart


@dataclass(frozen=True)
class WorstFrame:
    """j: mean over the objects measured on the frame, 0..1. objects: (id, J) of each."""

    sequence: str
    index: int
    j: float
    objects: tuple[tuple[int, float], ...]


def worst_frames(scores: Scores, count: int = 12, each: int = 2) -> list[WorstFrame]:
    """The lowest first; of a sequence at most `each`, and these apart."""
    candidates = sorted((f for s in scores.sequences for f in _frames(s)), key=lambda f: (f.j, f.sequence, f.index))
    gap = {s.name: APART * max(item.frames[-1] for item in s.objects) for s in scores.sequences}
    taken: dict[str, list[int]] = defaultdict(list)
    found = []
    for frame in candidates:
        near = any(abs(frame.index - other) < gap[frame.sequence] for other in taken[frame.sequence])
        if len(found) < count and len(taken[frame.sequence]) < each and not near:
            taken[frame.sequence].append(frame.index)
            found.append(frame)
    return found


def _frames(sequence: SequenceScores) -> Iterable[WorstFrame]:
    values: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for item in sequence.objects:
        for index, j in zip(item.frames, item.j_values):
            values[index].append((item.id, j))
    for index, objects in values.items():
        yield WorstFrame(sequence.name, index, float(np.mean([j for _, j in objects])), tuple(objects))


def picture(
    sequence: VideoSequence, index: int, predictions: Path, protocol: Protocol, ids: Sequence[int], width: int = 640
) -> tuple[str, tuple[int, int]]:
    """(a JPEG as data: URL, its (width, height)), of a frame no wider than `width`. ids: the sequence's objects."""
    image, truth = read_image(sequence.frames[index]), protocol.labels(sequence, index)
    predicted = PredictedMasks(predictions / sequence.name, sequence, ids, merge=ids == [1]).read(index)
    scale = min(1, width / image.shape[1])
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    drawn = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    masks = [cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST) for labels in (predicted, truth)]
    drawn = draw(drawn, masks[0], masks[1], ids)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}", size


def draw(image: np.ndarray, predicted: np.ndarray, truth: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """image (H, W, 3) uint8 RGB, predicted and truth (H, W) uint8 -> (H, W, 3): predictions in the colours of their
    objects, the outline of the truth white on black."""
    drawn = image.copy()
    for k, number in enumerate(ids):
        inside = predicted == number
        tinted = 0.45 * image[inside] + 0.55 * TINTS[k % len(TINTS)]
        drawn[inside] = np.rint(tinted).astype(np.uint8)
    for number in ids:
        outlines, _ = cv2.findContours((truth == number).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, (0, 0, 0), 3)
        cv2.drawContours(drawn, outlines, -1, (255, 255, 255), 1)
    return drawn
