"""A folder in the layout of DAVIS 2016 and 2017: every frame of every listed sequence with its mask."""

from __future__ import annotations

from pathlib import Path

from camn.datasets.pairs import list_folders, raise_problems
from camn.datasets.sequence import VideoSequence, sequence_of
from camn.errors import DataError
from camn.files import text_of


class DavisFolder:
    """`ROOT/ImageSets/YEAR/SPLIT.txt`, `ROOT/JPEGImages/480p/SEQ/NAME.jpg`, `ROOT/Annotations/480p/SEQ/NAME.png`.

    The lists of DAVIS 2016's own download, `ImageSets/480p/SPLIT.txt` with a frame and a mask on each line, do as well.
    Frames may also be of other kinds. Every frame has a mask, but in splits called test...: those give the first alone.
    Raises DataError that names every missing folder, unmatched file and empty list.
    """

    def __init__(self, root: str | Path, year: str | int = "2016", split: str = "train", resolution: str = "480p"):
        self.root, self.year, self.split = Path(root), str(year), split
        self.sequences, problems = scan_davis(self.root, self.year, split, resolution)
        raise_problems(f"the DAVIS folder {self.root}", problems)

    def __len__(self) -> int:
        return len(self.sequences)


def scan_davis(
    root: Path, year: str, split: str, resolution: str = "480p"
) -> tuple[tuple[VideoSequence, ...], list[str]]:
    """(the sequences of a list that have frames and masks; all problems). Raises DataError without a list."""
    names = _names(root, year, split)
    tops = [root / kind / resolution for kind in ("JPEGImages", "Annotations")]
    absent = [f"{top}: no such folder; there are {_inside(top.parent)}" for top in tops if not top.is_dir()]
    if absent:
        return (), absent
    frames, masks = tops
    found = [sequence_of(name, frames / name, masks / name, sparse=split.startswith("test")) for name in names]
    return tuple(s for s, _ in found if s), [line for _, problems in found for line in problems]


def davis_lists(root: Path) -> list[tuple[str, str]]:
    """(year, split) of every list of sequences in ROOT/ImageSets; the lists of DAVIS 2016's own download are 2016."""
    files = (root / "ImageSets").glob("*/*.txt")
    return sorted({(p.parent.name if p.parent.name.isdigit() else "2016", p.stem) for p in files})


def _names(root: Path, year: str, split: str) -> list[str]:
    path = root / "ImageSets" / year / f"{split}.txt"
    if (
        year == "2016" and not path.is_file()
    ):  # lines of /JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png
        own = sorted(p for p in root.glob(f"ImageSets/*/{split}.txt") if not p.parent.name.isdigit())
        path = own[0] if own else path
    if not path.is_file():
        raise DataError(f"{path}: no such list of sequences; is {root} the top of a DAVIS folder?")
    try:
        lines = text_of(path.read_bytes()).splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no list of sequences that can be read: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    if not path.parent.name.isdigit():
        names = list(dict.fromkeys(Path(name.split()[0]).parent.name for name in names))
    if not names or len(set(names)) < len(names):
        raise DataError(f"{path}: {'names a sequence twice' if names else 'names no sequence'}; mend the list")
    return names


def _inside(folder: Path) -> str:
    """The names of the folders in a folder."""
    return ", ".join(list_folders(folder) if folder.is_dir() else []) or "none"
