"""What an object is called where a file wants a name for each."""

from __future__ import annotations

from collections.abc import Mapping


def object_name(id: int, names: Mapping[int, str]) -> str:
    """Its name, or "object ID" without one. Objects of one name are of one category."""
    return names.get(id, "").strip() or f"object {id}"


def category_ids(names: Mapping[int, str]) -> dict[int, int]:
    """The category of each object that has a name: the lowest id of that name. Others are of a category by themselves,
    which has their own id."""
    first = {name: id for id, name in sorted(names.items(), reverse=True)}
    return {id: first[name] for id, name in names.items()}
