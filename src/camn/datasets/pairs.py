"""Pictures and label images on disk: reading one of each, and pairing folders of them by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from camn.datasets.labels import LabelFiles
from camn.datasets.videos import frame_paths, read_frame, video_of, video_of_run
from camn.errors import DataError, VideoError
from camn.files import is_file
from camn.masks import IGNORE
from camn.masks.frame_names import FrameNames, is_image_name
from camn.masks.sizes import in_words, turned
from camn.media.folder_files import Listing, list_folder
from camn.media.picture import read_image as read_rgb


def read_image(path: Path) -> np.ndarray:
    """The picture, or a video's frame (see `camn.datasets.videos`), upright, as (H, W, 3) uint8 RGB. Raises DataError
    if it is missing, cut short or no picture."""
    if video_of(path):
        return read_frame(path)
    try:
        return read_rgb(path)
    except VideoError as error:
        raise DataError(str(error)) from error


def read_labels(path: Path) -> np.ndarray:
    """A mask on its own, (H, W) uint8: 0 background, 255 ignore; see `LabelFiles`. Raises DataError."""
    return LabelFiles((path,)).read(path)


def read_pair(image: Path, mask: Path, files: LabelFiles | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Picture (H, W, 3) and labels (H, W), of one size. files: the masks to which this one belongs, if it is not alone.
    Raises DataError if the sizes differ."""
    picture, labels = read_image(image), (files or LabelFiles((mask,))).read(mask)
    if picture.shape[:2] != labels.shape:
        raise DataError(
            f"{mask}: labels are {in_words(labels.shape)} but {image} is {in_words(picture.shape)}; make them again at "
            f"one size{turned(labels.shape, picture.shape[:2])}"
        )
    return picture, labels


def pair_folders(images: Path, masks: Path, sparse: bool = False) -> tuple[list[tuple[Path, Path | None]], list[str]]:
    """(pairs in order of name, problems): pictures and masks with the same stem, or the same number in it, and what
    keeps others from it.

    images: a folder, or a video file. sparse: pictures without a mask are no problem and are listed too, with None.
    """
    absent = [f"{masks}: no such folder"] if not masks.is_dir() else []
    if not images.is_dir() and not is_file(images):
        absent.insert(0, _missing(images, masks))
    if absent:
        return [], absent
    try:
        listing, files = _pictures(images)
    except DataError as error:
        return [], [str(error)]
    pictures, twice = _by_stem(files)
    named, _ = _by_stem([p for p in sorted(masks.iterdir()) if p.suffix.lower() == ".png" and p.name[:1] != "."])
    problems = [f"{images}: {name} is there twice, with two suffixes; remove one" for name in twice]
    try:
        listing.refuse(images)
    except VideoError as error:
        problems.append(str(error))
    labels, strange = by_frame(list(pictures), named)
    if strange and not images.is_dir():  # a video may hold more frames than it states
        listing, files = _pictures(images, counted=True)
        pictures, twice = _by_stem(files)
        labels, strange = by_frame(list(pictures), named)
    alone: list[str] = sorted({*strange, *(() if sparse else pictures.keys() - labels.keys())})
    why = "; ".join(_reasons(images, masks, listing, strange)) if alone or not labels else ""
    if not labels:
        problems.append(f"{images}: no picture that has a mask of its name in {masks}{f': {why}' if why else ''}")
        return [], problems
    if alone:
        problems.append(
            f"{images} has {len(pictures)} pictures and {masks} has {len(named)} masks; "
            f"without a partner: {', '.join(alone[:5])}{' ...' if len(alone) > 5 else ''}{f' ({why})' if why else ''}"
        )
    names = sorted(pictures if sparse else labels)
    return [(pictures[name], labels.get(name)) for name in names], problems


def _missing(images: Path, masks: Path) -> str:
    run = masks.parent
    if (video := video_of_run(run)) is None or video.path != images:
        return f"{images}: no such {'video' if images.suffix else 'folder'}"
    beside = f"{run.absolute()}{'.mkv' if video.stream else images.suffix}, beside the run's folder"
    if video.stream:
        return video.gone(f"call a recording of just these frames {beside}")
    return video.gone(f"bring it back there, or call it {beside}")


def _pictures(images: Path, counted: bool = False) -> tuple[Listing, list[Path]]:
    """Of a folder, or of a video file; counted: see `frame_paths`. Raises DataError."""
    if images.is_dir():
        listing = list_folder(images)
        return listing, [images / name for name in listing.frames]
    frames = frame_paths(images, counted)
    return Listing(tuple(frame.name for frame in frames)), frames


def by_frame(frames: Sequence[str], masks: Mapping[str, Path]) -> tuple[dict[str, Path], list[str]]:
    """(the mask of each frame that has one; the stems of masks of no frame), by the stems of both, or by the number in
    them; see `camn.masks.frame_names`."""
    if masks.keys() <= set(frames):  # nearly always, and there can be thousands of folders
        return dict(masks), []
    found = FrameNames(frames).same(list(masks))
    both = {frames[index]: name for name, index in reversed(list(zip(masks, found))) if index is not None}
    return {frame: masks[name] for frame, name in both.items()}, sorted(masks.keys() - set(both.values()))


def _reasons(images: Path, masks: Path, listing: Listing, strange: Sequence[str]) -> Iterator[str]:
    """By example, why frames and masks do not pair."""
    if listing.beside:
        unread = images / listing.beside[0]
        yield f"{unread}: {unread.suffix} is not read here; save frames as PNG or JPEG"
    files = (path for path in sorted(masks.iterdir()) if path.suffix.lower() != ".png" and path.name[:1] != ".")
    if other := next((path for path in files if is_image_name(path.name)), None):
        yield f"{other}: masks must be PNG"
    if strange:
        such = f" (such as {Path(listing.frames[0]).stem})" if listing.frames else ""
        yield f"{masks / strange[0]}.png is named like no frame{such}"


def _by_stem(files: Sequence[Path]) -> tuple[dict[str, Path], list[str]]:
    """(files by stem, the stems that are there twice)."""
    counts = Counter(path.stem for path in files)
    return {path.stem: path for path in files}, [stem for stem, count in counts.items() if count > 1]


def list_folders(top: Path) -> list[str]:
    """The names of the folders in a folder, sorted; hidden ones, which file managers and notebooks leave, are not."""
    return sorted(p.name for p in top.iterdir() if p.is_dir() and not p.name.startswith("."))


def raise_problems(what: str, problems: list[str]) -> None:
    """Raise one DataError that names every problem; nothing happens when there is none."""
    if problems:
        raise DataError("\n  ".join([f"{what} does not fit together; mend or remove these:", *problems]))


def is_binary(labels: np.ndarray) -> bool:
    """Whether this is a mask of values 0 and 255 alone, as in DAVIS 2016's own download: 255 is then the object."""
    return bool((labels == IGNORE).any()) and not ((labels > 0) & (labels < IGNORE)).any()
