"""DAVIS 2016 and 2017: masks measured by their semi-supervised protocols."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camn.datasets.davis import DavisFolder
from camn.errors import DataError
from camn.evaluation.predictions import measure
from camn.evaluation.protocol import DAVIS_2016, DAVIS_2017, Protocol
from camn.evaluation.scores import ObjectScores, Scores, SequenceScores, table
from camn.evaluation.statistics import Statistics, statistics

__all__ = [
    "DavisScores",
    "ObjectScores",
    "Scores",
    "SequenceScores",
    "Statistics",
    "davis_protocol",
    "evaluate_davis",
    "statistics",
    "table",
]


@dataclass(frozen=True)
class DavisScores(Scores):
    """A split of DAVIS."""

    year: str
    split: str

    def to_dict(self) -> dict[str, Any]:
        return {"year": self.year, "split": self.split, **super().to_dict()}


def davis_protocol(year: str | int) -> Protocol:
    """The rules of a year. Raises DataError for one that has none."""
    rules = {"2016": DAVIS_2016, "2017": DAVIS_2017}.get(str(year))
    if rules is None:
        raise DataError(f"DAVIS {year} has no semi-supervised protocol here; give the year 2016 or 2017")
    return rules


def evaluate_davis(
    predictions_dir: str | Path, dataset_root: str | Path, year: str | int = "2017", split: str = "val"
) -> DavisScores:
    """Measure `predictions_dir/SEQ/00000.png` against the annotations of a DAVIS folder, frames at the same size.

    2017: each object apart, the objects being the ids of the sequence's first annotation. 2016: all ids as one object.
    The first frame, which is given, and the last are left out and need no prediction. Label 255 is void in an
    annotation, unless a sequence's hold 0 and 255 alone, 255 being the object, as in DAVIS 2016's own download; in a
    prediction it is background for 2017, and like any id the object for 2016.
    Raises DataError that names every missing, unreadable or differently sized mask and every id that is no object.
    """
    protocol = davis_protocol(year)
    sequences = DavisFolder(dataset_root, year, split).sequences
    return davis_scores(year, split, measure(predictions_dir, sequences, protocol))


def davis_scores(year: str | int, split: str, sequences: tuple[SequenceScores, ...]) -> DavisScores:
    return DavisScores(f"DAVIS {year} {split}", sequences, str(year), split)
