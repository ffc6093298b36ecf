"""Tables as programs write them: CSV with commas, semicolons or tabs; how columns are called."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from camn.files import text_of

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}


def column(name: str) -> str:
    """`Short side`, `short-side` -> `short_side`."""
    return "_".join(name.lower().replace("-", " ").replace("_", " ").split())


def columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same row by its columns' names as `column` has them. Raises ValueError where two become one."""
    names = [column(name) for name in row]
    _once(names)
    return dict(zip(names, row.values(), strict=True))


def read_csv(data: bytes, known: Collection[str]) -> Iterator[dict[str, str]]:
    """Rows by columns, whose names stand in the first line that holds anything; what separates cells is seen by these:
    known: columns that there can be. Spaces around cells do not count, nor do empty cells and lines. Raises ValueError.
    """
    text = text_of(data).lstrip("\r\n")
    first = text.splitlines()[0] if text else ""
    if first.lower().startswith("sep=") and len(first) == 5:  # told to Excel
        text = text[5:].lstrip("\r\n")
    separator = _separator(text, known)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = [column(name) for name in next(rows, [])]
        _once([name for name in names if name])
        for row in rows:
            cells = [cell.strip() for cell in row]
            if any(cells[len(names) :]):
                raise ValueError(
                    f"line {rows.line_num} has more cells than the first line has names: {separator.join(row)}; put "
                    f'"quotes" around a cell that holds a {_SEPARATORS[separator]}'
                )
            found = {name: cell for name, cell in zip(names, cells) if cell}
            if "" in found:
                raise ValueError(
                    f"line {rows.line_num} has a cell under a column without a name: {found['']}; name that column, or "
                    "leave it out (pandas: index=False)"
                )
            if found:
                yield found
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: {error}") from error


def _separator(text: str, known: Collection[str]) -> str:
    """That by which the first line names the most columns."""
    found = {}
    for separator in _SEPARATORS:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
        found[separator] = sum(column(name) in known for name in names)
    best = max(found, key=lambda separator: found[separator])
    if text and not found[best]:
        said = " ".join(text.splitlines()[0].split())[:80]
        raise ValueError(
            f"its first line must name the columns, with commas, semicolons or tabs between them, such as "
            f"video,masks; it is: {said}"
        )
    return best


def _once(names: Collection[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"there are two columns `{twice[0]}`; leave one (several masks are given in one cell)")
