"""Mattes: white where any object is, black elsewhere, without edges in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from camn.api.segment.exporters.exporter import About, Exporter, Shown, Write, copying
from camn.files import replacing
from camn.media.movie import Encoding, Movie
from camn.media.outputs import prepare_output
from camn.media.overlay import overlay_encoding


def matte(ids: np.ndarray) -> np.ndarray:
    """ids (H, W) uint8 -> (H, W) uint8 of 0 and 255."""
    return (ids > 0).astype(np.uint8) * 255


@contextmanager
def _pictures(path: Path, about: About) -> Iterator[Write]:
    folder = prepare_output(path)
    yield lambda shown: write_png(folder / f"{shown.name}.png", matte(shown.ids))


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Raises OutputError."""
    with replacing(path) as part:
        Image.fromarray(pixels).save(part, compress_level=1)


@contextmanager
def _movie(encoding: Callable[[tuple[int, int]], Encoding], path: Path, about: About) -> Iterator[Write]:
    with Movie(path, encoding(about.size), about.size, about.fps, about.tick, **about.played) as movie:

        def write(shown: Shown) -> None:
            movie.write(np.dstack([matte(shown.ids)] * 3), shown.seen.time, shown.seen.duration)

        yield write


def _prores(size: tuple[int, int]) -> Encoding:
    return Encoding("mov", "prores_ks", "yuv422p10le", {"profile": "hq"})


# The movies need the frames for their times alone.
PNG = Exporter("matte", _pictures, files=("*.png",), join=copying("*.png"), title="Matte", form="PNG, zip")
H264 = Exporter("matte.mp4", partial(_movie, overlay_encoding), "frames", title="Matte", form="H.264, MP4")
PRORES = Exporter("matte.mov", partial(_movie, _prores), "frames", title="Matte", form="ProRes 422 HQ, MOV")
