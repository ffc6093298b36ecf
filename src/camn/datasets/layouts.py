"""Folders of videos with masks, in any of the layouts that data sets have: DAVIS, YouTube-VOS and MOSE, one's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from camn.datasets.davis import davis_lists, scan_davis
from camn.datasets.pairs import list_folders, raise_problems
from camn.datasets.sequence import VideoSequence, first_seen, sequence_of
from camn.datasets.videos import RUN_RECORD, list_videos, video_of_run
from camn.errors import DataError, words_of
from camn.files import text_of
from camn.media.name_order import natural_key

__all__ = ["VideoFolder", "VideoSequence", "first_seen", "open_videos"]

Layout = Literal["davis", "youtube-vos", "clips"]
LAYOUTS: dict[Layout, str] = {
    "davis": "DAVIS (ImageSets/YEAR/SPLIT.txt, JPEGImages/480p/SEQUENCE/, Annotations/480p/SEQUENCE/)",
    "youtube-vos": "YouTube-VOS or MOSE ([SPLIT/]JPEGImages/VIDEO/, [SPLIT/]Annotations/VIDEO/)",
    "clips": "own clips (CLIP/frames/ or a video in CLIP/, or CLIP.mp4; CLIP/masks/)",
}
ALL_FRAMES = "_all_frames"  # of YouTube-VOS: folders with every frame, whose masks lie in the folder without the suffix
Scan = tuple[tuple[VideoSequence, ...], list[str]]


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
    folder, problems = scan_videos(Path(root), split, str(year), resolution)
    raise_problems(f"the folder of videos {root}", problems)
    return folder


def scan_videos(root: Path, split: str, year: str, resolution: str) -> tuple[VideoFolder, list[str]]:
    """As open_videos: (what of it can be used; all problems). Raises DataError where there is nothing to open."""
    layout = recognise(root)
    if layout is None:
        raise DataError(f"{root}: no known layout of videos; these are: {'; '.join(LAYOUTS.values())}")
    splits = list_splits(root, layout)
    if not split:
        split = _only({name for _, name in splits}, root)
    if split not in {name for _, name in splits}:
        there = ", ".join(sorted({name for _, name in splits if name}))
        raise DataError(f"{root}: no split {split!r}; {f'there are {there}' if there else 'leave it out'}")
    if layout == "youtube-vos":
        return _scan_youtube_vos(root, split)
    if layout == "davis":
        year = year or [y for y, name in splits if name == split][-1]
        sequences, problems = scan_davis(root, year, split, resolution)
    else:
        sequences, problems = _gather(clip_folders(root))
    return VideoFolder(root, layout, split, sequences), problems


def recognise(root: Path) -> Layout | None:
    """The layout of a folder, by the folders in it. Raises DataError if there is no such folder."""
    if not root.is_dir():
        raise DataError(f"{root}: no such folder of videos; check the path")
    if (root / "ImageSets").is_dir():
        return "davis"
    if _tops(root):
        return "youtube-vos"
    return "clips" if clip_folders(root) else None


def list_splits(root: Path, layout: Layout) -> list[tuple[str, str]]:
    """(year, split) of all there are, sorted; the year is empty but for DAVIS, the split where all is one."""
    if layout == "davis":
        return davis_lists(root)
    return [("", name) for name in (_tops(root) if layout == "youtube-vos" else [""])]


def _only(names: set[str], root: Path) -> str:
    """`train`, or the only name. Raises DataError where that leaves a choice."""
    if "train" in names or len(names) == 1:
        return "train" if "train" in names else next(iter(names))
    raise DataError(f"{root}: its splits are {', '.join(sorted(names)) or 'none'}; say which is meant")


def _gather(folders: list[tuple[str, Path, Path]]) -> Scan:
    """The sequences of (name, frames, masks), and all problems."""
    found = [sequence_of(*each, sparse=True) for each in folders]
    return tuple(s for s, _ in found if s), [line for _, problems in found for line in problems]


# --- YouTube-VOS, MOSE -----------------------------------------------------------------------------------------------


def _tops(root: Path) -> dict[str, Path]:
    """Split -> the folder that holds its JPEGImages; the split of ROOT itself is empty."""
    if (root / "JPEGImages").is_dir():
        return {"": root}
    return {p.parent.name: p.parent for p in sorted(root.glob("*/JPEGImages")) if p.is_dir()}


def _scan_youtube_vos(root: Path, split: str) -> tuple[VideoFolder, list[str]]:
    top = _tops(root)[split]
    frames, masks = top / "JPEGImages", annotations_of(top)
    sequences, problems = (), []
    names = sorted(list_folders(frames), key=natural_key)
    if not names:
        problems.append(f"{frames}: holds no folder of frames")
    if not masks.is_dir():
        problems.append(f"{masks}: no such folder")
    if not problems:
        sequences, problems = _gather([(name, frames / name, masks / name) for name in names])
        alone = sorted(set(list_folders(masks)) - set(names))
        problems += [f"{masks / name}: no frames of this name in {frames}" for name in alone]
    categories = {}
    try:
        categories = read_meta(masks.parent / "meta.json")
    except DataError as error:
        problems.append(str(error))
    return VideoFolder(root, "youtube-vos", split, sequences, categories), problems


def annotations_of(top: Path) -> Path:
    """The folder of masks of a split: its own, or, of all frames, that of the split at 6 a second."""
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
        videos = json.loads(text_of(path.read_bytes()))["videos"]
        return {
            name: {int(number): str(item.get("category", "")) for number, item in video["objects"].items()}
            for name, video in videos.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not a list of videos, objects and categories ({words_of(error)}); fetch it again or take it out"
        ) from error


# --- own clips -------------------------------------------------------------------------------------------------------


def clip_folders(root: Path) -> list[tuple[str, Path, Path]]:
    """(name, frames, masks) of every clip, of which `frames` may be a video file; ROOT may itself be one clip."""
    alone = any((root / name).is_dir() for name in ("frames", "masks"))
    tops = [root] if alone else [root / name for name in sorted(list_folders(root), key=natural_key)]
    found = [(top.resolve().name, frames, top / "masks") for top in tops for frames in _frames_of(top)]
    if found or alone:
        return found
    return [(video.stem, video, root / video.stem / "masks") for video in list_videos(root)]  # so that these are missed


def _frames_of(top: Path) -> list[Path]:
    """The frames of a clip: a folder, or a video. Of what `camn segment` wrote its video, or, if that is gone, one that
    lies beside the folder with the same name; else such a one, or one in the folder. Raises DataError for several."""
    if folders := [top / name for name in ("frames", "images") if (top / name).is_dir()]:
        return folders
    if not (top / "masks").is_dir():
        return []
    named, top = video_of_run(top), top.absolute()
    if named and named.path.exists():
        return [named.path]
    beside = [video for video in list_videos(top.parent) if video.stem == top.name]
    if (top / RUN_RECORD).is_file():
        return beside[:1] or [named.path if named else top / "frames"]
    if len(found := [*list_videos(top), *beside]) > 1:
        names = ", ".join(str(video) for video in found[:3])
        raise DataError(f"{top / 'masks'}: which video are these masks of? There are {names}; leave one")
    return found or [top / "frames"]  # so that it is named as missing
