"""Pillow as it comes, whatever a program that calls us has set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import ImageFile

_lock = threading.Lock()
_inside, _theirs = 0, False


@contextmanager
def whole_files() -> Iterator[None]:
    """A picture that is cut off is refused meanwhile, also where the caller has set LOAD_TRUNCATED_IMAGES, as scripts
    of training do: half a mask would be background. It is the process's: the last one out puts it back."""
    global _inside, _theirs
    with _lock:
        if not _inside:
            _theirs, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                ImageFile.LOAD_TRUNCATED_IMAGES = _theirs
