"""A folder in the layout of DAVIS 2016 and 2017: every frame of every listed sequence with its mask."""

from __future__ import annotations

from pathlib import Path

from camn.data.pairs import raise_problems
from camn.data.sequence import sequence_of
from camn.errors import DataError


class DavisFolder:
    """`ROOT/ImageSets/YEAR/SPLIT.txt`, `ROOT/JPEGImages/480p/SEQ/NAME.jpg`, `ROOT/Annotations/480p/SEQ/NAME.png`.

    The lists of DAVIS 2016's own download, `ImageSets/480p/SPLIT.txt` with a frame and a mask on each line, do as well.
    Frames may also be .webp or .png. Every frame has a mask, but in splits called test...: those give the first alone.
    Raises DataError that names every missing folder, unmatched file and empty list.
    """

    def __init__(self, root: str | Path, year: str | int = "2016", split: str = "train", resolution: str = "480p"):
        self.root, self.year, self.split, self.resolution = Path(root), str(year), split, resolution
        found, problems = [], []
        for name in self._names():
            frames, masks = (self.root / kind / resolution / name for kind in ("JPEGImages", "Annotations"))
            sequence, said = sequence_of(name, frames, masks, sparse=split.startswith("test"))
            found.append(sequence)
            problems += said
        raise_problems(f"the DAVIS folder {self.root}", problems)
        self.sequences = tuple(sequence for sequence in found if sequence)

    def __len__(self) -> int:
        return len(self.sequences)

    def _names(self) -> list[str]:
        path = self.root / "ImageSets" / self.year / f"{self.split}.txt"
        own = self.root / "ImageSets" / self.resolution / f"{self.split}.txt"
        if not path.is_file() and not (self.year == "2016" and own.is_file()):
            raise DataError(f"{path}: no such list of sequences; is {self.root} the top of a DAVIS folder?")
        if path.is_file():
            names = [line.strip() for line in path.read_text().splitlines() if line.strip()]
        else:  # /JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png
            path = own
            names = list(dict.fromkeys(Path(line.split()[0]).parent.name for line in path.read_text().splitlines()))
        if not names or len(set(names)) < len(names):
            raise DataError(f"{path}: {'names a sequence twice' if names else 'names no sequence'}; mend the list")
        return names
