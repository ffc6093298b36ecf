"""A caller's settings of Pillow."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from camn.errors import MaskError, VideoError
from camn.masks import read_mask
from camn.media.picture import read_image
from camn.pillow import whole_files


@pytest.fixture
def cut_off(tmp_path) -> Path:
    path = tmp_path / "m.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 2, (64, 80)).astype(np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def test_pictures_that_are_cut_off_are_refused_whatever_the_caller_lets_pillow_do(cut_off, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(MaskError, match="truncated"):
        read_mask(cut_off)
    with pytest.raises(VideoError, match="truncated"):
        read_image(cut_off)
    with whole_files(), whole_files():
        pass
    assert ImageFile.LOAD_TRUNCATED_IMAGES  # theirs again
