"""HEIC, which phones write, by pillow-heif; and what is said without it."""

import sys

import numpy as np
import pytest
from PIL import Image

from camn.errors import VideoError
from camn.media.opening import open_source

SIZE, TURNED = (32, 48), 6


@pytest.fixture
def photos(tmp_path):
    """Taken with the phone held upright: the red corner at the top left of what is stored is at the top right."""
    heif = pytest.importorskip("pillow_heif", reason="needs the extra heic")
    for index in range(3):
        image = np.full((*SIZE, 3), 40 * index, np.uint8)
        image[:16, :16] = (220, 30, 30)
        exif = Image.Exif()
        exif[0x0112] = TURNED
        heif.from_pillow(Image.fromarray(image)).save(tmp_path / f"IMG_{index}.HEIC", exif=exif.tobytes(), quality=90)
    return tmp_path


def test_a_folder_of_heic_is_read_upright(photos):
    for path in (photos, f"{photos}/IMG_#.HEIC", f"{photos}/*.HEIC"):
        source = open_source(path)
        assert (source.size, source.names) == (SIZE[::-1], ("IMG_0", "IMG_1", "IMG_2"))
        for index, frame in enumerate(source):
            assert abs(int(frame.image[-4, 4, 0]) - 40 * index) < 8 and frame.image[4, -4, 0] > 190
    (one,) = open_source(photos / "IMG_1.HEIC")
    assert one.image.shape == (*SIZE[::-1], 3)
    assert list(open_source(photos).warnings) == []


def test_beside_other_pictures_it_is_no_frame(photos):
    Image.new("RGB", SIZE[::-1]).save(photos / "IMG_7.png")
    with pytest.raises(VideoError, match=r"IMG_0.HEIC, .* stand among the frames"):
        open_source(photos)


def test_without_the_package(photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    Image.init()
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    for path in (photos, photos / "IMG_1.HEIC"):
        with pytest.raises(VideoError, match=r"\(.HEIC\) are not read without .* pip install 'camn\[heic\]', or conv"):
            open_source(path)
