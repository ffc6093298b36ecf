"""What the benchmarks share: the machine in words, and frames without end."""

from collections.abc import Iterator

import cv2
import numpy as np

from camn.evaluation.speed import describe_machine

__all__ = ["describe_machine", "moving_frames"]


def moving_frames(count: int, height: int, width: int, objects: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`count` frames (H, W, 3) of discs that circle over a textured ground, each with its mask (H, W) of ids."""
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8), (width, height))
    radius = int(min(height, width) / (4 + objects))
    starts, colours = rng.uniform(0, 2 * np.pi, objects), rng.integers(0, 255, (objects, 3)).tolist()
    for t in range(count):
        frame, mask = ground.copy(), np.zeros((height, width), np.uint8)
        for k in range(objects):
            angle = starts[k] + 2 * np.pi * k / objects + 0.05 * t
            centre = (int(width * (0.5 + 0.3 * np.cos(angle))), int(height * (0.5 + 0.3 * np.sin(angle))))
            cv2.circle(frame, centre, radius, colours[k], -1)
            cv2.circle(mask, centre, radius, k + 1, -1)
        yield frame, mask
