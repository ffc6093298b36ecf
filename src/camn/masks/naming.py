"""What an object is called where a file wants a name for each."""

from __future__ import annotations

from collections.abc import Mapping


def object_name(id: int, names: Mapping[int, str]) -> str:
    """Its name, or "object ID" without one. Objects of one name are of one category."""
    return names.get(id, "").strip() or f"object {id}"


def category_ids(names: Mapping[int, str]) -> dict[str, int]:
    """The category of each name: the lowest id that has it. An object of another name is a category by itself."""
    return {object_name(id, names): id for id in sorted(names, reverse=True)}
