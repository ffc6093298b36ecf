"""Small data sets on disk in the layouts that are measured on."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camn.masks import write_palette_png

SIZE = (36, 64)


def write(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_palette_png(path, labels.astype(np.uint8))


def square(top: int, left: int, side: int, number: int = 1) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    labels[top : top + side, left : left + side] = number
    return labels


def put_frame(path: Path, labels: np.ndarray) -> None:
    """A picture that shows its masks: a grey ramp, objects in colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.repeat(np.linspace(40, 200, labels.shape[1], dtype=np.uint8)[None, :, None], labels.shape[0], 0)
    image = image.repeat(3, 2)
    for number in np.unique(labels[labels > 0]).tolist():
        image[labels == number] = (40 * number % 256, 255 - 60 * number % 256, 90)
    Image.fromarray(image).save(path, quality=95)


@pytest.fixture
def films() -> dict[str, list[np.ndarray]]:
    """Annotated frames. `a`: object 1, and 4, which comes on the third and leaves; `b`: one; `c`: one, id 2."""
    a = [np.maximum(square(4, 4 + t, 12), square(20, 40 - t, 10, 4) * (2 <= t < 6)) for t in range(8)]
    b = [square(10, 10 + 3 * t, 14) for t in range(6)]
    c = [square(6, 30 - 2 * t, 16, 2) for t in range(5)]
    return {"a": a, "b": b, "c": c}


KINDS = {"a": {1: "person", 4: "zebra"}, "b": {1: "dog"}, "c": {2: "zebra"}}


@pytest.fixture
def youtube(tmp_path, films) -> Path:
    """A folder of YouTube-VOS train with every fifth frame annotated; train_all_frames beside it."""
    root = tmp_path / "ytvos"
    videos = {}
    for name, masks in films.items():
        objects = {
            str(i): {"category": kind, "frames": [f"{5 * t:05d}" for t, m in enumerate(masks) if (m == i).any()]}
            for i, kind in KINDS[name].items()
        }
        videos[name] = {"objects": objects}
        for t, labels in enumerate(masks):
            write(root / "train/Annotations" / name / f"{5 * t:05d}.png", labels)
            put_frame(root / "train/JPEGImages" / name / f"{5 * t:05d}.jpg", labels)
            for k in range(5 if t + 1 < len(masks) else 1):
                put_frame(root / "train_all_frames/JPEGImages" / name / f"{5 * t + k:05d}.jpg", labels)
    (root / "train" / "meta.json").write_text(json.dumps({"videos": videos}))
    return root
