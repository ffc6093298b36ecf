"""Mattes, cut-outs over a background, pictures with alpha, previews: of masks that are there."""

import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence
from sounds import heard, tagged, with_sound
from videos import SIZE, make_video

from camn import api
from camn.api.segment.exporters.cutout import edge
from camn.errors import ConfigError, OutputError
from camn.media.background import blurred, covering
from camn.media.opening import open_source
from camn.media.preview import FASTEST

MOVIES = {"over-h264": "over.mp4", "matte-h264": "matte.mp4", "matte-prores": "matte.mov"}


def mask(index: int) -> np.ndarray:
    """Blocks of ids 3 and 254, which move; nothing on frame 1."""
    ids = np.zeros(SIZE, np.uint8)
    if index != 1:
        ids[20 : 40 + index % 5, 8:24], ids[4:20, 40:56] = 3, 254
    return ids


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("size", [SIZE, (47, 63)])
def test_mattes_are_the_masks(tmp_path, size):
    source = open_source(make_video(tmp_path / "a.mkv", "ffv1", "bgr0", count=3, size=size))

    def cropped(index: int) -> np.ndarray:
        return mask(index)[: size[0], : size[1]]

    for name, path in (("matte-png", "m.zip"), ("matte-h264", "m.mp4"), ("matte-prores", "m.mov")):
        api.export_masks(name, cropped, tmp_path / path, size=size, source=source)
    with zipfile.ZipFile(tmp_path / "m.zip") as file:
        assert file.namelist() == ["000000.png", "000001.png", "000002.png", "objects.json"]
        pictures = [np.array(Image.open(file.open(f"{index:06d}.png"))) for index in range(3)]
    movies = [frames_of(tmp_path / path) for path in ("m.mp4", "m.mov")]
    for index, picture in enumerate(pictures):
        assert picture.shape == size and np.array_equal(picture, (cropped(index) > 0) * np.uint8(255))
        for movie in movies:
            assert np.array_equal(movie[index] > 127, np.dstack([picture > 0] * 3))
    assert [len(movie) for movie in movies] == [3, 3]


@pytest.mark.parametrize("name", MOVIES)
def test_movies_have_look_and_sound_also_of_a_range(tmp_path, name):
    source, path = open_source(with_sound(tmp_path / "a.mp4", "libx264", "aac")), tmp_path / MOVIES[name]
    if name == "over-h264":
        api.export_masks(name, mask, path, size=SIZE, source=source)
        assert len(heard(path)) == len(heard(source.path)) and len(frames_of(path)) == 50
    api.export_masks(name, mask, path, size=SIZE, source=source, frames=(20, 29))
    whole, part = heard(source.path), heard(path)
    assert 18 <= len(part) <= 19 and part[0][0] <= 0.03  # 0.4 s of 1024 samples each
    first = next(index for index, (time, _) in enumerate(whole) if time >= 0.8)
    assert abs(whole[first][0] - 0.8 - part[0][0]) < 0.02
    assert [data for _, data in part] == [data for _, data in whole[first : first + len(part)]]
    shown = list(open_source(path))
    assert [float(frame.time or 0) for frame in shown] == pytest.approx([index / 25 for index in range(10)], abs=1e-4)
    if name == "matte-h264":
        assert [np.count_nonzero(frame.image[..., 0] > 127) for frame in shown] == [
            np.count_nonzero(mask(index)) for index in range(20, 30)
        ]
        wide = open_source(tagged(tmp_path / "b.mp4", sample_aspect_ratio=Fraction(4, 3), count=3))
        api.export_masks(name, mask, path, size=SIZE, source=wide)
        assert open_source(path).aspect == Fraction(4, 3)


def test_cut_outs_over_a_background(tmp_path):
    source = open_source(make_video(tmp_path / "a.mkv", "ffv1", "bgr0", count=3))
    Image.new("RGB", (400, 60), (10, 20, 200)).save(tmp_path / "sky.png")
    images, path = [frame.image for frame in source], tmp_path / "over.mp4"
    for said, behind in (("#ff8000", (255, 128, 0)), ("blur", None), (str(tmp_path / "sky.png"), (10, 20, 200))):
        api.export_masks("over-h264", mask, path, size=SIZE, source=source, background=said)
        for index, (frame, image) in enumerate(zip(frames_of(path), images, strict=True)):
            alpha = edge(mask(index))
            wanted = blurred(image) if behind is None else np.broadcast_to(behind, image.shape)
            for where, want in ((alpha == 1, image), (alpha == 0, wanted)):
                assert not where.any() or np.abs(frame.astype(int) - want)[where].mean() < 8, (said, index)
    (tmp_path / "text.png").write_text("no picture")
    for said, told in (("green", "no such picture; give a colour"), ("#12", "'#12': no such"), ("", "'': no such"),
                       (str(tmp_path / "text.png"), "text.png: cannot be read as an image.*or blur")):  # fmt: skip
        with pytest.raises(ConfigError, match=f"background .*{told}"):
            api.export_masks("over-h264", mask, path, size=SIZE, source=source, background=said)
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[:, 40:60] = 255  # square pixels keep the middle 40 columns, wide ones more
    assert covering(picture, (8, 8), Fraction(1))[4, :, 0].tolist() == [0, 0, 255, 255, 255, 255, 0, 0]
    assert np.count_nonzero(covering(picture, (8, 8), Fraction(2))[4, :, 0] > 127) == 2


def test_pictures_with_alpha_of_some_objects_and_frames(tmp_path):
    source = open_source(make_video(tmp_path / "a.mkv", "ffv1", "bgr0", count=4))
    names = {3: 'a "b" / 🐇', 254: "c"}
    more: dict[str, Any] = {
        "size": SIZE,
        "source": source,
        "names": names,
        "ids": [3, 254],
        "objects": [3],
        "frames": (1, 2),
    }
    api.export_masks("rgba-png", mask, tmp_path / "rgba", **more)
    files = sorted((tmp_path / "rgba").iterdir())
    assert [file.name for file in files] == ["000001.png", "000002.png"]
    pictures = [np.array(Image.open(file)) for file in files]
    assert not pictures[0].any()
    assert np.array_equal(pictures[1][..., 3], (mask(2) == 3) * np.uint8(255))
    near = mask(2) == 3
    assert np.array_equal(pictures[1][near][:, :3], list(source)[2].image[near])
    with pytest.raises(OutputError, match="rgba: is there already"):
        api.export_masks("rgba-png", mask, tmp_path / "rgba", **more)
    for wrong, told in (
        ({"objects": [7]}, "no object 7 to export; the objects are 3, 254"),
        ({"objects": []}, "no object is chosen"),
        ({"frames": (4, 9)}, "no frame 4 to export; the video has 4, 0..3"),
        ({"frames": (2, 1)}, "frames 2 1"),
    ):
        with pytest.raises(ConfigError, match=told):
            api.export_masks("rgba-png", mask, tmp_path / "more", **more | wrong)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.mkv", "rgba"]


@pytest.mark.parametrize("name", ["preview-gif", "preview-webp"])
def test_previews_are_small_slow_and_loop(tmp_path, name):
    source = open_source(make_video(tmp_path / "a.mkv", "mpeg4", count=25, size=(64, 720)))
    ids = np.zeros(source.size, np.uint8)
    ids[8:56, 400:600] = 2
    colours = {2: (0, 0, 255)}
    path = tmp_path / name.replace("-", ".")
    api.export_masks(name, lambda i: ids, path, size=source.size, source=source, colours=colours, opacity=1)
    with Image.open(path) as shown:
        lasts = []
        for frame in ImageSequence.Iterator(shown):
            assert np.abs(np.array(frame.convert("RGB"))[20, 300].astype(int) - (0, 0, 255)).max() < 40
            lasts.append(frame.info["duration"])
        assert shown.size == (480, 43) and len(lasts) == FASTEST and shown.info["loop"] == 0
    assert 0.9 < sum(lasts) / 1000 < 1.1 and min(lasts) >= 70
