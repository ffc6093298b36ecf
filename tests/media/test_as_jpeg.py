"""Frames as JPEG: the source's own bytes where they show what the frame shows."""

import io

import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.errors import VideoError
from camn.media.as_jpeg import as_jpeg
from camn.media.opening import open_source


def test_own_bytes_where_they_can_be(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (13, 21, 3), dtype=np.uint8)
    picture, turned = Image.fromarray(pixels).resize((42, 26)), Image.Exif()
    turned[0x0112] = 3
    picture.save(tmp_path / "1 own.jpg", quality=80)
    picture.convert("L").save(tmp_path / "2 grey.JPEG")
    picture.save(tmp_path / "3 turned.jpg", exif=turned, quality=95)
    picture.convert("CMYK").save(tmp_path / "4 print.jpg")
    picture.save(tmp_path / "5.png")
    made = {frame.name: as_jpeg(frame) for frame in open_source(tmp_path)}
    files = {path.stem: path for path in tmp_path.iterdir()}
    assert [name for name, data in made.items() if data == files[name].read_bytes()] == ["1 own", "2 grey"]
    for frame in open_source(tmp_path):
        with Image.open(io.BytesIO(made[frame.name])) as shown:
            assert shown.format == "JPEG" and shown.getexif().get(0x0112, 1) == 1
            assert np.abs(np.array(shown.convert("RGB")).astype(int) - frame.image).mean() < 4


@pytest.mark.parametrize("name", ["yolo", "davis", "youtube-vos"])
def test_what_no_jpeg_holds_is_refused_before_anything_is_written(name, tmp_path):
    Image.new("RGB", (65_501, 1)).save(tmp_path / "1.png")
    source = api.open_source(tmp_path / "*.png")
    with pytest.raises(VideoError, match="frames of 65501x1 are too large for JPEG, which holds 65500 pixels a side"):
        api.export_masks(name, lambda index: None, tmp_path / "out", size=source.size, source=source)
    assert not (tmp_path / "out").exists()
