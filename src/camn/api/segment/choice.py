"""Which objects and which frames exports show. Light to import: the commands' options are checked by this."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

from camn.errors import ConfigError

if TYPE_CHECKING:
    from camn.api.segment.exporters.exporter import About

_MOST = 10  # ids that an error names


def is_whole(number: Any) -> bool:
    """Whether it is a whole number, of Python or NumPy."""
    return isinstance(number, Integral) and not isinstance(number, bool)


def is_id(number: Any) -> bool:
    """Whether an object may have it as its id."""
    return is_whole(number) and 1 <= number <= 255


@dataclass(frozen=True)
class Choice:
    """objects: ids; all if None. first, last: frames, both included, 0 being the video's first; last None is its end.
    Raises ConfigError for what cannot be."""

    objects: frozenset[int] | None = None
    first: int = 0
    last: int | None = None

    def __post_init__(self):
        if self.objects is not None and not self.objects:
            raise ConfigError("no object is chosen to be exported; name one or more, or leave the choice out")
        if wrong := [id for id in self.objects or () if not is_id(id)]:
            raise ConfigError(f"object {wrong[0]!r} to be exported: ids are whole numbers, 1..255")
        if self.first < 0 or (self.last is not None and self.last < self.first):
            raise ConfigError(
                f"frames {self.first} {self.last} to be exported: give the first and the last one, 0 being the video's "
                "first"
            )

    @classmethod
    def of(cls, objects: Iterable[int] | None = None, frames: tuple[int, int] | None = None) -> Choice:
        """frames: first and last. None for all."""
        if objects is not None and not isinstance(objects, Iterable):
            raise ConfigError(f"objects to be exported are {objects!r}: give a list of ids")
        chosen = None if objects is None else frozenset(int(id) if is_id(id) else id for id in objects)
        if frames is None:
            return cls(chosen)
        if not isinstance(frames, Sequence) or len(frames) != 2 or not all(map(is_whole, frames)):
            raise ConfigError(f"frames to be exported are {frames!r}: give the numbers of the first and the last one")
        return cls(chosen, *map(int, frames))

    @property
    def stop(self) -> int | None:
        """The first frame behind it."""
        return None if self.last is None else self.last + 1

    def holds(self, index: int) -> bool:
        return self.first <= index and (self.last is None or index <= self.last)

    def check(self, ids: Collection[int], count: int | None = None) -> None:
        """Raises ConfigError for an object that is not among `ids`, or frames of which a video of `count` has none."""
        if unknown := sorted((self.objects or frozenset()) - set(ids)):
            some = ", ".join(map(str, sorted(ids)[:_MOST])) + (", ..." if len(ids) > _MOST else "")
            raise ConfigError(f"there is no object {unknown[0]} to export; the objects are {some or 'none'}")
        if count is not None and count < 1:
            raise ConfigError("there is no frame to export")
        if count is not None and self.first >= count:
            raise ConfigError(f"there is no frame {self.first} to export; the video has {count}, 0..{count - 1}")

    def about(self, about: About) -> About:
        """What is to be known of the video where this of it is shown."""
        kept = about.ids if self.objects is None else tuple(sorted(self.objects))
        names = {id: name for id, name in about.names.items() if self.objects is None or id in self.objects}
        return replace(about, ids=kept, names=names, from_start=about.from_start or self.first > 0)
