"""Masks of objects on one frame, from clicks, boxes and masks to begin from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from camn.errors import MaskError, VideoError
from camn.inference.asked import Answer, Asked, Candidate, Seen, dropped
from camn.inference.calls import Caller, entry
from camn.inference.close_ups import Area, around, changed, enlarged, fading, holds, wider, within
from camn.inference.frames import Picture, as_frame
from camn.inference.segmenter import Segmenter
from camn.masks.clicking import meant
from camn.masks.marks import Box, Click, check_id, checked, pixel
from camn.model.clicks import ClickNetwork, Prompts, best_first

CLOSE = 385  # the longer side at work of a close-up of an object, at most
FOCUS = 257  # that of one of what a click changed
AGAIN_OF_BOX = 2  # times that the first answer to a box is asked about again; of clicks a second time brings nothing
SLACK = 0.07  # by which an object reaches out of its box at most, where that is all that is known, of the box's side
ROOM = 512 << 20  # bytes of answers that are kept for undo, of all objects; what lies further back is asked anew


class Marker(Caller):
    """Marks objects on a frame.

        marker.look(frame)                    # (H, W, 3) uint8 RGB; encoded once, each click costs little
        answer = marker.click(420, 260)       # x, y in pixels of the frame
        answer = marker.click(400, 300, positive=False)
        segmenter.start(frame, marker.ids)

    Each object has an id (1 if none is said) and clicks, a box and a mask to begin from of its own; where another one
    was clicked before, it is not. What is asked is answered from the whole frame first, and once there is a mask or a
    box, from close-ups of the object and of what a click changed. All calls that ask raise MaskError, which says what
    is wrong, for what cannot be asked; nothing has changed then.
    """

    def __init__(self, network: ClickNetwork, segmenter: Segmenter):
        super().__init__()
        self.device = segmenter.device
        self._network = network.eval().to(segmenter.device)
        self._segmenter = segmenter
        self._frame: np.ndarray | None = None
        self._whole: Seen | None = None
        self._objects: dict[int, list[Asked]] = {}  # the last is what holds; undo takes it away

    # --- the user's calls --------------------------------------------------------------------------------------------

    @entry
    def look(self, frame: Picture) -> None:
        """Take a frame, and forget what was marked on the one before. Raises VideoError if it is no (H, W, 3) uint8."""
        frame = as_frame(frame).copy()  # close-ups are taken from it later
        size = self._segmenter.work_size(frame.shape[:2])
        whole = Seen(self._segmenter.embed(frame, size), (0, 0, frame.shape[1], frame.shape[0]), size)
        self._frame, self._whole, self._objects = frame, whole, {}

    @entry
    def click(self, x: float, y: float, positive: bool = True, object: int = 1, rough: bool = False) -> Answer:
        """The object is at this pixel, or it is not. x to the right, y down, from 0. rough: at once, without another
        look at what was found, and with one reading, for what is only pointed at."""
        last = self._last(object)
        asked = replace(last, clicks=(*last.clicks, (x, y, positive)), anew=False)
        return self._ask(object, self._checked(asked), rough)

    @entry
    def box(self, x0: float, y0: float, x1: float, y1: float, object: int = 1) -> Answer:
        """The object is within this box, corners in any order; it takes the place of an earlier one."""
        return self._ask(object, self._checked(replace(self._last(object), box=(x0, y0, x1, y1), anew=False)))

    @entry
    def ask(self, clicks: Sequence[Click] = (), box: Box | None = None, object: int = 1, rough: bool = False) -> Answer:
        """All at once, in place of the clicks and the box that were before: (x, y, positive) each, and corners. A mask
        to begin from stays. rough: see `click`."""
        last = self._last(object)
        return self._ask(object, self._checked(Asked(tuple(clicks), box, last.base, anew=True)), rough)

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
        return self._take(object, replace(last, clicks=(), base=base, chosen=0, given=True))

    @entry
    def choose(self, candidate: int, object: int = 1) -> Answer:
        """Take another reading of the last question, an index into its candidates."""
        last = self._last(object)
        if last.answer is None or not 0 <= candidate < len(last.answer.candidates):
            raise MaskError(f"there is no candidate {candidate} for object {object}")
        answer = last.answer.choose(candidate)
        self._objects[object][-1] = replace(last, chosen=candidate, answer=answer)
        return answer

    @entry
    def undo(self, object: int = 1) -> Answer | None:
        """Take back the last click, box or mask -> the answer before it, None if there was none. Of many
        large answers the last are kept; one before those is asked anew, and is the same."""
        asked = self._objects.get(object, [])
        if len(asked) < 2:
            raise MaskError(f"there is nothing of object {object} to take back")
        self._objects[object] = asked = self._known(asked[:-1])
        answer = asked[-1].answer
        if answer is None:
            del self._objects[object]
        return answer

    @entry
    def forget(self, object: int = 1) -> None:
        """Begin an object anew; of one that is not marked nothing happens."""
        self._objects.pop(object, None)

    @entry
    def settle(self, object: int = 1) -> None:
        """What led to the last answer is forgotten: it can no longer be taken back, and takes no room."""
        if object in self._objects:
            del self._objects[object][:-1]

    @property
    def nbytes(self) -> int:
        """Of the frame that it looks at, and of what the network knows of it; what was marked comes on top."""
        if self._frame is None or self._whole is None:
            return 0
        seen = self._whole.embedding
        return self._frame.nbytes + sum(t.nbytes for group in (seen.maps, seen.keys, seen.low) for t in group)

    @property
    def ids(self) -> np.ndarray:
        """(H, W) uint8: all objects marked so far; where they overlap the likelier one."""
        frame = self._need_frame()
        ids, most = np.zeros(frame.shape[:2], np.uint8), np.full(frame.shape[:2], 0.5, np.float32)
        for object, asked in sorted(self._objects.items()):
            answer = asked[-1].answer
            if answer is not None:
                more = answer.probability > most
                ids[more], most[more] = object, answer.probability[more]
        return ids

    # --- inside ------------------------------------------------------------------------------------------------------

    def _need_frame(self) -> np.ndarray:
        if self._frame is None:
            raise VideoError("no frame to mark: give one to look(frame) first")
        return self._frame

    def _last(self, object: int) -> Asked:
        self._need_frame()
        check_id(object)
        return self._objects.get(object, [Asked()])[-1]

    def _checked(self, asked: Asked) -> Asked:
        """With the box's corners in order. Raises MaskError for what cannot be asked."""
        box = checked(asked.clicks, asked.box, self._need_frame().shape, begun=asked.base is not None)
        return replace(asked, box=box)

    def _ask(self, object: int, asked: Asked, rough: bool = False) -> Answer:
        others = self._others(object, asked)
        return self._take(object, replace(asked, others=others, rough=rough, chosen=0, given=False))

    def _take(self, object: int, asked: Asked) -> Answer:
        """Answers before it changes anything."""
        before = self._objects.get(object, [Asked()])
        now = self._answered(asked, before[-1])
        assert now.answer is not None
        self._objects[object] = [*before, now]
        self._objects = {id: dropped(all, self._kept()) for id, all in self._objects.items()}
        return now.answer

    def _kept(self) -> int:
        """How many answers to keep of each object."""
        height, width = self._need_frame().shape[:2]
        return max(2, ROOM // (4 * height * width * max(1, len(self._objects))))

    def _known(self, asked: Sequence[Asked]) -> list[Asked]:
        """With the last answer, and all those before it that are kept: asked anew where they were dropped."""
        first = max((i for i, one in enumerate(asked) if one.answer is not None), default=0)
        known = list(asked[: first + 1])
        for one in asked[first + 1 :]:
            known = dropped([*known, self._answered(one, known[-1])], self._kept())
        return known

    def _answered(self, asked: Asked, last: Asked) -> Asked:
        """The answer depends on these two alone. last: the one before it, with its answer."""
        if asked.given:
            assert asked.base is not None
            answer = Answer(asked.base, 1.0, (Candidate(asked.base, 1.0),))
            return replace(asked, answer=answer, close=last.close)
        assert self._whole is not None
        before, rough = asked.before(last), asked.rough
        close = self._close_up(last.close, before, asked, rough)
        readings = self._readings(close or self._whole, asked, before, rough)
        if not rough and before is None:  # now it is known better how large the object is
            for _ in range(1 if asked.box is None else AGAIN_OF_BOX):
                first, *rest = readings
                close = self._close_up(close, first.probability, asked)
                again = self._readings(close or self._whole, asked, first.probability)[0]
                readings = [replace(again, score=max(again.score, first.score)), *rest]
        elif not rough and before is not None and asked.clicks and asked.clicks != last.clicks:
            readings = [self._sharpened(asked, before, readings[0])]
        answer = Answer(readings[0].probability, readings[0].score, tuple(readings)).choose(asked.chosen)
        return replace(asked, answer=answer, close=last.close if rough else close)

    def _readings(self, seen: Seen, asked: Asked, before: np.ndarray | None, one: bool = False) -> list[Candidate]:
        """What may be meant, best first: several readings where all that is known is one click, else one. one: the best
        alone."""
        logits, scores = self._network(seen.embedding, self._prompts(seen, asked, before))
        single = before is None and len(asked.clicks) == 1 and asked.box is None
        return [
            Candidate(_meant(self._at_frame(logits[:, i : i + 1], seen, before), asked, before), float(scores[0, i]))
            for i in (best_first(scores[0])[: 1 if one else None] if single else [0])
        ]

    def _others(self, object: int, asked: Asked) -> tuple[Click, ...]:
        """Where other objects were clicked, this one is not, unless it was clicked on the same pixel."""
        own = {pixel(x, y) for x, y, _ in asked.clicks}
        clicks = (click for id, one in self._objects.items() if id != object for click in one[-1].clicks)
        return tuple((x, y, False) for x, y, positive in clicks if positive and pixel(x, y) not in own)

    def _sharpened(self, asked: Asked, before: np.ndarray, found: Candidate) -> Candidate:
        """Asked once more, enlarged, about what the last click changed (FocalClick, Chen et al. 2022)."""
        assert self._whole is not None
        size, now = self._need_frame().shape[:2], found.probability
        area = changed(before > 0.5, found.mask, asked.clicks[-1], self._whole.size[0] / size[0], size)
        if area is None:
            return found
        part = self._seen(area, FOCUS)
        logits, _ = self._network(part.embedding, self._prompts(part, asked, now))
        return replace(found, probability=self._at_frame(logits[:, :1], part, now, fading(area, size)))

    def _seen(self, area: Area, side: int) -> Seen:
        """A part of the frame, encoded at `side` pixels along its longer side or at `ENLARGED`, whichever is less."""
        x0, y0, x1, y1 = area
        size = enlarged(area, side)
        return Seen(self._segmenter.embed(self._need_frame()[y0:y1, x0:x1], size), area, size)

    def _close_up(self, now: Seen | None, before: np.ndarray | None, asked: Asked, rough: bool = False) -> Seen | None:
        """The surroundings of the mask, of all clicks and of the box, encoded; the one there is, where it still fits.
        Where the whole frame shows as much, or that will do (rough), they are a part of that; None where it is not
        known how large the object is."""
        if before is None and asked.box is None:
            return None
        frame = self._need_frame()
        area = around(None if before is None else before > 0.5, asked.clicks, asked.box, frame.shape[:2])
        if now is not None and holds(now.area, area):
            return now
        area = wider(area, frame.shape[:2])
        assert self._whole is not None
        if rough or enlarged(area, CLOSE)[0] <= self._whole.size[0] / frame.shape[0] * (area[3] - area[1]):
            return self._part(area)
        return self._seen(area, CLOSE)

    def _part(self, area: Area) -> Seen:
        """A part of the frame as it was encoded, at least this area."""
        assert self._whole is not None
        (height, width), frame = self._whole.size, self._need_frame()
        down, across = height / frame.shape[0], width / frame.shape[1]
        left, top = int(area[0] * across) // 16 * 16, int(area[1] * down) // 16 * 16
        right = min(-(-int(area[2] * across) // 16) * 16, width - 1)
        bottom = min(-(-int(area[3] * down) // 16) * 16, height - 1)
        x0, y0 = round(left / across), round(top / down)
        x1, y1 = round((right + 1) / across), round((bottom + 1) / down)
        embedding = self._whole.embedding.part(height, top, left, bottom, right)
        return Seen(embedding, (x0, y0, x1, y1), (bottom - top + 1, right - left + 1))

    def _prompts(self, seen: Seen, asked: Asked, before: np.ndarray | None) -> Prompts:
        x0, y0, x1, y1 = seen.area
        height, width = seen.size
        down, across = height / (y1 - y0), width / (x1 - x0)
        clicks = (*asked.clicks, *asked.others)
        pixels = [pixel(x, y) for x, y, _ in clicks]
        points = [((y - y0 + 0.5) * down - 0.5, (x - x0 + 0.5) * across - 0.5) for x, y in pixels]
        signs = [1.0 if positive else -1.0 for *_, positive in clicks]
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

    def _at_frame(
        self, logits: Tensor, seen: Seen, before: np.ndarray | None, share: np.ndarray | float = 1.0
    ) -> np.ndarray:
        """Logits (1, 1, h, w) of what was seen -> (H, W) probabilities; outside of it what was answered before. share:
        of it within, float32 in 0..1."""
        x0, y0, x1, y1 = seen.area
        # Their corner pixels are those of the work size, whose pixels cover the frame's area.
        work = F.interpolate(logits.float(), seen.size, mode="bilinear", align_corners=True)
        part = F.interpolate(work, (y1 - y0, x1 - x0), mode="bilinear", align_corners=False)[0, 0].sigmoid()
        frame = self._need_frame()
        found = np.zeros(frame.shape[:2], np.float32) if before is None else before.copy()
        found[y0:y1, x0:x1] += share * (part.cpu().numpy() - found[y0:y1, x0:x1])
        return found


def _meant(probability: np.ndarray, asked: Asked, before: np.ndarray | None) -> np.ndarray:
    """Of the object itself as it is, of what only looks like it elsewhere at most 0.5; in place."""
    mask, held = probability > 0.5, None if before is None else before > 0.5
    asked_for = mask
    if asked.box is not None:
        held = np.zeros_like(mask) if held is None else held
        held[within(asked.box)] = True
        if not asked.clicks:
            asked_for = np.zeros_like(mask)
            near = within(asked.box, SLACK)
            asked_for[near] = mask[near]
    pixels = [(*pixel(x, y), 1 if positive else -1) for x, y, positive in asked.clicks]
    kept = meant(asked_for, [(row, column, sign) for column, row, sign in pixels], held)
    if kept is not mask:
        probability[mask & ~kept] = 0.5
    return probability
