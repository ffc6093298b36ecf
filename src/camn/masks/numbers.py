"""The number in which the names of a set of files differ: of frames, or of objects."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Says = Literal["frames", "likely frames", "nothing", "objects"]
SAID: tuple[Says, ...] = ("frames", "likely frames")
PADDED = 4  # digits or more are a frame's number, if nothing else is said: 00010, not 10
LONGEST = 18  # digits of a number; what is longer is a key of some other kind
_FRAME = frozenset({"frame", "frames", "frm"})
_OBJECT = frozenset({"object", "objects", "obj", "id", "instance", "inst", "label", "class", "category", "person"})
_WORD = re.compile(r"([^\W\d_]+)[\W_]*$")
_SENT = re.compile(r"[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the names of uploads
# Keys that tools add to names: "frame_1_jpg.rf.3f9a...", a UUID.
_KEY = re.compile(
    r"(?<![0-9a-z])(?=[0-9-]*[a-f])([0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{16,})(?![0-9a-z])", re.I
)


@dataclass(frozen=True)
class Numbers:
    """numbers: of each name, None of one that is called otherwise. says: what the names say they are of, beside that.
    rivals: two names that bear the same number, one called in another way than the other."""

    numbers: tuple[int | None, ...]
    says: Says
    rivals: tuple[str, str] | None = None


@dataclass(frozen=True)
class _Parts:
    """A name, cut into texts and digits; of names that are called alike the texts are the same."""

    texts: tuple[str, ...]
    digits: tuple[str, ...]


def find_numbers(stems: Sequence[str], fit: Callable[[Sequence[int]], bool] = lambda numbers: False) -> Numbers | None:
    """The number in which names (without folders and suffixes) that are otherwise alike differ; None if there is none.

    Of several that differ, the one that is another in every name; of several such, the one that fits. Of a single name
    its only number, or the one that says it is a frame's: by the word before it, or by its leading zeros.
    """
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    parts = [_cut(name) for name in without_keys(stems)]
    for index, part in enumerate(parts):
        if part.digits:
            groups[part.texts].append(index)
    found: list[tuple[list[int], int, Says]] = []
    for texts, members in groups.items():
        column = _running(texts, [parts[index].digits for index in members], fit)
        if column is not None:
            found.append((members, column, _said(texts, [parts[index].digits for index in members], column)))
    found.sort(key=lambda group: (len(group[0]), group[2] == "frames", group[2] == "likely frames"), reverse=True)
    if not found or (len(found) > 1 and len(found[0][0]) == 1 and found[0][2] == found[1][2]):
        return None  # nothing, or single names that are all called differently
    members, column, says = found[0]
    numbers: list[int | None] = [None] * len(parts)
    for index in members:
        numbers[index] = int(parts[index].digits[column])
    here = {number: stems[index] for index, number in enumerate(numbers) if number is not None}
    others = [
        (int(parts[index].digits[c]), stems[index]) for group, c, _ in found[1:] if len(group) > 1 for index in group
    ]
    rivals = next(((here[number], name) for number, name in others if number in here), None)
    return Numbers(tuple(numbers), says, rivals)


def without_keys(stems: Sequence[str]) -> list[str]:
    """The names without the random keys that tools add to them."""
    sent = all(_SENT.match(name) for name in stems) and not all(name[:8].isdigit() for name in stems)
    return [_KEY.sub("", name[9:] if sent else name) for name in stems]


def _cut(name: str) -> _Parts:
    if name.startswith("."):
        return _Parts((), ())
    parts = re.split("([0-9]+)", name.casefold())
    return _Parts(tuple(parts[::2]), tuple(parts[1::2]))


def _running(
    texts: tuple[str, ...], rows: Sequence[tuple[str, ...]], fit: Callable[[Sequence[int]], bool]
) -> int | None:
    """Which of the numbers of these names runs."""
    rows = list(dict.fromkeys(rows))  # the same name with two suffixes
    columns = [c for c in range(len(rows[0])) if all(len(row[c]) <= LONGEST for row in rows)]
    values = {c: [int(row[c]) for row in rows] for c in columns}
    if len(rows) == 1:
        named = [c for c in columns if _word(texts[c]) in _FRAME]
        padded = [c for c in columns if len(rows[0][c]) >= PADDED]
        columns = next((chosen for chosen in (named, padded, columns) if chosen), [])
    else:
        columns = [c for c in columns if len(set(values[c])) == len(rows)]
    if len(columns) > 1:
        columns = [c for c in columns if _word(texts[c]) in _FRAME] or [c for c in columns if fit(values[c])]
    return columns[0] if len(columns) == 1 else None


def _said(texts: tuple[str, ...], rows: Sequence[tuple[str, ...]], column: int) -> Says:
    word, padded = _word(texts[column]), min(len(row[column]) for row in rows) >= PADDED
    if word in _FRAME or (padded and not any(texts)):
        return "frames"
    if word in _OBJECT:
        return "objects"
    return "likely frames" if padded else "nothing"


def _word(text: str) -> str:
    """The last word of the text before a number."""
    return match[1] if (match := _WORD.search(text)) else ""
