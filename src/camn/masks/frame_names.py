"""Which frame a mask belongs to, by its name."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image


def stem(name: str) -> str:
    """A file name without its folder and image extension; other dots stay (`shot.v2.png` -> `shot.v2`)."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    front, dot, extension = name.rpartition(".")
    return front if dot and is_image_name(f"x.{extension}") else name


def is_image_name(name: str) -> bool:
    """Whether Pillow knows a file's extension as an image's."""
    front, dot, extension = name.rpartition(".")
    return bool(front and dot) and f".{extension.lower()}" in Image.registered_extensions()


class FrameNames:
    """Finds a frame's index by the name of a mask: the same name, or the same zero-padded number (4 digits or more)."""

    def __init__(self, names: Sequence[str]) -> None:
        self._exact: dict[str, int] = {}
        self._number: dict[int, int] = {}
        for index, name in enumerate(names):
            name = stem(name)
            self._exact.setdefault(name, index)
            if _padded(name):
                self._number.setdefault(int(name), index)
        self.count = len(names)

    def index(self, name: str) -> int | None:
        """The frame a mask of this name (with or without folder and extension) belongs to; None for no frame.

        `00010` is frame `000010` (a video's frames have six digits, DAVIS's masks five); `10` is not.
        """
        name = stem(name)
        if name in self._exact:
            return self._exact[name]
        return self._number.get(int(name)) if _padded(name) else None


def _padded(name: str) -> bool:
    return name.isascii() and name.isdigit() and 4 <= len(name) <= 18
