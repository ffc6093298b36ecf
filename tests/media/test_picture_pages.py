"""One file of several pictures as a video."""

import shutil
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from camn.api import demo_files
from camn.errors import VideoError
from camn.media.opening import open_source

H, W = 16, 24
PICTURES = [np.full((H, W, 3), (50 * i, 200, 100), np.uint8) for i in range(5)]


def save(path, pictures=PICTURES, **options):
    first, *more = map(Image.fromarray, pictures)
    first.save(path, save_all=True, append_images=more, **options)
    return path


@pytest.mark.parametrize(("name", "options", "off"), [
    ("a.tif", {}, 0), ("a.tiff", {"compression": "tiff_lzw"}, 0), ("a.webp", {"duration": 40, "lossless": True}, 0),
    ("a.avif", {"duration": 40}, 6), ("a.png", {"duration": 40}, 0), ("a.gif", {"duration": 40}, 12),
    ("named.mp4", {"format": "WEBP", "duration": 40, "lossless": True}, 0),
])  # fmt: skip
def test_all_pictures_are_frames(tmp_path, name, options, off):
    source = open_source(save(tmp_path / name, **options))
    assert (source.kind, source.size, source.names) == ("video", (H, W), None) and source.count in (5, None)
    for _ in range(2):
        frames = list(source)
        assert [frame.name for frame in frames] == [f"{i:06d}" for i in range(5)]
        for frame, picture in zip(frames, PICTURES, strict=True):
            assert np.abs(frame.image.astype(int) - picture).max() <= off
    assert source.warnings == []


def test_durations_of_the_file(tmp_path):
    source = open_source(save(tmp_path / "a.webp", duration=[40, 80, 40, 20, 20], lossless=True))
    assert source.fps == Fraction(5 * 1000, 200)
    frames = list(source)
    assert [frame.time for frame in frames] == [Fraction(n, 1000) for n in (0, 40, 120, 160, 180)]
    assert [frame.duration for frame in frames] == [Fraction(n, 1000) for n in (40, 80, 40, 20, 20)]
    source = open_source(save(tmp_path / "a.tif"))
    assert source.fps is None and next(iter(source)).time is None


def test_one_picture_is_one_frame(tmp_path):
    for name in ("a.tif", "a.webp", "a.avif", "a.png", "a.jpg", "a.bmp"):
        Image.fromarray(PICTURES[1]).save(tmp_path / name)
        (frame,) = open_source(tmp_path / name)
        assert np.abs(frame.image.astype(int) - PICTURES[1]).max() <= 6


@pytest.mark.parametrize("name", ["a.tif", "a.webp", "a.avif", "a.png", "a.gif"])
def test_in_a_folder_it_is_refused(tmp_path, name):
    (tmp_path / "frames").mkdir()
    save(tmp_path / "frames" / name, **({"duration": 40} if name != "a.tif" else {}))
    with pytest.raises(VideoError, match=rf"{name}: holds 5 pictures, .* give the file itself as the video"):
        open_source(tmp_path / "frames")


def test_a_phones_photo_with_a_preview_is_one_frame(tmp_path):
    (tmp_path / "frames").mkdir()
    save(tmp_path / "a.mpo", PICTURES[:3])
    for number in range(2):
        shutil.copy(tmp_path / "a.mpo", tmp_path / "frames" / f"{number}.jpg")
    source = open_source(tmp_path / "frames")
    assert len(list(source)) == 2 and source.warnings == []
    Image.fromarray(PICTURES[0]).save(tmp_path / "a.tga")
    shutil.copy(tmp_path / "a.mpo", tmp_path / "a.jpg")
    (tmp_path / "motion.jpg").write_bytes((tmp_path / "a.jpg").read_bytes() + demo_files()[0].read_bytes())
    for name in ("a.mpo", "a.jpg", "motion.jpg", "a.tga"):
        assert [frame.image.shape for frame in open_source(tmp_path / name)] == [(H, W, 3)]
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "motion.jpg").read_bytes()[:200])
    with pytest.raises(VideoError, match="cut.jpg"):
        list(open_source(tmp_path / "cut.jpg"))


def test_previews_in_a_tiff_are_no_frames(tmp_path):
    (tmp_path / "frames").mkdir()
    preview = ImageFileDirectory_v2()
    preview[254] = 1
    small = Image.fromarray(PICTURES[1]).resize((6, 4))
    small.encoderinfo = {"tiffinfo": preview}
    Image.fromarray(PICTURES[0]).save(tmp_path / "frames" / "0.tif", save_all=True, append_images=[small])
    for path in (tmp_path / "frames", tmp_path / "frames" / "0.tif"):
        (frame,) = open_source(path)
        assert np.array_equal(frame.image, PICTURES[0])


def test_a_stack_of_twelve_bits(tmp_path):
    stack = [np.random.default_rng(i).integers(0, 4096, (H, W)).astype(np.uint16) for i in range(3)]
    source = open_source(save(tmp_path / "a.tif", stack))
    for frame, values in zip(source, stack, strict=True):
        assert np.abs(frame.image[..., 0] - values * (255 / 4095)).max() <= 0.51
    assert "4095 for white" in source.notes[0] and source.warnings == list(source.notes)


def test_what_cannot_be_a_video(tmp_path):
    save(tmp_path / "sizes.tif", [PICTURES[0], PICTURES[1][:8]])
    with pytest.raises(VideoError, match=r"sizes.tif: its picture 2 has 24x8 pixels, the first 24x16"):
        list(open_source(tmp_path / "sizes.tif"))
    save(tmp_path / "hidden.tif", PICTURES[:1], description="ImageJ=1.54f\nimages=40\nframes=40\n")
    with pytest.raises(VideoError, match="ImageJ wrote 40 pictures into it"):
        open_source(tmp_path / "hidden.tif")
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(VideoError, match=r"a.heic: (cannot be read as an image|pictures of this kind)"):
        open_source(tmp_path / "a.heic")
    shutil.copy(save(tmp_path / "a.tif"), tmp_path / "a.dng")
    with pytest.raises(VideoError, match=r"a.dng: pictures of this kind \(.dng\) are not read"):
        open_source(tmp_path / "a.dng")
    with pytest.raises(VideoError, match=r"a.tif: frames of 24x16 pixels; at most 100 are taken"):
        open_source(tmp_path / "a.tif", max_pixels=100)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about the damage
def test_a_file_cut_short_names_the_picture(tmp_path):
    noise = [np.random.default_rng(i).integers(0, 256, (H, W, 3), dtype=np.uint8) for i in range(5)]
    for name in ("a.tif", "a.webp"):
        whole = save(tmp_path / name, noise).read_bytes()
        for part in (0.3, 0.6, 0.9):
            (tmp_path / name).write_bytes(whole[: int(len(whole) * part)])
            with pytest.raises(VideoError, match=name):
                list(open_source(tmp_path / name))
