"""The videos of a data set, to be segmented from what its benchmark gives: the first mask of each object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from camn.datasets.sequence import sequence_of
from camn.errors import DataError
from camn.evaluation.protocol import OPEN
from camn.evaluation.sets import open_set
from camn.files import write_whole
from camn.media.outputs import MaskWriter


@dataclass(frozen=True)
class DatasetVideo:
    """name: of the sequence. frames: its folder. masks: the file of its first mask; or, where objects may appear later,
    the folder of all of them, of which `first_masks` takes what is given."""

    name: str
    frames: Path
    masks: Path


def dataset_videos(root: str | Path, split: str = "", resolution: str = "480p") -> tuple[DatasetVideo, ...]:
    """The videos of DAVIS 2017, YouTube-VOS, MOSE or one's own clips; split, resolution: as `evaluate` has them.

    Raises DataError."""
    found = open_set(root, split=split, resolution=resolution)
    videos = []
    for sequence in found.sequences:
        first = sequence.mask(sequence.annotated[0])
        masks = first.parent if found.protocol.late else first
        videos.append(DatasetVideo(sequence.name, sequence.frames[0].parent, masks))
    return tuple(videos)


def first_masks(frames: str | Path, masks: str | Path, out: str | Path) -> Path:
    """Write to a folder in `out` of each object its first mask alone, named like its frame, and beside it what the data
    set says of the objects' names. Gives that folder.

    frames, masks: folders of one video. Raises DataError for folders that do not fit together, OutputError."""
    sequence, problems = sequence_of(Path(frames).name, Path(frames), Path(masks), sparse=True)
    if sequence is None or problems:
        raise DataError("; ".join(problems) or f"{masks}: no mask is named like a frame of {frames}")
    writer = MaskWriter(Path(out) / "Annotations" / Path(masks).name)
    for index, ids in OPEN.given(sequence).items():
        writer.write(sequence.frames[index].stem, ids)
    if (meta := Path(masks).parent.parent / "meta.json").is_file():
        write_whole(Path(out) / meta.name, meta.read_bytes())
    return writer.folder
