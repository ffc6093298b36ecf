"""Cut-outs of masks: one movie of all objects in their colours, on nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from camn.api.segment.exporters.exporter import About, Exporter, Write
from camn.media.alpha import ENCODINGS, cleared, cut_out
from camn.media.movie import Movie


def cut(image: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """image (H, W, 3) uint8, ids (H, W) -> (H, W, 4) uint8: all objects; alpha falls from 1 to 0 across the edge, and
    colours far from it are black."""
    return cleared(cut_out(image, edge(ids)))


def edge(ids: np.ndarray) -> np.ndarray:
    """ids (H, W) uint8 -> (H, W) float32: 1 within objects, 0 outside, one pixel soft in between."""
    return cv2.GaussianBlur((ids > 0).astype(np.float32), (0, 0), 0.8)


@contextmanager
def _movie(kind: str, path: Path, about: About) -> Iterator[Write]:
    with Movie(path, ENCODINGS[kind], about.size, about.fps, about.tick, **about.played) as movie:
        yield lambda shown: movie.write(cut(shown.seen.image, shown.ids), shown.seen.time, shown.seen.duration)


PRORES = Exporter("cutout.mov", partial(_movie, "prores"), "frames", title="Cut-out", form="ProRes 4444, MOV")
VP9 = Exporter("cutout.webm", partial(_movie, "vp9"), "frames", title="Cut-out", form="VP9, WebM")
