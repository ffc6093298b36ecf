"""Exports of a clip that is hard on them, and of one without any object, each written once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camn import api

SIZE = (31, 47)
NAMES = {3: "ca\"t <&> '/\\ 😀", 5: "dog", 7: "dog", 9: "two\nlines"}
FORMATS = ("coco", "youtube-vis", "cvat-video", "cvat-images", "yolo", "davis", "youtube-vos")


def hard(index: int) -> np.ndarray:
    """Frame 0: an object with a hole and an island in it, one of a pixel, a line of pixels, one at the corner. Frame 1:
    nothing. Frame 2: 254 objects. Frame 3: an object of three pieces, one behind the others."""
    ids = np.zeros(SIZE, np.uint8)
    if index == 0:
        ids[3:20, 5:25] = 3
        ids[7:15, 9:20] = 0
        ids[10:12, 12:15] = 3
        ids[25, 40] = 5
        ids[4:18, 30] = 7
        ids[-2:, -2:] = 9
    elif index == 2:
        places = [(row, column) for row in range(0, 31, 2) for column in range(0, 47, 2)]
        for id, place in enumerate(places[:254], 1):
            ids[place] = id
    elif index == 3:
        ids[2:9, 2:12] = ids[20:28, 30:44] = ids[15, 5] = 3
        ids[4:24, 20:34] = 9
        ids[10:13, 24:27] = 0
    return ids


def empty(index: int) -> np.ndarray:
    return np.zeros(SIZE, np.uint8)


def called(id: int) -> str:
    return NAMES.get(id, f"object {id}")


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """A folder of four pictures."""
    folder = tmp_path_factory.mktemp("readers") / "a clip"
    folder.mkdir()
    for index in range(4):
        Image.fromarray(np.full((*SIZE, 3), 40 * index, np.uint8)).save(folder / f"{index:05d}.png")
    return folder


def _written(clip: Path, masks: Callable[[int], np.ndarray], name: str) -> dict[str, Path]:
    source, folder = api.open_source(clip), clip.with_name(name)
    folder.mkdir()
    for form in FORMATS:
        path = folder / api.page_exports()[form].path
        api.export_masks(form, masks, path, size=SIZE, source=source, names=NAMES)
    return {form: folder / api.page_exports()[form].path for form in FORMATS}


@pytest.fixture(scope="session")
def exported(clip) -> dict[str, Path]:
    """By format."""
    return _written(clip, hard, "hard")


@pytest.fixture(scope="session")
def exported_empty(clip) -> dict[str, Path]:
    return _written(clip, empty, "empty")
