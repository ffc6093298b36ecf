"""What a measurement found: objects, sequences, the whole; as plain data and as a table in text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from camn.evaluation.statistics import Statistics, mean_of


@dataclass(frozen=True)
class ObjectScores:
    """J and F of one object over the frames it is measured on.

    frames: their indices in the sequence; j_values, f_values: J and F on each, 0..1. category: if the data set tells.
    """

    id: int
    j: Statistics
    f: Statistics
    category: str = ""
    frames: tuple[int, ...] = field(default=(), repr=False)
    j_values: tuple[float, ...] = field(default=(), repr=False)
    f_values: tuple[float, ...] = field(default=(), repr=False)

    @property
    def jf(self) -> float:
        return (self.j.mean + self.f.mean) / 2

    def to_dict(self) -> dict[str, Any]:
        category = {"category": self.category} if self.category else {}
        return {"id": self.id, **category, "jf": self.jf, "j": asdict(self.j), "f": asdict(self.f)}


@dataclass(frozen=True)
class SequenceScores:
    """The objects of one sequence; `frames` is how many frames were measured. notes: on how predictions were read."""

    name: str
    frames: int
    objects: tuple[ObjectScores, ...]
    notes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def j(self) -> Statistics:
        return mean_of(item.j for item in self.objects)

    @property
    def f(self) -> Statistics:
        return mean_of(item.f for item in self.objects)

    @property
    def jf(self) -> float:
        return float(np.mean([item.jf for item in self.objects]))

    def to_dict(self) -> dict[str, Any]:
        objects = [item.to_dict() for item in self.objects]
        return {"name": self.name, "frames": self.frames, "jf": self.jf, "objects": objects}


@dataclass(frozen=True)
class Scores:
    """A whole data set. `j` and `f` are means over all objects of all sequences, as DAVIS ranks; all within 0..1."""

    title: str
    sequences: tuple[SequenceScores, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was seen in the predictions that their maker should know."""
        return tuple(note for sequence in self.sequences for note in sequence.notes)

    @property
    def objects(self) -> tuple[ObjectScores, ...]:
        return tuple(item for sequence in self.sequences for item in sequence.objects)

    @property
    def j(self) -> Statistics:
        return mean_of(item.j for item in self.objects)

    @property
    def f(self) -> Statistics:
        return mean_of(item.f for item in self.objects)

    @property
    def jf(self) -> float:
        return (self.j.mean + self.f.mean) / 2

    @property
    def totals(self) -> dict[str, float]:
        """Figures for the whole that stand beside J and F: name -> 0..1."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, for JSON: the totals, then every sequence with its objects."""
        total = {"jf": self.jf, "j": asdict(self.j), "f": asdict(self.f)} | self.totals
        return {"title": self.title, **total, "sequences": [sequence.to_dict() for sequence in self.sequences]}

    def lines(self) -> list[str]:
        """The last lines of the table."""
        return [line(self.title, "mean", self.jf, self.j, self.f)]


def table(scores: Scores) -> str:
    """Plain text: a line for each object, the mean of each sequence of several objects, and the totals, in percent."""
    head = f"{'sequence':<24}{'object':>7}{'J&F':>8}{'J':>8}{'recall':>8}{'decay':>8}{'F':>8}{'recall':>8}{'decay':>8}"
    lines = [head, "-" * len(head)]
    for sequence in scores.sequences:
        lines += [
            line(sequence.name, str(item.id), item.jf, item.j, item.f) + f"  {item.category}".rstrip()
            for item in sequence.objects
        ]
        if len(sequence.objects) > 1:
            lines.append(line(sequence.name, "mean", sequence.jf, sequence.j, sequence.f))
    return "\n".join([*lines, "-" * len(head), *scores.lines()])


def line(name: str, number: str, jf: float, j: Statistics, f: Statistics) -> str:
    """One line of the table."""
    values = (jf, j.mean, j.recall, j.decay, f.mean, f.recall, f.decay)
    return f"{name:<24}{number:>7}" + "".join(f"{100 * value:8.1f}" for value in values)


def mean_scores(items: Iterable[ObjectScores]) -> tuple[float, Statistics, Statistics]:
    """(J&F, J, F), means over one object or more."""
    items = tuple(items)
    return float(np.mean([item.jf for item in items])), mean_of(i.j for i in items), mean_of(i.f for i in items)
