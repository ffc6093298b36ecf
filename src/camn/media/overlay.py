"""Objects drawn over the frames, as pictures and as overlay.mp4."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from camn import masks
from camn.errors import OutputError
from camn.files import ClosedAtEnd
from camn.media.movie import Encoding, Movie
from camn.media.source import Frame


def outline(ids: np.ndarray, width: int = 1) -> np.ndarray:
    """Pixels of objects within `width` of a pixel with another id up, down, left or right. (H, W) -> (H, W) bool."""
    edge = np.zeros(ids.shape, bool)
    for step in range(1, width + 1):
        rows, columns = ids[step:] != ids[:-step], ids[:, step:] != ids[:, :-step]
        edge[step:] |= rows
        edge[:-step] |= rows
        edge[:, step:] |= columns
        edge[:, :-step] |= columns
    return edge & (ids > 0)


def draw_overlay(
    image: np.ndarray, ids: np.ndarray, opacity: float = 0.5, palette: np.ndarray = masks.PALETTE
) -> np.ndarray:
    """Each object tinted with its id's palette colour, with an outline in the full colour.

    image (H, W, 3) uint8 RGB, ids (H, W) uint8 -> (H, W, 3) uint8. opacity 0 (outline only) to 1. palette (256, 3)
    uint8 RGB. The outline is one pixel wide per 480 pixels of the shorter side. Raises OutputError.
    """
    if not 0 <= opacity <= 1:
        raise OutputError(f"overlay opacity {opacity} must be between 0 and 1")
    drawn = image.copy()
    for id in masks.ObjectIds.of(ids):
        inside = (ids == id).view(np.uint8)
        x, y, width, height = cv2.boundingRect(inside)
        box = np.s_[y : y + height, x : x + width]
        tint = np.rint(np.arange(256)[:, None] * (1 - opacity) + palette[id] * opacity).astype(np.uint8)
        cv2.copyTo(cv2.LUT(drawn[box], tint[None]), inside[box], drawn[box])
    edge = np.flatnonzero(outline(ids, max(1, round(min(ids.shape) / 480))))
    drawn.reshape(-1, 3)[edge] = palette[ids.reshape(-1)[edge]]
    return drawn


def overlay_encoding(size: tuple[int, int]) -> Encoding:
    """H.264 for frames of size (H, W).

    Even sizes are yuv420p, which everything plays. With halved chroma H.264 cannot hold an odd width or height at all
    (it crops in steps of two pixels), so these are yuv444p: the size stays the source's, which matters more here than
    the players without that profile (hardware decoders, QuickTime, Safari; VLC, mpv, ffmpeg and Chrome have it).
    No B-frames: then frames are stored in order of presentation, and a variable rate keeps every frame's duration.
    """
    odd = any(side % 2 for side in size)
    options = {"crf": "18", "preset": "veryfast", "bf": "0"}
    return Encoding("mp4", "libx264", "yuv444p" if odd else "yuv420p", options, {"movflags": "+faststart"})


class OverlayWriter(ClosedAtEnd):
    """overlay.mp4: H.264 with the source's size, frame count and frame times. See Movie for what happens on errors.

    size: (H, W). fps: the source's, or the rate to show an image folder at. tick: the source's time_base. opacity,
    palette: as for `draw_overlay`. more: `aspect`, `sound` and `notice` of Movie.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        fps: Fraction | int = 24,
        tick: Fraction | None = None,
        opacity: float = 0.5,
        palette: np.ndarray = masks.PALETTE,
        **more: Any,
    ):
        if not 0 <= opacity <= 1:
            raise OutputError(f"{path}: overlay opacity {opacity} must be between 0 and 1")
        self.opacity, self.palette = opacity, palette
        self.movie = Movie(path, overlay_encoding(size), size, fps, tick, **more)

    def write(self, frame: Frame, ids: np.ndarray) -> None:
        """ids (H, W) uint8, of the frame's own size. Raises OutputError."""
        self.movie.write(draw_overlay(frame.image, ids, self.opacity, self.palette), frame.time, frame.duration)

    def close(self) -> None:
        self.movie.close()
