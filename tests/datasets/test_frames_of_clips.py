"""Frames of data sets: the same files, in the same order, as of a folder given as a video."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from camn.api.datasets.check import check_data
from camn.datasets.layouts import open_videos
from camn.errors import DataError

SHAPE = (40, 48)
LABELS = np.zeros(SHAPE, np.uint8)
LABELS[8:24, 2:12] = 1


def clip(root, names, suffix="png", frame=None):
    for kind in ("frames", "masks"):
        (root / "clip" / kind).mkdir(parents=True, exist_ok=True)
    for name in names:
        shade = np.full((*SHAPE, 3), 90, np.uint8) if frame is None else frame
        Image.fromarray(shade).save(root / "clip" / "frames" / f"{name}.{suffix}")
        Image.fromarray(LABELS).save(root / "clip" / "masks" / f"{name}.png")
    return root


@pytest.mark.parametrize("suffix", ["tif", "bmp", "ppm", "tga"])
def test_kinds_of_pictures(tmp_path, suffix):
    (video,) = open_videos(clip(tmp_path, ["0.0", "0.25", "0.5", "1.05"], suffix)).sequences
    assert [frame.stem for frame in video.frames] == ["0.0", "0.25", "0.5", "1.05"]
    assert [mask and mask.stem for mask in video.masks] == ["0.0", "0.25", "0.5", "1.05"]
    assert video.read(1)[0].shape == (*SHAPE, 3)


def test_a_picture_among_the_frames_that_is_not_read(tmp_path):
    clip(tmp_path, ["00000", "00001"])
    (tmp_path / "clip" / "frames" / "00001.dng").touch()
    assert len(open_videos(tmp_path).sequences[0].frames) == 2
    (tmp_path / "clip" / "frames" / "00002.heic").touch()
    with pytest.raises(DataError, match="frames: 00002.heic stands among the frames by its name"):
        open_videos(tmp_path)
    assert any("00002.heic stands" in problem for problem in check_data(tmp_path).problems)


def test_names_that_a_mac_spells_in_its_own_way(tmp_path):
    clip(tmp_path, ["é0", "é1"])
    for mask in (tmp_path / "clip" / "masks").iterdir():
        mask.rename(mask.with_name(unicodedata.normalize("NFD", mask.name)))
    (video,) = open_videos(tmp_path).sequences
    assert len(video.annotated) == 2


def test_frames_of_twelve_bits_in_sixteen_are_a_problem(tmp_path):
    ramp = np.linspace(0, 4095, SHAPE[0] * SHAPE[1]).reshape(SHAPE).astype(np.uint16)
    (problem,) = check_data(clip(tmp_path, ["0", "1"], frame=ramp)).problems
    assert "frames of 16 bits that use a small part of them" in problem and "0 as black and 4095 as white" in problem
    assert not check_data(clip(tmp_path / "whole", ["0", "1"], frame=ramp * 16)).problems
