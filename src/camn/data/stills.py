"""Single pictures with object masks, in folders `ROOT/KIND/images` and `ROOT/KIND/masks`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camn.data.pairs import pair_folders, raise_problems, read_pair
from camn.errors import DataError


@dataclass(frozen=True)
class Still:
    """One picture and its mask; `kind` is the folder it came from."""

    kind: str
    image: Path
    mask: Path

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Picture (H, W, 3) uint8 RGB and labels (H, W) uint8 (255 = ignore). Raises DataError."""
        return read_pair(self.image, self.mask)


class StillsFolder:
    """Every still under ROOT, or those of the named kinds, in order of kind and name.

    Raises DataError that names every missing folder, unknown kind and unmatched file.
    """

    def __init__(self, root: str | Path, kinds: Collection[str] | None = None):
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(f"{self.root}: no such folder of stills; it should hold KIND/images and KIND/masks")
        self.kinds = tuple(sorted(p.name for p in self.root.iterdir() if p.is_dir()) if kinds is None else kinds)
        stills, problems = [], [] if self.kinds else [f"{self.root}: holds no KIND folder"]
        for kind in self.kinds:
            pairs, found = pair_folders(self.root / kind / "images", self.root / kind / "masks")
            stills += [Still(kind, image, mask) for image, mask in pairs if mask]
            problems += found
        raise_problems(f"the folder of stills {self.root}", problems)
        self.stills = tuple(stills)

    def __len__(self) -> int:
        return len(self.stills)
