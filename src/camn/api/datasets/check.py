"""Looking through a data set before it is trained on or measured with."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from camn.api.options import Progress, Report
from camn.datasets.findings import SequenceReport, look_through, sizes_of, summarise
from camn.datasets.layouts import LAYOUTS, clip_folders, list_splits, recognise, scan_videos
from camn.datasets.pairs import pair_folders, raise_problems
from camn.datasets.sequence import VideoSequence
from camn.datasets.stills import scan_stills
from camn.errors import ConfigError, DataError

Kind = Literal["auto", "videos", "stills"]
STILLS = "stills (KIND/images/, KIND/masks/)"
SHOWN = 20  # so many videos are listed one by one


@dataclass(frozen=True)
class PartReport:
    """A split, or a kind of stills. A still is a sequence of one frame."""

    name: str
    sequences: tuple[SequenceReport, ...]


@dataclass(frozen=True)
class DataReport:
    """What a data set holds, and all that is wrong with it. notes: what is not wrong, but worth knowing."""

    root: Path
    layout: str
    parts: tuple[PartReport, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]

    def text(self) -> str:
        """Plain text: the layout, a line for each part, for few videos one for each, notes, how many problems."""
        videos = self.layout != STILLS
        head = (
            f"{'':<24}{'videos' if videos else 'stills':>8}{'frames':>8}{'masks':>8}{'objects':>9}{'in each':>9}  size"
        )
        lines = [f"{self.root}: {self.layout}", head]
        singly = videos and sum(len(part.sequences) for part in self.parts) <= SHOWN
        for part in self.parts:
            lines.append(_line(part.name, str(len(part.sequences)), part.sequences))
            lines += [_line(f"  {item.name}", "", (item,)) for item in part.sequences if singly]
        count = len(self.problems)
        end = f"{count} problem{'s' * (count > 1)}" if count else "no problems"
        return "\n".join([*lines, *self.notes, end])

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, for JSON."""
        return dataclasses.asdict(self) | {"root": str(self.root)}

    def raise_problems(self) -> None:
        """DataError with a line for each problem, if there are any."""
        raise_problems(str(self.root), list(self.problems))


def check_data(
    root: str | Path,
    kind: Kind = "auto",
    *,
    frames: int = 1,
    resolution: str = "480p",
    progress: Report = lambda progress: None,
) -> DataReport:
    """Recognise the layout of a data set, read all its files, and report what it holds with all problems.

    kind: whether it is videos or stills, if that is to be said: folders of images and masks may be either, and count as
    stills if every image has a mask. frames: how many masks a video needs. resolution: of DAVIS.
    Raises DataError if there is no such folder or its layout is unknown; ConfigError.
    """
    if kind not in get_args(Kind) or frames < 1:
        raise ConfigError(f"kind {kind!r} must be one of {', '.join(get_args(Kind))} and frames {frames} 1 or more")
    root, started = Path(root), time.monotonic()
    stills = kind == "stills" or (kind == "auto" and _looks_like_stills(root))
    layout, parts, problems = _stills(root) if stills else _videos(root, resolution)
    every = list(dict.fromkeys(sequence for sequences in parts.values() for sequence in sequences))  # lists share some
    findings = look_through(every, lambda n, total: progress(Progress(n, total, time.monotonic() - started)))
    found = {sequence: summarise(sequence, findings, 1 if stills else frames) for sequence in every}
    return DataReport(
        root,
        layout,
        tuple(
            PartReport(name, tuple(found[sequence][0] for sequence in sequences)) for name, sequences in parts.items()
        ),
        (*_notes([report for report, _ in found.values()]), *_named_otherwise(every), *_of_palettes(every)),
        tuple(dict.fromkeys([*problems, *(line for _, lines in found.values() for line in lines)])),
    )


Parts = dict[str, Sequence[VideoSequence]]


def _looks_like_stills(root: Path) -> bool:
    """Folders of images of which at least half have a mask; of a clip few have, or it is called frames."""
    folders = clip_folders(root) if recognise(root) == "clips" else []
    pairs = [pair for _, images, masks in folders for pair in pair_folders(images, masks, sparse=True)[0]]
    named = all(images.name == "images" for _, images, _ in folders)
    return named and 2 * sum(mask is not None for _, mask in pairs) >= max(1, len(pairs))


def _stills(root: Path) -> tuple[str, Parts, list[str]]:
    stills, problems = scan_stills(root)
    parts: dict[str, list[VideoSequence]] = {}
    for still in stills:
        parts.setdefault(still.kind, []).append(VideoSequence(still.image.stem, (still.image,), (still.mask,)))
    return STILLS, {**parts}, problems


def _videos(root: Path, resolution: str) -> tuple[str, Parts, list[str]]:
    layout = recognise(root)
    if layout is None:
        known = "; ".join((*LAYOUTS.values(), STILLS))
        raise DataError(f"{root}: no known layout of a data set; these are: {known}")
    parts: Parts = {}
    problems: list[str] = []
    for year, split in list_splits(root, layout):
        try:
            folder, found = scan_videos(root, split, year, resolution)
        except DataError as error:
            problems.append(str(error))
            continue
        parts[f"{year} {split}".strip() or "all"] = folder.sequences
        problems += found
    return LAYOUTS[layout], parts, problems if parts or problems else [f"{root}: holds no list of videos"]


def _notes(reports: Sequence[SequenceReport]) -> Iterator[str]:
    later = sum(len(report.later) for report in reports)
    empty = sum(report.empty for report in reports if report.ids)
    binary = sum(report.binary for report in reports)
    inverted = sum(report.inverted for report in reports)
    if later:
        yield f"objects that appear after their video's first mask: {later}"
    if empty:
        yield f"masks without an object, which is hidden or has left: {empty}"
    if binary:
        yield f"with masks of 0 and 255 alone, where 255 is read as object 1: {binary}"
    if inverted:
        yield f"masks in which one object has most of the frame and all its corners, as if inverted: {inverted}"


def _of_palettes(sequences: Sequence[VideoSequence]) -> Iterator[str]:
    """Of masks whose palettes' order says nothing, the first few."""
    told = ((sequence, _told(sequence)) for sequence in sequences)
    found = dict.fromkeys(f"{sequence.files.files[0].parent}: {note}" for sequence, note in told if note)
    yield from list(found)[:SHOWN]


def _told(sequence: VideoSequence) -> str:
    """The note on its palettes."""
    try:
        return sequence.files.note
    except DataError:  # a problem, named as such
        return ""


def _named_otherwise(sequences: Sequence[VideoSequence]) -> Iterator[str]:
    pairs = ((frame, mask) for one in sequences for frame, mask in zip(one.frames, one.masks) if mask)
    if other := next(((frame, mask) for frame, mask in pairs if frame.stem != mask.stem), None):
        yield f"masks are paired by the number in their names, such as {other[1].name} with {other[0].name}"


def _line(name: str, count: str, items: Sequence[SequenceReport]) -> str:
    frames, masks = sum(item.frames for item in items), sum(item.masks for item in items)
    objects = [len(item.ids) for item in items] or [0]
    each = f"{min(objects)}" if min(objects) == max(objects) else f"{min(objects)}..{max(objects)}"
    return f"{name:<24}{count:>8}{frames:>8}{masks:>8}{sum(objects):>9}{each:>9}  {sizes_of(items)}".rstrip()
