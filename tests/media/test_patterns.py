"""Image sequences by a pattern of their names."""

import numpy as np
import pytest
from PIL import Image

from camn.api.segment.outputs import check_output
from camn.errors import OutputError, VideoError
from camn.media.opening import open_source


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames").mkdir()

    def fill(*names: str):
        for shade, name in enumerate(names):
            Image.fromarray(np.full((4, 6, 3), 10 * shade, np.uint8)).save(tmp_path / "frames" / name)
        return tmp_path / "frames"

    return fill


def names(path: str) -> list[str]:
    return [frame.name for frame in open_source(path)]


FILES = ("f1.png", "f2.png", "f10.png", "f0003.png", "f12345.png", "g1.png", "f1.jpg", ".f4.png")


@pytest.mark.parametrize(("pattern", "found"), {
    "f%d.png": ["f1", "f2", "f10", "f12345"], "f%04d.png": ["f0003", "f12345"], "f####.png": ["f0003", "f12345"],
    "f#.png": ["f1", "f2", "f10", "f12345"], "f%2d.png": ["f10", "f12345"], "[fg]1.png": ["f1", "g1"],
    "f*.png": ["f1", "f2", "f0003", "f10", "f12345"], "?1.png": ["f1", "g1"], "*.jpg": ["f1"],
}.items())  # fmt: skip
def test_the_names_that_fit_in_their_order(folder, pattern, found):
    folder(*FILES)
    assert names(f"frames/{pattern}") == found


def test_gaps_and_another_beginning_are_told(folder):
    folder(*(f"shot.{number:04d}.png" for number in (1001, 1002, 1004, 1007, 1008)))
    source = open_source("frames/shot.####.png")
    assert source.names == ("shot.1001", "shot.1002", "shot.1004", "shot.1007", "shot.1008")
    assert str(source.path) == "frames/shot.####.png"
    first, second = source.notes
    assert "5 pictures, numbers 1001 to 1008" in first and "numbers 1003, 1005-1006 are missing" in second
    folder("a0.png", "a1.png", "b1.png", "b2.png", "c7.png", "d1.png", "d900000000000.png")
    assert open_source("frames/a%d.png").notes == open_source("frames/b%d.png").notes == ()
    assert "1 pictures, numbers 7 to 7" in open_source("frames/c#.png").notes[0]
    assert "numbers 2-100001 are missing" in open_source("frames/d%d.png").notes[1]


def test_what_has_that_very_name_is_meant(folder):
    folder("%05d.png", "00001.png")
    assert names("frames/%05d.png") == ["000000"], "a picture, as a video of one frame"
    (folder() / "%d").mkdir()
    with pytest.raises(VideoError, match="the folder is empty"):
        open_source("frames/%d")


@pytest.mark.parametrize(("pattern", "words"), {
    "frames/b%d.png": "no file has a name that fits; the folder holds 1.exr, 1.txt, f0003.png, f1.jpg, f1.png, ...",
    "frames/%d.exr": "pictures of this kind are not read (1.exr)", "frames/*.txt": "1.txt is no picture",
    "frames/f%d.%04d.png": "a pattern has one counter", "frames/*%d.png": "a pattern has one counter",
    "frames/%099d.png": "at most 30", "nowhere/%d.png": "check the folder", "frame?/1.png": "check the folder",
    "frames/f1.*": "share the name 'f1'", f"frames/%{'9' * 5000}d.png": "no path of a file",
}.items())  # fmt: skip
def test_patterns_that_cannot_be(folder, pattern, words):
    for name in ("1.exr", "1.txt"):
        (folder(*FILES) / name).write_text("x")
    with pytest.raises(VideoError) as caught:
        open_source(pattern)
    assert words in str(caught.value)


def test_outputs_do_not_go_among_the_frames(folder):
    place = folder(*FILES)
    with pytest.raises(OutputError, match="holds the video"):
        check_output(place, open_source("frames/f%d.png").path, [], True)
