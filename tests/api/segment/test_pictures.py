"""What is told of pictures as frames, by every way in."""

import json

import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.cli import main
from camn.errors import ConfigError
from camn.masks import write_palette_png

SIZE = (48, 64)
QUICK = ("--short-side", "32", "--threads", "1", "--backend", "eager", "--device", "cpu", "--no-overlay")


@pytest.fixture
def place(tmp_path):
    """frames/ of 12 bits in 16, stack.tif of the same, and a mask."""
    (tmp_path / "frames").mkdir()
    shades = [np.random.default_rng(index).integers(0, 4096, SIZE).astype(np.uint16) for index in range(3)]
    for index, shade in enumerate(shades):
        Image.fromarray(shade).save(tmp_path / "frames" / f"{index}.png")
    first, *more = map(Image.fromarray, shades)
    first.save(tmp_path / "stack.tif", save_all=True, append_images=more)
    ids = np.zeros(SIZE, np.uint8)
    ids[6:26, 10:40] = 7
    write_palette_png(tmp_path / "first.png", ids)
    return tmp_path


def brightest(out) -> int:
    return max(int(np.array(Image.open(file))[..., :3].max()) for file in (out / "alpha" / "7").iterdir())


@pytest.mark.parametrize("video", ["frames", "stack.tif"])
def test_dark_pictures_are_brightened_and_told_first_and_last(place, capsys, video):
    command = ["segment", str(place / video), "--masks", str(place / "first.png"), "--alpha", "png", *QUICK]
    assert main([*command, "--out", str(place / "out")]) == 0
    said = capsys.readouterr()
    assert "0 is taken for black and 4095 for white" in said.out and "4095 for white" in said.err
    assert brightest(place / "out") == 255
    assert "4095 for white" in json.loads((place / "out" / "run.json").read_text())["warnings"][0]
    assert main([*command, "--out", str(place / "as-is"), "--picture-range", "0", "65535"]) == 0
    assert "for white" not in "".join(capsys.readouterr()) and brightest(place / "as-is") <= 16
    assert json.loads((place / "as-is" / "run.json").read_text())["options"]["picture_range"] == [0, 65535]


def test_parts_of_a_video_have_the_same_levels(place):
    options = api.SegmentOptions(short_side=32, backend="eager", export=("prores",))
    notes = []
    part = api.part_options(options)
    done = api.segment_video(place / "frames", place / "first.png", place / "part", part, notice=notes.append)
    api.join_parts(place / "frames", [place / "part"], place / "whole", options)
    assert len([note for note in notes if "for white" in note]) == 1 and "for white" in done.warnings[0]


@pytest.mark.parametrize("ends", [(5, 5), (10, 1), (1,), (1, 2, 3)])
def test_a_range_that_cannot_be(ends):
    with pytest.raises(ConfigError, match=r"picture_range is .*: it must be two numbers, black and then white"):
        api.SegmentOptions(picture_range=ends)


def test_a_batch_tells_of_each_video(place, capsys):
    (place / "jobs.csv").write_text("video,masks,picture_range\nframes,first.png,0 4095\nstack.tif,first.png,\n")
    (place / "frames" / "1.exr").touch()
    (place / "frames" / "3.heic").touch()
    assert main(["batch", str(place / "jobs.csv"), "--out", str(place / "out"), *QUICK]) == 2
    assert "3.heic stands among the frames" in capsys.readouterr().err
    assert "4095 for white" in (place / "out" / "_batch" / "log.txt").read_text()


@pytest.mark.parametrize("ends", [(0, float("inf")), (float("-inf"), 1), (0, float("nan")), (), (5,)])
def test_a_range_that_is_none(ends):
    with pytest.raises(ConfigError, match="two numbers, black and then white"):
        api.SegmentOptions(picture_range=ends)
