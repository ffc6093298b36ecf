"""A folder in the layout of DAVIS 2016 and 2017: every frame of every listed sequence with its mask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camn.data.pairs import pair_folders, raise_problems, read_pair
from camn.errors import DataError


@dataclass(frozen=True)
class VideoSequence:
    """One sequence: frame files and mask files, in order, one mask for each frame."""

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame (H, W, 3) uint8 RGB and labels (H, W) uint8 (255 = ignore). Raises DataError."""
        return read_pair(self.frames[index], self.masks[index])


class DavisFolder:
    """`ROOT/ImageSets/YEAR/SPLIT.txt`, `ROOT/JPEGImages/480p/SEQ/NAME.jpg`, `ROOT/Annotations/480p/SEQ/NAME.png`.

    Frames may also be .webp or .png. Raises DataError that names every missing folder, unmatched file and empty list.
    """

    def __init__(self, root: str | Path, year: str | int = "2016", split: str = "train", resolution: str = "480p"):
        self.root, self.year, self.split = Path(root), str(year), split
        names = self._names()
        pairs, problems = {}, []
        for name in names:
            frames, masks = (self.root / kind / resolution / name for kind in ("JPEGImages", "Annotations"))
            pairs[name], found = pair_folders(frames, masks)
            problems += found
        raise_problems(f"the DAVIS folder {self.root}", problems)
        self.sequences = tuple(
            VideoSequence(name, tuple(image for image, _ in pairs[name]), tuple(mask for _, mask in pairs[name]))
            for name in names
        )

    def __len__(self) -> int:
        return len(self.sequences)

    def _names(self) -> list[str]:
        path = self.root / "ImageSets" / self.year / f"{self.split}.txt"
        if not path.is_file():
            raise DataError(f"{path}: no such list of sequences; is {self.root} the top of a DAVIS folder?")
        names = [line.strip() for line in path.read_text().splitlines() if line.strip()]
        if not names or len(set(names)) < len(names):
            raise DataError(f"{path}: {'names a sequence twice' if names else 'names no sequence'}; mend the list")
        return names
