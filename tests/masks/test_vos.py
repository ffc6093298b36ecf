"""Folders of DAVIS and YouTube-VOS as masks to begin from: which video, and what its objects are called."""

import json

import numpy as np
import pytest

from camn.errors import MaskError
from camn.masks import read_masks, write_palette_png

SIZE = (24, 32)


def ids(left):
    mask = np.zeros(SIZE, np.uint8)
    mask[4:14, left : left + 9], mask[16:20, 2:9] = 1, 4
    return mask


def fill(folder):
    folder.mkdir(parents=True)
    for n in (0, 5):
        write_palette_png(folder / f"{n:05d}.png", ids(n))


def test_youtube_vos(tmp_path):
    fill(tmp_path / "Annotations" / "0043f083b5")
    objects = {"1": {"category": "ape", "frames": ["00000"]}, "4": {"category": "cat's / 🐈", "frames": []}}
    (tmp_path / "meta.json").write_text(json.dumps({"videos": {"0043f083b5": {"objects": objects}}}))
    for source in (tmp_path, tmp_path / "Annotations", tmp_path / "Annotations" / "0043f083b5"):
        found = read_masks(source, None, SIZE, count=10)
        assert list(found.masks) == [0, 5] and found.names == {1: "ape", 4: "cat's / 🐈"}
        assert (found.masks[5] == ids(5)).all()
    fill(tmp_path / "Annotations" / "dog")
    assert read_masks(tmp_path, None, SIZE, count=10, video="dog.mp4").names == {}
    with pytest.raises(
        MaskError, match=r"masks of 2 videos \(Annotations.0043f083b5, Annotations.dog\); give the folder"
    ):
        read_masks(tmp_path, None, SIZE, count=10, video="cat")
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(MaskError, match=r"meta\.json: not valid JSON"):
        read_masks(tmp_path, None, SIZE, count=10, video="dog")


def test_davis(tmp_path):
    fill(tmp_path / "Annotations" / "480p" / "bear")
    (tmp_path / "davis_semantics.json").write_text(json.dumps({"bear": {"1": "bear", "4": 7, "9": "cub", "x": "y"}}))
    found = read_masks(tmp_path, None, SIZE, count=10)
    assert list(found.masks) == [0, 5] and found.names == {1: "bear"} and found.notes == ("Object 1 is 'bear'.",)
    (tmp_path / "Annotations" / "480p" / "bear" / "00000.png").unlink()
    (tmp_path / "Annotations" / "480p" / "bear" / "00005.png").unlink()
    with pytest.raises(MaskError, match="holds no masks; give the folder of the masks of 'the video'"):
        read_masks(tmp_path, None, SIZE, count=10)
