"""Frames to measure on that need no data: discs that circle over a textured ground."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np


def moving_discs(count: int, height: int, width: int, objects: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`count` frames (H, W, 3) uint8 RGB, each with its mask (H, W) uint8 of the ids 1..objects.

    The discs stand evenly on an ellipse and move along it together, so that each can be seen on every frame; from 16
    pixels on this holds for up to 20 of them. The same arguments give the same frames.
    """
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 255, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    ground, colours = cv2.resize(grain, (width, height)), rng.integers(0, 255, (objects, 3)).tolist()
    radius = int(min(height, width) / (4 + objects))
    for t in range(count):
        frame, mask = ground.copy(), np.zeros((height, width), np.uint8)
        for k in range(objects):
            angle = 2 * np.pi * k / objects + 0.05 * t
            centre = (int(width * (0.5 + 0.3 * np.cos(angle))), int(height * (0.5 + 0.3 * np.sin(angle))))
            cv2.circle(frame, centre, radius, colours[k], -1)
            cv2.circle(mask, centre, radius, k + 1, -1)
        yield frame, mask
