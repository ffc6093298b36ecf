"""The score of YouTube-VOS: J and F over objects of seen and of unseen categories, and their mean."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camn.datasets.pairs import raise_problems
from camn.datasets.sequence import VideoSequence
from camn.errors import DataError
from camn.evaluation.predictions import Categories, measure
from camn.evaluation.protocol import OPEN
from camn.evaluation.scores import ObjectScores, Scores, line, mean_scores


@dataclass(frozen=True)
class YoutubeVosScores(Scores):
    """unseen: the categories that training did not have. Each part is a mean over its objects, 0..1."""

    unseen: frozenset[str]

    def part(self, unseen: bool) -> tuple[ObjectScores, ...]:
        """The objects of unseen categories, or of the seen ones."""
        return tuple(item for item in self.objects if (item.category in self.unseen) == unseen)

    @property
    def overall(self) -> float:
        """G: the mean of J seen, J unseen, F seen and F unseen."""
        return sum(self.totals[name] for name in ("j_seen", "j_unseen", "f_seen", "f_unseen")) / 4

    @property
    def totals(self) -> dict[str, float]:
        parts = {name: mean_scores(self.part(name == "unseen")) for name in ("seen", "unseen")}
        found = {f"j_{name}": j.mean for name, (_, j, _) in parts.items()}
        return found | {f"f_{name}": f.mean for name, (_, _, f) in parts.items()}

    def to_dict(self) -> dict[str, Any]:
        return {"overall": self.overall, "unseen": sorted(self.unseen), **super().to_dict()}

    def lines(self) -> list[str]:
        parts = [line(self.title, name, *mean_scores(self.part(name == "unseen"))) for name in ("seen", "unseen")]
        return [*parts, *super().lines(), f"{self.title:<24}{'G':>7}{100 * self.overall:8.1f}"]


def evaluate_youtube_vos(
    predictions_dir: str | Path,
    sequences: Sequence[VideoSequence],
    categories: Categories,
    unseen: Collection[str],
    title: str = "YouTube-VOS hold-out",
) -> YoutubeVosScores:
    """Measure `predictions_dir/VIDEO/FRAME.png` by the rule of YouTube-VOS.

    An object is measured on the annotated frames after the one with its first mask, to the last one; where it is not
    to be seen, the right answer is none. J and F are means over an object's frames, then over the objects of seen and
    of unseen categories. Frames between annotated ones need no prediction. categories: video -> object id -> category.
    Raises DataError that names every problem of the predictions (see `measure`), every object without a category, and a
    part, seen or unseen, that has no object.
    """
    measured = measure(predictions_dir, sequences, OPEN, categories)
    scores = YoutubeVosScores(title, measured, frozenset(unseen))
    nameless = [f"{s.name}: object {o.id} has no category in meta.json" for s in measured for o in s.objects]
    known = [bool(o.category) for o in scores.objects]
    raise_problems("the meta.json of YouTube-VOS", [said for said, has in zip(nameless, known) if not has])
    for name, unknown in (("a seen", False), ("an unseen", True)):
        if not scores.part(unknown):
            raise DataError(f"{title}: no object of {name} category is measured; make a hold-out that has some")
    return scores
