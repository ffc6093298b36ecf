"""over.mp4: all objects, cut out, over a background of one's choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from camn.api.segment.exporters.cutout import edge
from camn.api.segment.exporters.exporter import About, Exporter, Shown, Write
from camn.media.background import background
from camn.media.movie import Movie
from camn.media.overlay import overlay_encoding


def composed(image: np.ndarray, behind: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """image, behind (H, W, 3) uint8, alpha (H, W) in 0..1 -> (H, W, 3) uint8."""
    share = alpha[..., None]
    return np.rint(image * share + behind * (1 - share)).astype(np.uint8)


def _check(about: About) -> None:
    background(about.background, about.size, about.aspect)


@contextmanager
def _movie(path: Path, about: About) -> Iterator[Write]:
    behind = background(about.background, about.size, about.aspect)
    with Movie(path, overlay_encoding(about.size), about.size, about.fps, about.tick, **about.played) as movie:

        def write(shown: Shown) -> None:
            image = shown.seen.image
            movie.write(composed(image, behind(image), edge(shown.ids)), shown.seen.time, shown.seen.duration)

        yield write


OVER = Exporter(
    "over.mp4", _movie, "frames", check=_check, title="Over a background", form="MP4", wishes=("background",)
)
