"""The order of frames by their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

_DIGITS = re.compile(r"([0-9]+)")
# A number as programs print seconds, 0.25, -1.5, 1e-05, 0,25, or else digits. No decimal number: 2024.01.15, 1.2.3.
# A minus is none between numbers, as in dates.
_NUMBER = re.compile(
    r"(?P<minus>(?<![0-9])-)?"
    r"(?P<number>(?<![0-9.,])[0-9]+(?:[.,](?P<fraction>[0-9]+))?(?P<power>e[-+][0-9]+)?(?![.,]?[0-9])|[0-9]+)"
)
Key = Callable[[str], Any]


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Sorting key in which numbers count as numbers: frame2 before frame10."""
    parts = _DIGITS.split(name)
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def shape(name: str) -> str:
    """A name without its numbers, by which those of one sequence are alike: IMG_0001 -> IMG_#."""
    return _DIGITS.sub("#", name)


def frame_order(names: Sequence[str]) -> tuple[Key, str]:
    """(sorting key for names of one sequence, without suffixes; what the user should know of the order, or "").

    Decimal numbers count as such, 0.25 before 0.5, unless they are numbers between dots: 1.9, 1.10, 1.11. Else the
    order is the natural one.
    """
    key, doubt = natural_key, ""
    if decimals := _as_decimals(names):
        natural, other = sorted(names, key=natural_key), sorted(names, key=decimals)
        if natural != other:
            key, doubt = _decided(names, natural, other, decimals)
    return key, doubt or (_several(names) if key is natural_key else "")


def _as_decimals(names: Sequence[str]) -> Key | None:
    """A key in which decimal numbers and signs count; None where no name has them."""
    found = [(name[: match.start()], match) for name in names for match in _NUMBER.finditer(name)]
    fractions = any(match["fraction"] or match["power"] for _, match in found)
    unsigned = {before for before, match in found if not match["minus"]}
    signed = unsigned | {""} if fractions else unsigned  # behind what other names have a number, - is no hyphen
    if not fractions and not any(match["minus"] and before in signed for before, match in found):
        return None

    def key(name: str) -> tuple[tuple[str | Decimal, ...], Any]:
        parts: list[str | Decimal] = []
        at = 0
        for match in _NUMBER.finditer(name):
            minus = match["minus"] and name[: match.start()] in signed
            hyphen = "-" if match["minus"] and not minus else ""
            number = Decimal(match["number"].replace(",", "."))
            parts += [name[at : match.start()] + hyphen, -number if minus else number]
            at = match.end()
        return (*parts, name[at:]), natural_key(name)

    return key


def _decided(names: Sequence[str], natural: list[str], other: list[str], decimals: Key) -> tuple[Key, str]:
    """Which of two orders, and the doubt there is."""
    if len({decimals(name)[0] for name in names}) < len(set(names)):
        return natural_key, ""  # as 1.1 and 1.10, which were one number
    numbers = [match for name in names for match in _NUMBER.finditer(name)]
    fractions = [match["fraction"] for match in numbers if match["fraction"]]
    where = next(i for i, pair in enumerate(zip(natural, other, strict=True)) if pair[0] != pair[1])
    even = _even(other, decimals)
    padded = any(len(digits) > 1 and digits.endswith("0") for digits in fractions)  # as no program prints 0.5 by 0.25
    if padded or (not even and _even(natural, natural_key)):
        first, then = natural[where], other[where]
        how = "of the numbers between their dots"
    else:
        if any(len(digits) > 1 and digits.startswith("0") for digits in fractions) or even:
            return decimals, ""
        negative = any(isinstance(part, Decimal) and part < 0 for name in names for part in decimals(name)[0])
        if negative or any(match["power"] for match in numbers):
            return decimals, ""
        first, then = other[where], natural[where]
        how = "of their decimal numbers"
    return natural_key if first == natural[where] else decimals, (
        f"the names are taken in the order {how}, {first} before {then}; if another is meant, name the files by "
        "numbers with as many digits each"
    )


def _even(ordered: list[str], key: Key) -> bool:
    """Whether the names are alike but for one number, whose steps are equal."""
    rows = [key(name)[0] for name in ordered]
    if len({len(row) for row in rows}) > 1:
        return False
    varied = [column for column in zip(*rows, strict=True) if len(set(column)) > 1]
    if len(varied) != 1 or isinstance(varied[0][0], str):
        return False
    return len({b - a for a, b in zip(varied[0], varied[0][1:])}) == 1


def _several(names: Sequence[str]) -> str:
    """A doubt, where names are of two kinds that count alike: of two cameras, or frames and their masks."""
    kinds: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for name in names:
        if numbers := _DIGITS.findall(name):
            kinds[shape(name)].add(tuple(numbers))
    twice = next(_alike([(kind, counted) for kind, counted in kinds.items() if len(counted) > 1]), None)
    if twice is None:
        return ""
    return (
        f"the names are of two kinds that count alike, {twice[0]} and {twice[1]}: if these are two videos, or frames "
        "and their masks, give each a folder of its own"
    )


def _alike(kinds: list[tuple[str, set[tuple[str, ...]]]]) -> Iterator[tuple[str, str]]:
    for i, (kind, counted) in enumerate(kinds):
        for other, numbers in kinds[:i]:
            if 2 * len(counted & numbers) >= min(len(counted), len(numbers)):  # by chance a few may be alike
                yield other, kind
