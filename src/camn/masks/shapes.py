"""Shapes of annotation tools that are no polygons, as masks."""

from __future__ import annotations

import numpy as np

from camn.errors import MaskError


def fill_ellipse(
    centre: tuple[float, float], radii: tuple[float, float], degrees: float, height: int, width: int
) -> np.ndarray:
    """An ellipse, turned clockwise, -> (H, W) bool: the pixels with their centre in it. centre, radii: x, y in pixels.
    Raises MaskError for radii that are none."""
    if not min(radii) > 0.01:
        raise MaskError(f"its radii are {radii[0]:g} and {radii[1]:g} pixels: no ellipse")
    turn = np.deg2rad(degrees)
    right, down = np.arange(width)[None] + 0.5 - centre[0], np.arange(height)[:, None] + 0.5 - centre[1]
    along, across = right * np.cos(turn) + down * np.sin(turn), down * np.cos(turn) - right * np.sin(turn)
    return (along / radii[0]) ** 2 + (across / radii[1]) ** 2 <= 1
