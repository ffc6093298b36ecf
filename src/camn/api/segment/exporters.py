"""Movies of masks that are there already: tinted over the video, or cut out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from camn.masks import PALETTE
from camn.media.alpha import ENCODINGS, cleared, cut_out
from camn.media.movie import Movie
from camn.media.overlay import draw_overlay, overlay_encoding
from camn.media.source import FrameSource, prefetch

MovieKind = Literal["overlay", "prores", "vp9"]
SUFFIX = {"overlay": ".mp4", "prores": ".mov", "vp9": ".webm"}


def write_movie(
    kind: MovieKind,
    source: FrameSource,
    masks: Callable[[int], np.ndarray | None],
    path: str | Path,
    *,
    fps: Fraction | int = 24,
    opacity: float = 0.5,
    colours: Mapping[int, tuple[int, int, int]] | None = None,
    count: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """overlay: H.264, objects tinted. prores (4444), vp9: the objects' colours with alpha, one pixel soft at the edge.

    masks: frame index -> (H, W) uint8 ids, None where there is none. path: see SUFFIX for its end. fps: where the
    source states none. colours: RGB of ids, the palette's if not given. count: stop after so many frames. progress:
    called with the frames done; what it raises ends the work, and then no file is left. Raises VideoError, OutputError.
    """
    size, path = source.size, Path(path)
    encoding = overlay_encoding(size) if kind == "overlay" else ENCODINGS[kind]
    palette = PALETTE.copy()
    for id, colour in (colours or {}).items():
        palette[id] = colour
    done = 0
    try:
        with (
            Movie(path, encoding, size, source.fps or fps, source.time_base) as movie,
            closing(prefetch(source)) as frames,
        ):
            for frame in frames:
                if done == count:
                    break
                ids = masks(frame.index)
                ids = np.zeros(size, np.uint8) if ids is None else ids
                overlay = kind == "overlay"
                picture = draw_overlay(frame.image, ids, opacity, palette) if overlay else cut(frame.image, ids)
                movie.write(picture, frame.time)
                done += 1
                progress(done)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def cut(image: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """image (H, W, 3) uint8, ids (H, W) -> (H, W, 4) uint8: all objects; alpha falls from 1 to 0 across the edge, and
    colours far from it are black."""
    inside = cv2.GaussianBlur((ids > 0).astype(np.float32), (0, 0), 0.8)
    return cleared(cut_out(image, inside))
