"""Image folders: order, names, every kind of picture, and what is refused."""

import io
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from camn.errors import VideoError
from camn.media.name_order import natural_key
from camn.media.opening import open_source
from camn.media.picture import read_header, read_image

H, W = 13, 21


def picture(seed: int = 0, size: tuple[int, int] = (H, W)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def save(path, image=None, **options):
    Image.fromarray(picture() if image is None else image).save(path, **options)


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1), st.text("ab é", max_size=5), st.randoms())
def test_natural_order_is_the_order_of_the_numbers(numbers, prefix, shuffler: random.Random):
    names = [f"{prefix}{n}x" for n in numbers]
    shuffler.shuffle(names)
    assert sorted(names, key=natural_key) == [f"{prefix}{n}x" for n in sorted(numbers)]


@given(st.lists(st.text(max_size=8), unique=True))
def test_natural_order_is_total(names):
    assert sorted(names, key=natural_key) == sorted(names[::-1], key=natural_key)  # noqa: C415 - ties would keep their order


def test_folder_in_natural_order_with_any_names(tmp_path):
    names = ["frame 2.PNG", "frame 10.png", "frame 1.bmp", "über 3.webp", "画像 7.tif", "a.b.c 5.png"]
    for seed, name in enumerate(names):
        save(tmp_path / name, picture(seed), **({"lossless": True} if name.endswith("webp") else {}))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._frame 1.png").write_bytes(b"what another system leaves behind")
    (tmp_path / "deeper.png").mkdir()
    source = open_source(tmp_path)
    assert source.names == ("a.b.c 5", "frame 1", "frame 2", "frame 10", "über 3", "画像 7")
    assert (source.kind, source.size, source.count, source.fps) == ("folder", (H, W), 6, None)
    for _ in range(2):  # as often as one likes
        frames = list(source)
        assert [f.name for f in frames] == list(source.names or ())
        assert [f.index for f in frames] == list(range(6))
        for frame in frames:
            seed = next(i for i, name in enumerate(names) if name.rsplit(".", 1)[0] == frame.name)
            assert np.array_equal(frame.image, picture(seed))
            assert frame.image.dtype == np.uint8 and frame.time is None
    assert source.warnings == []


@pytest.mark.parametrize("extension", ["jpg", "jpeg", "JPG", "png", "webp", "bmp", "tif", "tiff", "avif", "jp2", "ppm"])
def test_every_extension(tmp_path, extension):
    flat = np.full((H, W, 3), (200, 100, 50), np.uint8)
    save(tmp_path / f"x.{extension}", flat)
    (frame,) = open_source(tmp_path)
    assert np.abs(frame.image.astype(int) - flat).max() <= 4  # JPEG and WebP are lossy


def test_grey_is_repeated_in_any_depth(tmp_path):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = np.repeat(ramp[..., None], 3, axis=2)
    save(tmp_path / "l.png", ramp)
    save(tmp_path / "i16.png", ramp.astype(np.uint16) * 257)
    save(tmp_path / "i16.tif", ramp.astype(np.uint16) * 257)
    save(tmp_path / "i32.tif", ramp.astype(np.int32) * 257)
    save(tmp_path / "f.tif", ramp.astype(np.float32) / 255)
    save(tmp_path / "la.png", np.dstack([ramp, ramp[::-1]]))
    for path in sorted(tmp_path.iterdir()):
        assert np.array_equal(read_image(path), expected), path.name
    save(tmp_path / "one.png", ramp > 100)
    assert np.array_equal(read_image(tmp_path / "one.png"), np.where(expected > 100, 255, 0))


def test_portable_greymap(tmp_path):
    save(tmp_path / "x.pgm", picture()[..., 0])
    (frame,) = open_source(tmp_path)
    assert np.array_equal(frame.image, picture()[..., :1].repeat(3, 2)) and read_header(tmp_path / "x.pgm").size == (
        H,
        W,
    )


def test_sixteen_bit_colour(tmp_path):
    import av

    wide = picture().astype(np.uint16) * 257
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = W, H, "rgb48be", Fraction(1)
    frame = av.VideoFrame.from_ndarray(wide, "rgb48be")
    data = b"".join(bytes(p) for p in [*encoder.encode(frame), *encoder.encode(None)])
    (tmp_path / "wide.png").write_bytes(data)
    assert np.array_equal(read_image(tmp_path / "wide.png"), picture())


def test_values_without_a_known_white_are_refused(tmp_path):
    save(tmp_path / "depth.tif", np.full((H, W), 1_000_000, np.int32))
    with pytest.raises(VideoError, match=r"depth.tif: int32 grey values from 1000000 .* expected 0 to 65535"):
        read_image(tmp_path / "depth.tif")


def test_transparency_is_dropped_and_palettes_resolved(tmp_path):
    alpha = np.random.default_rng(1).integers(0, 256, (H, W), dtype=np.uint8)
    save(tmp_path / "rgba.png", np.dstack([picture(), alpha]))
    assert np.array_equal(read_image(tmp_path / "rgba.png"), picture())
    colours, ids = picture(2, (16, 16)).reshape(256, 3), picture(3)[..., 0]
    indexed = Image.fromarray(ids)
    indexed.putpalette(colours.tobytes())
    indexed.save(tmp_path / "p.png")
    indexed.save(tmp_path / "pt.png", transparency=bytes(range(256)))
    for name in ("p.png", "pt.png"):
        assert np.array_equal(read_image(tmp_path / name), colours[ids])


@pytest.mark.parametrize("extension", ["png", "tif", "jpg", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, extension, orientation):
    upright = np.zeros((24, 40, 3), np.uint8)
    upright[:8, :8], upright[:8, -8:], upright[-8:, :8] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    # what a camera held that way stores (EXIF 2.3, tag 0x0112)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"x.{extension}"
    save(path, np.ascontiguousarray(stored[orientation]), exif=exif, **({"quality": 95} if extension == "jpg" else {}))
    assert read_header(path).size == (24, 40)
    assert np.abs(read_image(path).astype(int) - upright)[2:6, 2:6].max() < 40
    assert np.abs(read_image(path).astype(int) - upright).mean() < 8
    assert open_source(tmp_path).size == (24, 40)


def test_first_file_of_another_size_is_named(tmp_path):
    for name in ("1", "2", "10"):
        save(tmp_path / f"{name}.png")
    save(tmp_path / "9.png", picture(0, (W, H)))
    save(tmp_path / "11.png", picture(0, (5, 5)))
    with pytest.raises(VideoError, match=rf"9\.png: {H}x{W} pixels, but 1\.png has {W}x{H}"):
        open_source(tmp_path)


def test_one_stem_twice(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "a.jpg")
    with pytest.raises(VideoError, match="share the name 'a'"):
        open_source(tmp_path)


def test_corrupt_image_in_the_middle_is_named(tmp_path):
    for number in range(4):
        save(tmp_path / f"{number}.png", picture(number))
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])  # header intact
    frames = iter(open_source(tmp_path))
    assert [next(frames).name, next(frames).name] == ["0", "1"]
    with pytest.raises(VideoError, match=r"2\.png: cannot be read as an image"):
        next(frames)
    (tmp_path / "2.png").write_bytes(b"no header either")
    with pytest.raises(VideoError, match=r"2\.png: cannot be read as an image"):
        open_source(tmp_path)
    (tmp_path / "2.png").write_bytes(b"")
    with pytest.raises(VideoError, match=r"2\.png: .*the file is empty"):
        open_source(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about the damage
@given(st.data())
def test_damaged_bytes_never_raise_anything_else(tmp_path_factory, data):
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, data.draw(st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP", "BMP"])))
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        assert read_image(path).ndim == 3
    except VideoError as error:
        assert "damaged" in str(error)


def test_folders_that_hold_no_frames(tmp_path):
    with pytest.raises(VideoError, match="the folder is empty"):
        open_source(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(VideoError, match="holds no images"):
        open_source(tmp_path)
    (tmp_path / "JPEGImages").mkdir()
    (tmp_path / "Annotations").mkdir()
    with pytest.raises(VideoError, match="holds no images but the folders Annotations, JPEGImages"):
        open_source(tmp_path)
