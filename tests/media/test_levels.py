"""Pictures that use a small part of their range."""

import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from videos import make_video

from camn.errors import VideoError
from camn.media.opening import open_source
from camn.media.picture import read_image

H, W = 13, 21
RNG = np.random.default_rng(0)
ALL = (0, 65535)


def grey(low: int, high: int, dtype: type = np.uint16) -> np.ndarray:
    values = RNG.integers(low, high + 1, (H, W)).astype(dtype)
    values[0, 0], values[0, 1] = low, high
    return values


def folder(path, pictures, suffix="png"):
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(path / f"{number:03d}.{suffix}")
    return path


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("high", "white"), [(4095, 4095), (4000, 4095), (900, 1023), (16383, 16383), (9, 255)])
def test_greys_of_fewer_bits_are_seen_and_told(tmp_path, suffix, high, white):
    pictures = [grey(0, high) for _ in range(3)]
    source = open_source(folder(tmp_path, pictures, suffix))
    for frame, picture in zip(source, pictures, strict=True):
        assert np.abs(frame.image[..., 1] - picture * (255 / white)).max() <= 0.51
    assert source.warnings[0] == source.notes[0]
    assert f"values from 0 to {high} only: 0 is taken for black and {white} for white, on all frames" in source.notes[0]
    assert "--picture-range says otherwise" in source.notes[0]


def test_the_user_says_what_is_black_and_white(tmp_path):
    pictures = [grey(0, 4095) for _ in range(2)]
    folder(tmp_path, pictures)
    for ends in (ALL, (100, 2000), (-50.5, 4000)):
        source = open_source(tmp_path, picture_range=ends)
        right = np.clip((pictures[0] - float(ends[0])) * 255 / (ends[1] - ends[0]), 0, 255)
        assert np.abs(next(iter(source)).image[..., 0] - right).max() <= 0.51 and source.notes == ()
    assert np.array_equal(next(iter(open_source(tmp_path, picture_range=ALL))).image, read_image(tmp_path / "000.png"))


@pytest.mark.parametrize(("low", "high"), [(7000, 9000), (29000, 31000)])
def test_thermal_pictures_far_from_zero(tmp_path, low, high):
    source = open_source(folder(tmp_path, [grey(low, high) for _ in range(3)]))
    shades = np.stack([frame.image for frame in source])
    assert shades.min() <= 30 and shades.max() >= 225 and len(source.notes) == 1


@pytest.mark.parametrize("pictures", [
    [grey(0, 65535)], [grey(0, 20000)], [grey(20000, 50000)], [grey(0, 0)],
    [grey(0, 1), grey(0, 300), grey(0, 60000)],  # a fade from black
], ids=["all", "half", "pale", "black", "fade"])  # fmt: skip
def test_ordinary_pictures_are_as_they_were(tmp_path, pictures):
    source = open_source(folder(tmp_path, pictures))
    for frame, file in zip(source, sorted(tmp_path.iterdir()), strict=True):
        assert np.array_equal(frame.image, read_image(file))
    assert source.warnings == []


@pytest.mark.parametrize("suffix", ["png", "tif", "ppm"])
def test_colours_of_twelve_bits(tmp_path, suffix):
    colours = RNG.integers(0, 4096, (H, W, 3)).astype(np.uint16)
    colours[0, 0] = 4095
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), colours[..., ::-1])
    source = open_source(tmp_path)
    assert np.abs(next(iter(source)).image - colours * (255 / 4095)).max() <= 0.51 and len(source.notes) == 1


def test_twelve_bits_that_the_file_tells_of_are_no_news(tmp_path):
    values = grey(0, 4095)
    (tmp_path / "a.pgm").write_bytes(b"P5 %d %d 4095\n" % (W, H) + values.astype(">u2").tobytes())
    source = open_source(tmp_path)
    assert np.abs(next(iter(source)).image[..., 0] - values * (255 / 4095)).max() <= 1 and source.notes == ()


def test_later_pictures_outside_are_told(tmp_path):
    pictures = [grey(0, 4095) for _ in range(40)]
    pictures[1] = grey(0, 8000)  # not among those that are looked at
    source = open_source(folder(tmp_path, pictures))
    assert next(iter(source)).image.max() == 255
    assert len(list(source)) == 40
    assert "1 pictures have values outside 0 to 4095, which are cut off" in source.warnings[1]


def test_numbers_of_unknown_range_by_the_option(tmp_path):
    for dtype, high in ((np.int32, 100_000), (np.float32, 255)):
        Image.fromarray(grey(0, high, dtype)).save(tmp_path / "a.tif")
        with pytest.raises(VideoError, match="--picture-range LOW HIGH"):
            list(open_source(tmp_path))
        assert next(iter(open_source(tmp_path, picture_range=(0, high)))).image.max() == 255


def test_a_turned_picture_of_twelve_bits(tmp_path):
    colours = RNG.integers(0, 4096, (H, W, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "plain.png"), colours)
    exif = Image.Exif()
    for orientation in range(1, 9):
        exif[0x0112] = orientation
        data = (tmp_path / "plain.png").read_bytes()
        chunk = b"eXIf" + exif.tobytes()[6:]
        crc = zlib.crc32(chunk).to_bytes(4)
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / "a.png").write_bytes(data[:33] + (len(chunk) - 4).to_bytes(4) + chunk + crc + data[33:])
        wide = next(iter(open_source(tmp_path / "in"))).image
        plain = next(iter(open_source(tmp_path / "in", picture_range=ALL))).image
        assert wide.shape == plain.shape == read_image(tmp_path / "in" / "a.png").shape
        assert np.abs(plain.astype(int) - read_image(tmp_path / "in" / "a.png")).max() <= 1
        assert np.corrcoef(wide.ravel(), plain.ravel())[0, 1] > 0.99


def test_eight_bits_that_are_nearly_black(tmp_path):
    source = open_source(folder(tmp_path, [(RNG.integers(0, 9, (H, W, 3))).astype(np.uint8) for _ in range(3)]))
    assert len(list(source)) == 3 and "nearly black, at most 8 of 255" in source.warnings[0]
    Image.fromarray(np.full((H, W, 3), 90, np.uint8)).save(tmp_path / "009.png")
    source = open_source(tmp_path)
    assert len(list(source)) == 4 and source.warnings == []


def test_a_picture_of_eight_bits_among_those_of_twelve(tmp_path):
    """Each kind has levels of its own then, which is told."""
    folder(tmp_path, [grey(0, 4095), grey(0, 4095), grey(0, 255, np.uint8)])
    source = open_source(tmp_path)
    assert len(source.notes) == 1 and "2 of the pictures have 16 bits, such as 000.png, and use a" in source.notes[0]
    assert [frame.image.max() for frame in source] == [16, 16, 255]
    folder(tmp_path, [grey(0, 65535), grey(0, 65535), grey(0, 255, np.uint8)])
    assert open_source(tmp_path).notes == ()


def test_a_video_has_no_use_for_a_range(tmp_path):
    path = make_video(tmp_path / "a.mp4", count=2)
    source = open_source(path, picture_range=(0, 4095))
    assert len(list(source)) == 2 and "a.mp4: the picture range is for images alone" in source.warnings[0]
    source = open_source(path)
    assert len(list(source)) == 2 and source.warnings == []
