"""Fine-tuning on one's own clips, as a user goes through it: check the folder, train, segment what was not annotated.

The clips are made to look like ultrasound: a dark chamber beats and drifts in speckle so strong that the shipped model,
which knows photographs, soon loses it. Masks are given for every second frame of the first half.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from forking import run

import camn
from camn import api
from camn.masks import write_palette_png

RECIPE = Path(__file__).parents[3] / "recipes" / "fine-tune.toml"
SIZE, LENGTH, ANNOTATED = (176, 240), 20, range(0, 10, 2)


def chamber(seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames (H, W, 3) uint8 and masks (H, W) uint8 of one clip."""
    rng = np.random.default_rng(seed)
    h, w = SIZE
    phase, radius, start = rng.uniform(0, 2 * np.pi, 4), rng.uniform(26, 36), rng.uniform(0.4, 0.6, 2) * (w, h)
    y, x = np.mgrid[:h, :w]
    for t in range(LENGTH):
        swing = np.sin((0.12 * t, 0.1 * t) + phase[:2]) - np.sin(phase[:2])
        cx, cy = start + (24, 14) * swing
        angle, distance = np.arctan2(y - cy, x - cx), np.hypot(x - cx, y - cy)
        wall = 1 + 0.2 * np.sin(2 * angle + phase[2]) + 0.12 * np.sin(3 * angle + phase[3] - 0.1 * t)
        inside = distance < radius * (1 + 0.2 * np.sin(0.5 * t + phase[2])) * wall
        speckle = cv2.GaussianBlur(rng.gamma(1.0, 1.0, (h, w)), (0, 0), 1.5)
        grey = np.clip(90 * np.where(inside, 0.75, 1.0) * speckle, 0, 255).astype(np.uint8)
        yield np.repeat(grey[..., None], 3, 2), inside.astype(np.uint8)


@pytest.fixture(scope="module")
def clips() -> list[list[tuple[np.ndarray, np.ndarray]]]:
    return [list(chamber(seed)) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def folder(clips: list[list[tuple[np.ndarray, np.ndarray]]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("own")
    for number, clip in enumerate(clips):
        frames, masks = (root / f"patient{number}" / name for name in ("frames", "masks"))
        frames.mkdir(parents=True)
        masks.mkdir()
        for t, (frame, mask) in enumerate(clip):
            assert cv2.imwrite(str(frames / f"{t:03d}.jpg"), frame)
            if t in ANNOTATED:
                write_palette_png(masks / f"{t:03d}.png", mask)
    return root


def later_j(model: str, clips: list[list[tuple[np.ndarray, np.ndarray]]]) -> float:
    """Mean J over the frames after the last annotated one, each clip segmented from its first mask."""
    segmenter = camn.load(model, device="cpu", short_side=SIZE[0])
    scores = []
    for clip in clips:
        segmenter.start(*clip[0])
        for t, (frame, mask) in enumerate(clip[1:], 1):
            found, true = segmenter.step(frame).ids == 1, mask == 1
            if t > ANNOTATED[-1]:
                scores.append((found & true).sum() / (found | true).sum())
    return float(np.mean(scores))


def test_a_folder_of_three_clips_is_checked_and_tuned_on_and_their_later_frames_improve(
    folder: Path, clips: list[list[tuple[np.ndarray, np.ndarray]]], tmp_path: Path
):
    check = run([sys.executable, "-m", "camn.cli", "data", "check", str(folder)])
    assert check.returncode == 0, check.stderr
    assert str(3 * LENGTH) in check.stdout and str(3 * len(ANNOTATED)) in check.stdout
    done = api.train(RECIPE, tmp_path / "run", videos=(str(folder),), steps=20, batch=2, device="cpu")
    assert done.finished and done.weights is not None
    before, after = later_j("camn-mobile", clips), later_j(str(done.weights), clips)
    assert after > before + 0.1 and after > 0.5, (before, after)
