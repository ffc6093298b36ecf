"""A data set to measure on: recognised, with the protocol that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from camn.datasets.holdout import Holdout, read_holdout
from camn.datasets.layouts import VideoFolder, open_videos, recognise
from camn.datasets.pairs import raise_problems
from camn.datasets.sequence import VideoSequence
from camn.errors import DataError
from camn.evaluation.davis import davis_protocol, davis_scores
from camn.evaluation.predictions import measure
from camn.evaluation.protocol import OPEN, Protocol, is_labelled
from camn.evaluation.scores import Scores
from camn.evaluation.youtube import evaluate_youtube_vos


@dataclass(frozen=True)
class EvaluationSet:
    """folder: as it lies on disk. sequences: those that are measured. year: of DAVIS, else empty."""

    folder: VideoFolder
    sequences: tuple[VideoSequence, ...]
    protocol: Protocol
    title: str
    year: str = ""
    holdout: Holdout | None = None

    @property
    def labelled(self) -> bool:
        """Whether there is anything to measure by; a public test set has the first masks alone. Reads some masks."""
        return any(is_labelled(sequence) for sequence in self.sequences)

    def measure(self, predictions: str | Path) -> Scores:
        """The scores of PREDICTIONS/SEQUENCE/FRAME.png. Raises DataError that names every problem of them."""
        if self.holdout:
            categories, unseen = self.folder.categories, self.holdout.unseen
            return evaluate_youtube_vos(predictions, self.sequences, categories, unseen, self.title)
        measured = measure(predictions, self.sequences, self.protocol, self.folder.categories)
        if not measured:
            raise DataError(f"{self.folder.root}: {NOTHING}")
        return davis_scores(self.year, self.folder.split, measured) if self.year else Scores(self.title, measured)


NOTHING = "no object has a mask after its first, so nothing can be measured; --submission makes a file for a server"


def open_set(
    root: str | Path,
    year: str | int | None = None,
    split: str = "",
    holdout: str | Path | None = None,
    resolution: str = "480p",
) -> EvaluationSet:
    """A DAVIS folder, a YouTube-VOS or MOSE folder, or a folder of one's own (see `camn.datasets.layouts`).

    year, split, resolution: of DAVIS, 2017 and `val` if not given; elsewhere there are no years. holdout: a file of
    `camn.datasets.holdout`, for YouTube-VOS: its videos are measured, by categories seen and unseen.
    Raises DataError for folders and files that do not fit together.
    """
    davis = recognise(Path(root)) == "davis"
    if davis and holdout is not None:
        raise DataError(f"{root}: a hold-out is a part of YouTube-VOS, this is a DAVIS folder; leave it out")
    if davis:
        protocol = davis_protocol(year := str(year or "2017"))
        folder = open_videos(root, split or "val", year, resolution)
        return _checked(EvaluationSet(folder, folder.sequences, protocol, f"DAVIS {year} {folder.split}", year))
    folder = open_videos(root, split)
    if year:
        raise DataError(f"{root}: no ImageSets folder, so no DAVIS folder, and only DAVIS has years; leave out {year}")
    if holdout is None:
        title = f"{Path(root).resolve().name} {folder.split}".strip()
        return _checked(EvaluationSet(folder, folder.sequences, OPEN, title))
    kept = read_holdout(holdout)
    kept.check(folder)
    sequences = kept.for_evaluation(folder.sequences)
    return _checked(EvaluationSet(folder, sequences, OPEN, "YouTube-VOS hold-out", holdout=kept))


def _checked(found: EvaluationSet) -> EvaluationSet:
    check_starts(found.folder.root, found.sequences, found.protocol)
    return found


def check_starts(root: Path, sequences: Sequence[VideoSequence], protocol: Protocol) -> None:
    """Raises DataError that names every sequence without a mask to start from, as far as first masks tell."""
    bare = []
    for sequence in sequences:
        if sequence.annotated and protocol.late:
            continue  # objects may come late: all masks would have to be read
        try:
            protocol.starts(sequence)
        except DataError as error:
            bare.append(str(error))
    raise_problems(f"the folder of videos {root}", bare)
