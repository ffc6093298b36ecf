"""Pictures of where two sets of masks of the same videos differ most, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from camn.datasets.pairs import read_image, read_labels
from camn.datasets.sequence import VideoSequence
from camn.files import replacing
from camn.media.folder_files import list_images
from camn.media.overlay import draw_overlay

APART = 10  # frames: two pictures of a sequence are at least so far apart


def draw_differences(
    sequences: Sequence[VideoSequence], before: Path, after: Path, out: Path, count: int
) -> list[Path]:
    """OUT/post-processing-N.png, the first the largest: the frame with the masks of BEFORE/SEQ/NAME.png on the left,
    with those of AFTER on the right. -> as many as differ, at most `count`.

    Raises DataError, OutputError."""
    found: list[tuple[int, str, int]] = []
    by_name = {sequence.name: sequence for sequence in sequences}
    for name in by_name:
        for index, file in enumerate(list_images(before / name)):
            changed = int((read_labels(file) != read_labels(after / name / file.name)).sum())
            found += [(changed, name, index)] if changed else []
    taken: list[tuple[str, int]] = []
    for _, name, index in sorted(found, key=lambda one: (-one[0], one[1:])):
        if len(taken) < count and all(name != n or abs(index - i) >= APART for n, i in taken):
            taken.append((name, index))
    files = [out / f"post-processing-{number}.png" for number in range(1, len(taken) + 1)]
    for path, (name, index) in zip(files, taken):
        frame = by_name[name].frames[index]
        pictures = [_drawn(read_image(frame), folder / name / f"{frame.stem}.png") for folder in (before, after)]
        beside = np.concatenate([pictures[0], np.full((pictures[0].shape[0], 6, 3), 255, np.uint8), pictures[1]], 1)
        with replacing(path) as part:
            cv2.imwrite(str(part), beside[..., ::-1])
    return files


def _drawn(image: np.ndarray, mask: Path) -> np.ndarray:
    return draw_overlay(image, read_labels(mask))
