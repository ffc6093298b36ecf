"""Which frame a mask belongs to, by its name."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from camn.errors import MaskFrameError
from camn.masks.numbers import find_numbers, without_keys

SPARE = 1000  # a video's length may be known roughly or not at all: so many frames more than twice that may come
UNKNOWN = 50_000  # frames of a video that does not tell how many


def stem(name: str) -> str:
    """A file name without its folder and image extension; other dots stay (`shot.v2.png` -> `shot.v2`)."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    front, dot, extension = name.rpartition(".")
    return front if dot and is_image_name(f"x.{extension}") else name


def is_image_name(name: str) -> bool:
    """Whether Pillow knows a file's extension as an image's."""
    front, dot, extension = name.rpartition(".")
    return bool(front and dot) and f".{extension.lower()}" in Image.registered_extensions()


class NumberNote(str):
    """That numbers were taken for frames in a way that may not be meant. fact: without the remedy."""

    def __new__(cls, fact: str, remedy: str = ""):
        note = super().__new__(cls, f"{fact}{remedy}")
        note.fact = fact
        return note

    fact: str


@dataclass(frozen=True)
class Placed:
    """frames: index of the frame of each name, None of what is of no frame. notes: sentences to print. moved: numbers
    were taken for places, which a note says."""

    frames: dict[str, int | None]
    notes: tuple[str, ...] = ()
    moved: bool = False


class FrameNames:
    """Finds frames by the names of masks.

    names: the frames' own, in order; None of a video, whose frames are numbered from 0. count: of a video, how many
    frames it has, as far as is known. first: the number that the first frame bears in the masks' names, if that is
    said.
    """

    def __init__(self, names: Sequence[str] | None, count: int | None = None, first: int | None = None) -> None:
        self.own, self.first = names is not None, first
        self.count = count if names is None else len(names)
        own = [stem(name) for name in names or ()]
        self._first = own[:2]
        self._exact = {name: index for index, name in reversed(list(enumerate(own)))}
        numbers = found.numbers if (found := find_numbers(own)) else ()
        self._number = {number: index for index, number in reversed(list(enumerate(numbers))) if number is not None}
        self.end = len(own) if self.own else 2 * (count or UNKNOWN) + SPARE

    def exact(self, name: str) -> int | None:
        """The frame that has this very name, with or without a key that a tool added."""
        if self.first is not None or not self._exact:
            return None
        name = stem(name)
        tried = (name, stem(name), *without_keys([name]))  # 1.jpg.png may be of 1.jpg
        return next((self._exact[one] for one in tried if one in self._exact), None)

    def index(self, number: int) -> int | None:
        """The frame of this number: by the frames' own numbers; of a video, or if they have none, counted from 0."""
        if self._number:
            return self._number.get(number)
        return number if number < self.end else None

    def fit(self, numbers: Iterable[int]) -> bool:
        """Whether all these are numbers of frames, as far as is known."""
        end = self.end if self._number or self.count is None else self.count
        return all(self.index(number) is not None and (self._number or number < end) for number in numbers)

    def complete(self, numbers: Collection[int]) -> bool:
        """Whether there is one number for each frame, one after the other."""
        return len(numbers) == self.count and max(numbers) - min(numbers) == len(numbers) - 1

    def same(self, names: Sequence[str]) -> list[int | None]:
        """The frames of these names, where nothing is to be guessed: by the same name, else the same number in it."""
        exact = [self.exact(name) for name in names]
        found = find_numbers([stem(name) for name in names], self.fit)
        if found is None or found.rivals or not self._number:
            return exact
        other, taken = [None if n is None else self.index(n) for n in found.numbers], set(exact)
        return [one if one is not None or two in taken else two for one, two in zip(exact, other, strict=True)]

    def place(self, numbers: Mapping[str, int], where: object, matched: bool = False, counted: bool = False) -> Placed:
        """Frames of names by the numbers in them.

        These are the frames' own if all fit. Else they are places, from 0 or from 1, where what is there tells that.
        matched: some names are those of frames, so that numbers are no places. counted: numbers are places, whatever
        numbers frames have. Raises MaskFrameError, after `where`, if nothing tells.
        """
        if self.first is not None:
            return Placed(self.counted_from(numbers, self.first, where))
        given = sorted(set(numbers.values()))
        low, high = given[0], given[-1]
        if not counted and self.fit(given):
            late = low == 1 and not self.own
            return Placed({name: self.index(n) for name, n in numbers.items()}, (FROM_ONE,) if late else ())
        known = {name: self.index(number) for name, number in numbers.items()}
        some = any(index is not None for index in known.values())
        whole = self.complete(given) or (low == 1 and high == self.count)
        end = self.end if self.count is None else self.count
        if not matched and ((whole and low <= 1) or (low == 0 and high < end and (counted or not some))):
            return Placed(self.counted_from(numbers, low, where), (self._places(numbers, low),), moved=True)
        if not some or whole or counted or (low > 0 and high == self.count):
            raise self._doubt(where, numbers, low if self.complete(given) else 1)
        return Placed(known)

    def counted_from(self, numbers: Mapping[str, int], first: int, where: object) -> dict[str, int | None]:
        places = {name: number - first for name, number in numbers.items()}
        found = {name: place if 0 <= place < self.end else None for name, place in places.items()}
        if all(place is None for place in found.values()):
            some = ", ".join(list(numbers)[:3])
            said = f"{where}: if the first frame bears the number {first}, none has that of {some}"
            raise MaskFrameError(said, "; give --first-frame the first one's")
        return found

    def _places(self, numbers: Mapping[str, int], first: int) -> NumberNote:
        name, last = (find(numbers, key=numbers.__getitem__) for find in (min, max))
        end = "" if name == last else f", and {last} for frame {numbers[last] - first}"
        start = "the first frame" if numbers[name] == first else f"frame {numbers[name] - first}"
        return NumberNote(
            f"{name} is taken for {start}{end} (0 is the first), as there are {self.count or 'such'} frames",
            "; --first-frame, the number that the first one bears in these names, says otherwise.",
        )

    def _doubt(self, where: object, numbers: Mapping[str, int], other: int) -> MaskFrameError:
        name, last = (find(numbers, key=numbers.__getitem__) for find in (min, max))
        run = f"{name} has" if name == last else f"{name} to {last} have"
        frames = ", ".join(self._first) if self.own else "000000, 000001"
        place = numbers[name] - (other or 1)
        then = f"frame {place}" if place >= 0 else "of no frame"
        return MaskFrameError(
            f"{where}: {run} numbers that do not tell of which of {self.count or 'the'} frames they are masks "
            f"({frames}, ...)",
            f". Say which number the first frame bears in the masks' names: with --first-frame 0 {name} is frame "
            f"{numbers[name]} (0 is the first), with --first-frame {other or 1} it is {then}",
        )


FROM_ONE = NumberNote(
    "Masks begin at frame 1 (0 is the first), and frame 0 stays empty. Are they numbered from 1?",
    " Then give --first-frame 1.",
)
