"""A little data set: a DAVIS sequence of six frames, another to validate on, and three stills, made here."""

import cv2
import numpy as np
import pytest
from PIL import Image

from camn.clips.dataset import ClipOptions
from camn.training.recipe import Recipe


def save(pictures, masks, name, centre, rng):
    pictures.mkdir(parents=True, exist_ok=True)
    masks.mkdir(parents=True, exist_ok=True)
    labels = np.zeros((90, 110), np.uint8)
    cv2.circle(labels, centre, 24, 1, -1)
    picture = rng.integers(0, 90, (*labels.shape, 3), dtype=np.uint8)
    picture[labels == 1] += np.uint8(150)
    Image.fromarray(picture).save(pictures / f"{name}.png")
    Image.fromarray(labels).save(masks / f"{name}.png")


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """ROOT/davis (2016 train: ball, val: other) and ROOT/stills."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    lists = root / "davis/ImageSets/2016"
    lists.mkdir(parents=True)
    for split, name in (("train", "ball"), ("val", "other")):
        (lists / f"{split}.txt").write_text(f"{name}\n")
        for t in range(6):
            frames, masks = (root / "davis" / kind / "480p" / name for kind in ("JPEGImages", "Annotations"))
            save(frames, masks, f"{t:05d}", (40 + 3 * t, 45), rng)
    for k in range(3):
        save(root / "stills/balls/images", root / "stills/balls/masks", f"{k}", (40 + 10 * k, 50 - 4 * k), rng)
    return root


@pytest.fixture(scope="session")
def recipe(data):
    return Recipe(
        "little",
        videos=(str(data / "davis"),),
        stills=str(data / "stills"),
        frozen=("backbone.",),
        steps=4,
        batch=1,
        warm_up=1,
        workers=0,
        save_every=1,
        clips=ClipOptions(size=(65, 65), frames=2),
    )
