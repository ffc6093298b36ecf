"""Single pictures with object masks, in folders `ROOT/KIND/images` and `ROOT/KIND/masks`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camn.datasets.pairs import is_binary, list_folders, pair_folders, raise_problems, read_pair
from camn.errors import DataError


@dataclass(frozen=True)
class Still:
    """One picture and its mask; `kind` is the folder it came from."""

    kind: str
    image: Path
    mask: Path

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Picture (H, W, 3) uint8 RGB and labels (H, W) uint8 (255 = ignore). Raises DataError.

        A mask of 0 and 255 alone shows one object, of id 1.
        """
        picture, labels = read_pair(self.image, self.mask)
        return picture, (labels > 0).astype(np.uint8) if is_binary(labels) else labels


class StillsFolder:
    """Every still under ROOT, in order of kind and name.

    Raises DataError that names every missing folder and unmatched file.
    """

    def __init__(self, root: str | Path):
        self.root = Path(root)
        self.stills, problems = scan_stills(self.root)
        raise_problems(f"the folder of stills {self.root}", problems)

    def __len__(self) -> int:
        return len(self.stills)


def scan_stills(root: Path) -> tuple[tuple[Still, ...], list[str]]:
    """(the stills that have a mask; all problems). Raises DataError if there is no such folder."""
    if not root.is_dir():
        raise DataError(f"{root}: no such folder of stills; it should hold KIND/images and KIND/masks")
    kinds = list_folders(root)
    stills, problems = [], [] if kinds else [f"{root}: holds no KIND folder"]
    for kind in kinds:
        pairs, found = pair_folders(root / kind / "images", root / kind / "masks")
        stills += [Still(kind, image, mask) for image, mask in pairs if mask]
        problems += found
    return tuple(stills), problems
