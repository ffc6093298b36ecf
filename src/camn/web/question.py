"""What is asked by clicks, and a frame of which it is asked: most questions add a click to one before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from camn import api
from camn.masks.marks import Box, Click


@dataclass(frozen=True)
class Question:
    """All that is said of one object. mask: what it begins from, a byte for each pixel, row by row. candidate: which
    reading of a single click was taken. rough: the last click is only pointed at."""

    clicks: tuple[Click, ...] = ()
    box: Box | None = None
    mask: bytes | None = None
    candidate: int = 0
    rough: bool = False

    def goes_on(self, before: Question) -> bool:
        """Is it the same as before, or with one click more? What was only pointed at is no beginning."""
        if self == before:
            return True
        count = len(before.clicks)
        same = (self.box, self.mask, self.clicks[:count]) == (before.box, before.mask, before.clicks)
        more = len(self.clicks) - count
        known = same and not before.rough and (more == 1 or (more == 0 and not self.rough))
        return known and (self.candidate == before.candidate or before.readings)

    @property
    def readings(self) -> bool:
        """Has the answer several candidates?"""
        return len(self.clicks) == 1 and self.box is None and self.mask is None


@dataclass
class Looked:
    """A frame that `marker` looks at. asked: the last questions with their answers, at most two: that before the last
    is kept as the user, who only points somewhere, asks for one click more again and again."""

    marker: api.Marker
    asked: list[tuple[Question, api.Answer]] = field(default_factory=list)

    def answer(self, question: Question) -> api.Answer:
        """Raises MaskError for what cannot be asked."""
        while self.asked and not question.goes_on(self.asked[-1][0]):
            self._back()
        if not self.asked:
            self._begin(question)
        last, answer = self.asked[-1]
        if question.candidate != last.candidate:
            answer = self.marker.choose(question.candidate)
            self.asked[-1] = replace(last, candidate=question.candidate), answer
        if len(question.clicks) > len(last.clicks):
            self.marker.settle()
            del self.asked[:-1]
            answer = self.marker.click(*question.clicks[-1], rough=question.rough)
            self.asked.append((question, answer))
        return answer

    def rest(self) -> None:
        """Only the frame is kept."""
        self.marker.forget()
        self.asked.clear()

    def _back(self) -> None:
        if len(self.asked) == 1:
            return self.rest()
        self.marker.undo()
        self.asked.pop()

    def _begin(self, question: Question) -> None:
        """Of a reading that was chosen click by click, else all at once."""
        try:
            if question.mask is not None:
                height, width = self.marker.ids.shape
                self.marker.mask(np.frombuffer(question.mask, bool).reshape(height, width))
            if not question.candidate:
                answer = self.marker.ask(question.clicks, question.box, rough=question.rough)
            else:
                self.marker.ask(question.clicks[:1], question.box)
                answer = self.marker.choose(question.candidate)
                for click in question.clicks[1:]:
                    answer = self.marker.click(*click)
        except BaseException:
            self.rest()
            raise
        self.marker.settle()
        self.asked = [(question, answer)]
