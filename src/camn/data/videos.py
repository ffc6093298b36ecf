"""Folders of videos with masks, in any of the layouts that data sets have: DAVIS, YouTube-VOS and MOSE, one's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from camn.data.davis import DavisFolder
from camn.data.folder import natural_key
from camn.data.pairs import raise_problems
from camn.data.sequence import VideoSequence, first_seen, sequence_of
from camn.errors import DataError

__all__ = ["VideoFolder", "VideoSequence", "first_seen", "open_videos"]

Layout = Literal["davis", "youtube-vos", "clips"]
LAYOUTS = (
    "DAVIS: ImageSets/YEAR/SPLIT.txt, JPEGImages/480p/SEQUENCE/, Annotations/480p/SEQUENCE/; "
    "YouTube-VOS, MOSE: [SPLIT/]JPEGImages/VIDEO/, [SPLIT/]Annotations/VIDEO/; own clips: CLIP/frames/, CLIP/masks/"
)
ALL_FRAMES = "_all_frames"  # of YouTube-VOS: folders with every frame, whose masks lie in the folder without the suffix


@dataclass(frozen=True)
class VideoFolder:
    """The sequences of one split. categories: sequence -> object id -> category, as far as a meta.json tells them."""

    root: Path
    layout: Layout
    split: str
    sequences: tuple[VideoSequence, ...]
    categories: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sequences)


def open_videos(root: str | Path, split: str = "", year: str | int = "", resolution: str = "480p") -> VideoFolder:
    """The videos of a folder whose layout is recognised; masks may be there for some of the frames only.

    split: a DAVIS list or a YouTube-VOS folder; if not given, `train` where there is one, or else the only one. year,
    resolution: of DAVIS; the latest year that has the split if not given.
    Raises DataError that names all problems at once, or the layouts if it is none of them.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder of videos; check the path")
    if (root / "ImageSets").is_dir():
        return _davis(root, split, str(year), resolution)
    tops = _tops(root)
    if tops:
        return _youtube_vos(root, tops, split)
    clips = clip_folders(root)
    if clips:
        return _clips(root, clips, split)
    raise DataError(f"{root}: no known layout of videos; these are ({LAYOUTS})")


def _davis(root: Path, split: str, year: str, resolution: str) -> VideoFolder:
    lists = davis_lists(root)
    split = split or _only({name for _, name in lists}, f"{root}: lists of sequences in ImageSets")
    years = sorted(y for y, name in lists if name == split)
    if not year and years:
        year = years[-1]
    davis = DavisFolder(root, year or "2017", split, resolution)
    return VideoFolder(root, "davis", split, davis.sequences)


def davis_lists(root: Path) -> list[tuple[str, str]]:
    """(year, split) of every list of sequences in ROOT/ImageSets; the lists of DAVIS 2016's download count as 2016."""
    files = sorted((root / "ImageSets").glob("*/*.txt"))
    return sorted({(p.parent.name if p.parent.name.isdigit() else "2016", p.stem) for p in files})


def _tops(root: Path) -> dict[str, Path]:
    """Split -> the folder that holds its JPEGImages; the split of ROOT itself is empty."""
    if (root / "JPEGImages").is_dir():
        return {"": root}
    return {p.parent.name: p.parent for p in sorted(root.glob("*/JPEGImages")) if p.is_dir()}


def _youtube_vos(root: Path, tops: dict[str, Path], split: str) -> VideoFolder:
    if "" not in tops:
        split = split or _only(set(tops), f"{root}: folders with JPEGImages")
        if split not in tops:
            raise DataError(f"{root}: no {split}/JPEGImages; the splits there are {', '.join(tops)}")
    top = tops.get("", tops.get(split, root))
    frames, masks = top / "JPEGImages", annotations_of(top)
    problems = [f"{masks}: no such folder"] if not masks.is_dir() else []
    names = sorted((p.name for p in frames.iterdir() if p.is_dir()), key=natural_key)
    if not names:
        problems.append(f"{frames}: holds no folder of frames")
    found = []
    if not problems:
        alone = sorted({p.name for p in masks.iterdir() if p.is_dir()} - set(names))
        problems += [f"{masks / name}: no frames of this name in {frames}" for name in alone]
        found = [sequence_of(name, frames / name, masks / name, sparse=True) for name in names]
        problems += [line for _, said in found for line in said]
    try:
        categories = read_meta(masks.parent / "meta.json")
    except DataError as error:
        problems.append(str(error))
        categories = {}
    raise_problems(f"the folder of videos {top}", problems)
    return VideoFolder(root, "youtube-vos", split, tuple(s for s, _ in found if s), categories)


def annotations_of(top: Path) -> Path:
    """The folder of masks of a split of YouTube-VOS: its own, or, of all frames, that of the split at 6 a second."""
    masks = top / "Annotations"
    if masks.is_dir() or not top.name.endswith(ALL_FRAMES):
        return masks
    name = top.name.removesuffix(ALL_FRAMES)
    beside = (top.parent / name / "Annotations", top.parent.parent / name / "Annotations")
    return next((folder for folder in beside if folder.is_dir()), masks)


def read_meta(path: Path) -> dict[str, dict[int, str]]:
    """Sequence -> object id -> category of a YouTube-VOS meta.json; empty without a file. Raises DataError."""
    if not path.is_file():
        return {}
    try:
        videos = json.loads(path.read_text("utf-8"))["videos"]
        return {
            name: {int(number): str(item.get("category", "")) for number, item in video["objects"].items()}
            for name, video in videos.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not a list of videos, objects and categories ({type(error).__name__}: {error}); "
            "fetch it again or take it out"
        ) from error


def clip_folders(root: Path) -> list[tuple[str, Path, Path]]:
    """(name, frames, masks) of every CLIP/frames (or CLIP/images) beside CLIP/masks; ROOT may itself be one clip."""
    tops = [root] if (root / "masks").is_dir() else sorted(root.iterdir(), key=lambda p: natural_key(p.name))
    pairs = [(top, top / name) for top in tops for name in ("frames", "images") if (top / name).is_dir()]
    return [(top.resolve().name, frames, top / "masks") for top, frames in pairs]


def _clips(root: Path, clips: list[tuple[str, Path, Path]], split: str) -> VideoFolder:
    if split:
        raise DataError(f"{root}: own clips (CLIP/frames, CLIP/masks) have no splits; leave out the split {split!r}")
    found = [sequence_of(name, frames, masks, sparse=True) for name, frames, masks in clips]
    raise_problems(f"the folder of clips {root}", [line for _, said in found for line in said])
    return VideoFolder(root, "clips", "", tuple(s for s, _ in found if s))


def _only(names: set[str], what: str) -> str:
    """`train`, or the only name. Raises DataError where that leaves a choice."""
    if "train" in names or len(names) == 1:
        return "train" if "train" in names else next(iter(names))
    raise DataError(f"{what}: {', '.join(sorted(names)) or 'none'}; say which split is meant")
