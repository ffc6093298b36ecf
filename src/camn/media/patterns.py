"""Image sequences named by a pattern: shot.####.png, frames/%05d.png, frames/*.jpg."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from camn.errors import VideoError
from camn.media.damage import runs

_COUNTER = re.compile(r"%(?:0?(\d{0,4}))d|(#+)")
_WILD = re.compile(r"[*?]|\[[^\]]+\]")


@dataclass(frozen=True)
class Pattern:
    """path: as it was given. fits: matches the names; where the pattern counts, its group is the number."""

    path: Path
    fits: re.Pattern[str]
    counts: bool

    @classmethod
    def of(cls, path: str | Path) -> Pattern | None:
        """None for what is no pattern, or is there by that very name. Raises VideoError for one that cannot be read."""
        path = Path(path)
        name = path.name
        counters, wild = list(_COUNTER.finditer(name)), _WILD.search(name)
        if not (counters or wild) or os.path.lexists(path) or not path.parent.is_dir():
            return None
        if len(counters) + bool(wild) > 1:
            raise VideoError(f"{path}: a pattern has one counter, %05d or ####, or * and ?; not both, nor two")
        if not counters:
            return cls(path, re.compile(fnmatch.translate(name)), False)
        counter = counters[0]
        width = len(counter[2]) if counter[2] else int(counter[1] or 1)
        if width > 30:
            raise VideoError(f"{path}: a counter of {width} digits; at most 30 are taken")
        before, after = re.escape(name[: counter.start()]), re.escape(name[counter.end() :])
        # as programs write it: filled up with zeros, longer where the number is
        return cls(path, re.compile(rf"{before}(\d{{{width}}}|[1-9]\d{{{width},}}){after}"), True)

    @property
    def folder(self) -> Path:
        return self.path.parent

    def matches(self, name: str) -> bool:
        return not name.startswith(".") and self.fits.fullmatch(name) is not None

    def none_fits(self, unread: Sequence[str]) -> str:
        """What to say where no picture fits. unread: pictures that do, of kinds that are not read."""
        if unread:
            return f"{self.path}: pictures of this kind are not read ({unread[0]}); convert them to PNG or JPEG"
        names = sorted(name for name in os.listdir(self.folder) if not name.startswith("."))
        if fitting := [name for name in names if self.matches(name)]:
            return f"{self.path}: {fitting[0]} is no picture; a pattern is for the pictures of one video"
        held = f"the folder holds {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "it is empty"
        return f"{self.path}: no file has a name that fits; {held}"

    def notes(self, frames: Sequence[str]) -> list[str]:
        """What the numbers say, where they are others than 0, 1, 2, ... or 1, 2, ...: which there are, and which are
        missing."""
        if not self.counts:
            return []
        numbers = [int(match[1]) for name in frames if (match := self.fits.fullmatch(PurePath(name).name))]
        low, high = min(numbers), max(numbers)
        missing = _missing(numbers)
        said = [f"{len(frames)} pictures, numbers {low} to {high}"] if missing or low > 1 else []
        if missing:
            said.append(
                f"{runs(missing).replace('frame', 'number', 1)} {'is' if len(missing) == 1 else 'are'} missing: the "
                "pictures that are there follow one another without a gap"
            )
        return said


def _missing(numbers: Sequence[int], most: int = 100_000) -> list[int]:
    """Between the lowest and the highest; of very many the first."""
    found: list[int] = []
    ordered = sorted(numbers)
    for one, other in zip(ordered, ordered[1:]):
        found += range(one + 1, min(other, one + 1 + most - len(found)))
        if len(found) >= most:
            break
    return found
