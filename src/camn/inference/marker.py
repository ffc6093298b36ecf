"""Masks of objects on one frame, from clicks, boxes and masks to begin from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from camn.errors import MaskError, VideoError
from camn.inference.calls import Caller, entry
from camn.inference.frames import Picture, as_frame
from camn.inference.segmenter import Segmenter
from camn.masks.marks import Box, Click, check_id, checked
from camn.model.clicks import ClickNetwork, Prompts
from camn.model.frames import Embedding

MARGIN = 0.2  # of a close-up around an object, of the object's side, on each side
CLOSE = 385  # the longer side of a close-up at work, at most
ENLARGED = 2.0  # a close-up is enlarged so far at most


@dataclass(frozen=True)
class Candidate:
    """One reading of what was asked. probability (H, W) float32 in 0..1, of the frame's size. score: the IoU with what
    was meant that it is thought to have, 0..1."""

    probability: np.ndarray
    score: float

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool."""
        return self.probability > 0.5


@dataclass(frozen=True)
class Answer(Candidate):
    """candidates: other readings, itself among them, best first; after a single click up to three, else one."""

    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class _Asked:
    """What is known of one object. clicks: (x, y, positive). box: x0, y0, x1, y1. base: the mask to begin from, (H, W)
    float32. answer: to all of it."""

    clicks: tuple[Click, ...] = ()
    box: Box | None = None
    base: np.ndarray | None = None
    answer: Answer | None = None


@dataclass(frozen=True)
class _Seen:
    """What the network knows of a part of the frame. area: x0, y0, x1, y1 in pixels of the frame. size: at work."""

    embedding: Embedding
    area: tuple[int, int, int, int]
    size: tuple[int, int]


@dataclass
class _Object:
    asked: list[_Asked] = field(default_factory=lambda: [_Asked()])  # the last is what holds; undo takes it away
    close: _Seen | None = None


class Marker(Caller):
    """Marks objects on a frame.

        marker.look(frame)                    # (H, W, 3) uint8 RGB; encoded once, each click costs little
        answer = marker.click(420, 260)       # x, y in pixels of the frame
        answer = marker.click(400, 300, positive=False)
        segmenter.start(frame, marker.ids)

    Each object has an id (1 if none is said) and clicks, a box and a mask to begin from of its own. What is asked is
    answered from the whole frame first, and once there is a mask, from a close-up of the object. All calls that ask
    raise MaskError, which says what is wrong, for what cannot be asked; nothing has changed then.
    """

    def __init__(self, network: ClickNetwork, segmenter: Segmenter):
        super().__init__()
        self.device = segmenter.device
        self._network = network.eval().to(segmenter.device)
        self._segmenter = segmenter
        self._frame: np.ndarray | None = None
        self._whole: _Seen | None = None
        self._objects: dict[int, _Object] = {}

    # --- the user's calls --------------------------------------------------------------------------------------------

    @entry
    def look(self, frame: Picture) -> None:
        """Take a frame, and forget what was marked on the one before. Raises VideoError if it is no (H, W, 3) uint8."""
        frame = as_frame(frame).copy()  # close-ups are taken from it later
        size = self._segmenter.work_size(frame.shape[:2])
        whole = _Seen(self._segmenter.embed(frame, size), (0, 0, frame.shape[1], frame.shape[0]), size)
        self._frame, self._whole, self._objects = frame, whole, {}

    @entry
    def click(self, x: float, y: float, positive: bool = True, object: int = 1) -> Answer:
        """The object is at this pixel, or it is not. x to the right, y down, from 0."""
        last = self._last(object)
        return self._ask(object, self._checked(replace(last, clicks=(*last.clicks, (x, y, positive)))))

    @entry
    def box(self, x0: float, y0: float, x1: float, y1: float, object: int = 1) -> Answer:
        """The object is within this box, corners in any order; it takes the place of an earlier one."""
        return self._ask(object, self._checked(replace(self._last(object), box=(x0, y0, x1, y1))))

    @entry
    def ask(self, clicks: Sequence[Click] = (), box: Box | None = None, object: int = 1) -> Answer:
        """All at once, in place of the clicks and the box that were before: (x, y, positive) each, and corners. A mask
        to begin from stays."""
        last = self._last(object)
        asked = _Asked(tuple(clicks), box, last.base, None)
        return self._ask(object, self._checked(asked))

    @entry
    def mask(self, mask: np.ndarray, object: int = 1) -> Answer:
        """Begin from a mask of the object, (H, W): bool, or ids of which those of `object` count, or probabilities; it
        is the answer until a click comes."""
        last, frame = self._last(object), self._need_frame()
        if not isinstance(mask, np.ndarray) or mask.shape != frame.shape[:2]:
            found = mask.shape if isinstance(mask, np.ndarray) else type(mask).__name__
            raise MaskError(
                f"the mask is {found}, the frame is {frame.shape[:2]} (rows, columns); they must be the same"
            )
        if mask.dtype.kind == "f":
            base = np.clip(np.nan_to_num(mask), 0, 1).astype(np.float32)
        else:
            base = (mask if mask.dtype == bool else mask == object).astype(np.float32)
        if not (base > 0.5).any():
            raise MaskError(f"the mask holds nothing of object {object}")
        answer = Answer(base, 1.0, (Candidate(base, 1.0),))
        self._objects.setdefault(object, _Object()).asked.append(replace(last, clicks=(), base=base, answer=answer))
        return answer

    @entry
    def choose(self, candidate: int, object: int = 1) -> Answer:
        """Take another reading of the last question, an index into its candidates."""
        last = self._last(object)
        if last.answer is None or not 0 <= candidate < len(last.answer.candidates):
            raise MaskError(f"there is no candidate {candidate} for object {object}")
        chosen = last.answer.candidates[candidate]
        answer = Answer(chosen.probability, chosen.score, last.answer.candidates)
        self._objects[object].asked[-1] = replace(last, answer=answer)
        return answer

    @entry
    def undo(self, object: int = 1) -> Answer | None:
        """Take back the last click, box or mask -> the answer before it, None if there was none."""
        marked = self._objects.get(object)
        if marked is None or len(marked.asked) < 2:
            raise MaskError(f"there is nothing of object {object} to take back")
        marked.asked.pop()
        answer = marked.asked[-1].answer
        if answer is None:
            del self._objects[object]
        return answer

    @entry
    def forget(self, object: int = 1) -> None:
        """Begin an object anew; of one that is not marked nothing happens."""
        self._objects.pop(object, None)

    @property
    def ids(self) -> np.ndarray:
        """(H, W) uint8: all objects marked so far; where they overlap the likelier one."""
        frame = self._need_frame()
        ids, most = np.zeros(frame.shape[:2], np.uint8), np.full(frame.shape[:2], 0.5, np.float32)
        for object, marked in sorted(self._objects.items()):
            answer = marked.asked[-1].answer
            if answer is not None:
                more = answer.probability > most
                ids[more], most[more] = object, answer.probability[more]
        return ids

    # --- inside ------------------------------------------------------------------------------------------------------

    def _need_frame(self) -> np.ndarray:
        if self._frame is None:
            raise VideoError("no frame to mark: give one to look(frame) first")
        return self._frame

    def _last(self, object: int) -> _Asked:
        self._need_frame()
        check_id(object)
        marked = self._objects.get(object)
        return marked.asked[-1] if marked else _Asked()

    def _checked(self, asked: _Asked) -> _Asked:
        """With the box's corners in order. Raises MaskError for what cannot be asked."""
        box = checked(asked.clicks, asked.box, self._need_frame().shape, begun=asked.base is not None)
        return replace(asked, box=box)

    def _ask(self, object: int, asked: _Asked) -> Answer:
        """Answers before it changes anything."""
        assert self._whole is not None
        marked = self._objects.get(object) or _Object()
        before = asked.answer.probability if asked.answer is not None else asked.base
        close = None if before is None else self._close_up(marked.close, before, asked)
        seen = close or self._whole
        logits, scores = self._network(seen.embedding, self._prompts(seen, asked, before))
        single = before is None and len(asked.clicks) == 1 and asked.box is None
        order = [1 + int(i) for i in scores[0, 1:].argsort(descending=True)] if single else [0]
        candidates = tuple(
            Candidate(self._at_frame(logits[:, i : i + 1], seen, before), float(scores[0, i])) for i in order
        )
        answer = Answer(candidates[0].probability, candidates[0].score, candidates)
        marked.close = close
        marked.asked.append(replace(asked, answer=answer))
        self._objects[object] = marked
        return answer

    def _close_up(self, now: _Seen | None, before: np.ndarray, asked: _Asked) -> _Seen | None:
        """The surroundings of the mask and of all clicks, encoded; the one there is, where it still fits. None where
        the whole frame shows as much."""
        frame = self._need_frame()
        area = _around(before > 0.5, asked, frame.shape[:2])
        if area is None:
            return None
        if now is not None and _holds(now.area, area):
            return now
        x0, y0, x1, y1 = area = _wider(area, frame.shape[:2])
        scale = min(CLOSE / max(x1 - x0, y1 - y0), ENLARGED)
        height, width = ((max(2, round(side * scale / 16)) * 16 + 1) for side in (y1 - y0, x1 - x0))
        assert self._whole is not None
        if height * (x1 - x0) <= self._whole.size[0] / frame.shape[0] * (y1 - y0) * (x1 - x0):
            return None
        return _Seen(self._segmenter.embed(frame[y0:y1, x0:x1], (height, width)), area, (height, width))

    def _prompts(self, seen: _Seen, asked: _Asked, before: np.ndarray | None) -> Prompts:
        x0, y0, x1, y1 = seen.area
        height, width = seen.size
        down, across = height / (y1 - y0), width / (x1 - x0)
        points = [((y - y0 + 0.5) * down - 0.5, (x - x0 + 0.5) * across - 0.5) for x, y, _ in asked.clicks]
        signs = [1.0 if positive else -1.0 for *_, positive in asked.clicks]
        if not points:
            points, signs = [(0.0, 0.0)], [0.0]
        box = np.zeros((height, width), np.float32)
        if asked.box is not None:
            left, top, right, bottom = asked.box
            rows = slice(max(0, round((top - y0) * down)), max(0, round((bottom - y0) * down)))
            columns = slice(max(0, round((left - x0) * across)), max(0, round((right - x0) * across)))
            box[rows, columns] = 1
        mask = np.zeros((height, width), np.float32)
        if before is not None:
            way = cv2.INTER_AREA if down < 1 else cv2.INTER_LINEAR
            mask = cv2.resize(before[y0:y1, x0:x1], (width, height), interpolation=way)
        arrays = np.array([points], np.float32), np.array([signs], np.float32), box[None, None], mask[None, None]
        return Prompts(*(torch.from_numpy(a).to(self._segmenter.device) for a in arrays))

    def _at_frame(self, logits: Tensor, seen: _Seen, before: np.ndarray | None) -> np.ndarray:
        """Logits (1, 1, h, w) of what was seen -> (H, W) probabilities; outside of it what was answered before."""
        x0, y0, x1, y1 = seen.area
        # Their corner pixels are those of the work size, whose pixels cover the frame's area.
        work = F.interpolate(logits.float(), seen.size, mode="bilinear", align_corners=True)
        part = F.interpolate(work, (y1 - y0, x1 - x0), mode="bilinear", align_corners=False)[0, 0].sigmoid()
        frame = self._need_frame()
        found = np.zeros(frame.shape[:2], np.float32) if before is None else before.copy()
        found[y0:y1, x0:x1] = part.cpu().numpy()
        return found


def _around(mask: np.ndarray, asked: _Asked, size: Sequence[int]) -> tuple[int, int, int, int] | None:
    """The box of a mask, all clicks and the box, (x0, y0, x1, y1); None where there is none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    xs = [*((columns[0], columns[-1]) if len(columns) else ()), *(x for x, _, _ in asked.clicks)]
    ys = [*((rows[0], rows[-1]) if len(rows) else ()), *(y for _, y, _ in asked.clicks)]
    if asked.box is not None:
        xs, ys = [*xs, asked.box[0], asked.box[2]], [*ys, asked.box[1], asked.box[3]]
    if not xs:
        return None
    return int(min(xs)), int(min(ys)), min(size[1], int(max(xs)) + 1), min(size[0], int(max(ys)) + 1)


def _wider(area: tuple[int, int, int, int], size: Sequence[int]) -> tuple[int, int, int, int]:
    """With a margin, and at least 48 pixels each way, within the frame."""
    edges = []
    for low, high, most in ((area[0], area[2], size[1]), (area[1], area[3], size[0])):
        slack = max(MARGIN * (high - low), (48 - (high - low)) / 2, 8)
        edges.append((max(0, round(low - slack)), min(most, round(high + slack))))
    (x0, x1), (y0, y1) = edges
    return x0, y0, x1, y1


def _holds(outer: tuple[int, int, int, int], inner: tuple[int, int, int, int]) -> bool:
    """Whether a close-up still fits: all of it is there, and it is not lost in it."""
    inside = outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]
    large = (inner[2] - inner[0]) * (inner[3] - inner[1]) * 6 >= (outer[2] - outer[0]) * (outer[3] - outer[1])
    return inside and large
