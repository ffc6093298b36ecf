"""Pictures and label images on disk: reading one of each, and pairing folders of them by name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from camn.datasets.labels import LabelFiles
from camn.errors import DataError, VideoError
from camn.masks import IGNORE
from camn.masks.sizes import in_words, turned
from camn.media import image_folder

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".webp", ".png")


def read_image(path: Path) -> np.ndarray:
    """The picture, upright, as (H, W, 3) uint8 RGB. Raises DataError if it is missing, cut short or no picture."""
    try:
        return image_folder.read_image(path)
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
    """(pairs in order of name, problems): pictures and masks with the same stem, and what keeps others from it.

    sparse: pictures without a mask are no problem and are listed too, with None.
    """
    absent = [f"{top}: no such folder" for top in (images, masks) if not top.is_dir()]
    if absent:
        return [], absent
    (pictures, twice), (labels, _) = _by_stem(images, IMAGE_SUFFIXES), _by_stem(masks, (".png",))
    problems = [f"{images}: {name} is there twice, with two suffixes; remove one" for name in twice]
    both = pictures.keys() & labels.keys()
    if not both:
        return [], [*problems, f"{images}: no picture that has a mask of its name in {masks}"]
    alone = sorted(labels.keys() - pictures.keys() if sparse else pictures.keys() ^ labels.keys())
    if alone:
        problems.append(
            f"{images} has {len(pictures)} pictures and {masks} has {len(labels)} masks; "
            f"without a partner: {', '.join(alone[:5])}{' ...' if len(alone) > 5 else ''}"
        )
    names = sorted(pictures if sparse else both)
    return [(pictures[name], labels.get(name)) for name in names], problems


def _by_stem(top: Path, suffixes: tuple[str, ...]) -> tuple[dict[str, Path], list[str]]:
    """(files by stem, the stems that are there twice); hidden files, which archives from a Mac bring, are left out."""
    files = [p for p in sorted(top.iterdir()) if p.suffix.lower() in suffixes and not p.name.startswith(".")]
    counts = Counter(p.stem for p in files)
    return {p.stem: p for p in files}, [stem for stem, count in counts.items() if count > 1]


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
