"""Clicks on the command line: a video followed from them, a mask made of them, and all that they can be refused for."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camn.masks import PALETTE, read_mask, write_palette_png
from camn.media.overlay import draw_overlay

SIZE = (64, 96)
QUICK = ["--out", "out", "--short-side", "32", "--threads", "1", "--no-overlay", "--no-json"]


def picture(index: int) -> np.ndarray:
    image = np.full((*SIZE, 3), 90, np.uint8)
    image[10 + index : 30 + index, 20:50] = (220, 40, 40)
    image[40:60, 60:90] = (30, 60, 230)
    return image


def drawn() -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[10:30, 20:50] = 5
    return ids


@pytest.fixture
def place(tmp_path) -> Path:
    """A folder with frames/ of three pictures, a red box that moves and a blue one, and first.png of the red one."""
    (tmp_path / "frames").mkdir()
    for index in range(3):
        Image.fromarray(picture(index)).save(tmp_path / "frames" / f"shot{index}.png")
    write_palette_png(tmp_path / "first.png", drawn())
    return tmp_path


def test_a_click_is_followed_as_the_mask_that_it_makes(command, place):
    code, out, error = command("segment", "frames", "--click", "35,20", *QUICK)
    assert code == 0, error
    marked = read_mask(place / "out/marked/shot0.png")
    assert (marked == 1).any() and set(np.unique(marked)) == {0, 1}
    record = json.loads((place / "out/run.json").read_text())
    assert record["marks"]["click"] == ["1:35,20"] and 0 <= record["marks"]["scores"]["1"] <= 1
    assert record["annotated_frames"] == [0] and record["ids"] == [1] and record["masks"] == []
    assert f"Object 1, marked: score {record['marks']['scores']['1']:.2f}, {(marked == 1).sum()} pixels" in out
    assert "out/marked/" in out and "followed from" not in out
    code, _, error = command("segment", "frames", "--masks", "out/marked", *QUICK[:1], "again", *QUICK[2:])
    assert code == 0, error
    for name in ("shot0", "shot1", "shot2"):
        ours, theirs = ((place / where / "masks" / f"{name}.png").read_bytes() for where in ("out", "again"))
        assert ours == theirs
    assert not (place / "again/marked").exists()
    assert command("segment", "frames", "--masks", "first.png", *QUICK)[0] == 0
    assert not (place / "out/marked").exists()  # a former run's is gone with all else of it


def test_options_given_again_objects_boxes_and_a_later_frame(command, place):
    given = "--click 35,20 --click 7:75,50 --negative 1:75,50 --negative 7:35,20 1:5,60 --box 7:94,63,55,35 --at 1"
    code, out, error = command("segment", "frames", *given.split(), *QUICK)
    assert code == 0, error
    assert "Objects are followed from frame 1 on; masks of the frames before it are empty." in out
    ids = read_mask(place / "out/marked/shot1.png")
    assert set(np.unique(ids)) == {0, 1, 7} and [p.name for p in (place / "out/marked").iterdir()] == ["shot1.png"]
    assert not np.array(Image.open(place / "out/masks/shot0.png")).any()
    np.testing.assert_array_equal(read_mask(place / "out/masks/shot1.png"), ids)
    marks = json.loads((place / "out/run.json").read_text())["marks"]
    assert marks["click"] == ["1:35,20", "7:75,50"] and marks["negative"] == ["1:75,50", "1:5,60", "7:35,20"]
    assert marks["box"] == ["7:94,63,55,35"] and marks["at"] == 1


def test_clicks_mark_what_a_mask_lacks(command, place):
    code, _, error = command("segment", "frames", "--masks", "first.png", "--click", "2:75,50", *QUICK)
    assert code == 0, error
    ids = read_mask(place / "out/marked/shot0.png")
    assert (ids == 2).any() and (ids[drawn() == 5] == 5).all() and set(np.unique(ids)) == {0, 2, 5}
    twice = ["--masks", "first.png", "--click", "5:75,50"]
    code, _, error = command("segment", "frames", *twice, *QUICK[:1], "o", *QUICK[2:])
    assert code == 2 and "object 5 is on the mask of frame 0, and clicked there, too; give the clicks another" in error
    assert not (place / "o").exists()


def test_mark_makes_the_mask_alone(command, place):
    code, out, error = command("mark", "frames/shot0.png", "--click", "35,20", "--out", "new/m.png", "--overlay")
    assert code == 0, error
    ids = read_mask(place / "new/m.png")
    with Image.open(place / "new/m.png") as image:
        assert image.mode == "P" and bytes(image.getpalette() or []) == PALETTE.tobytes()
    assert f"Object 1, marked: score 0.{out.split('score 0.')[1][:2]}, {(ids == 1).sum()} pixels" in out
    overlay = np.array(Image.open(place / "new/m-overlay.png"))
    np.testing.assert_array_equal(overlay, draw_overlay(picture(0), ids))
    assert out.endswith("  new/m.png\n  new/m-overlay.png\n")
    before = (place / "new/m.png").read_bytes()
    again = ["mark", "frames", "--at", "0", "--out", "new/m.png"]
    code, _, error = command(*again, "--click", "75,50")
    assert code == 2 and "new/m.png: is there already; give another name, or --overwrite" in error
    assert (place / "new/m.png").read_bytes() == before
    code, _, error = command(*again, "--click", "35,20", "--overwrite")  # of a folder: the same frame, the same mask
    assert code == 0 and (place / "new/m.png").read_bytes() == before


def test_without_a_click_no_network_for_them_is_loaded(command, monkeypatch):
    def never(*_, **__):
        raise AssertionError("loaded")

    monkeypatch.setattr("camn.api.segment.marking.load_marker", never)
    assert command("segment", "frames", "--masks", "first.png", *QUICK)[0] == 0


def test_coordinates_are_those_of_the_picture_as_it_is_shown(command, place):
    """A phone's photo, stored on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(np.rot90(picture(0)).copy()).save(place / "photo.png", exif=exif)
    code, out, error = command("mark", "photo.png", "--click", "35,20", "--out", "m.png")
    assert code == 0, error
    assert read_mask(place / "m.png").shape == SIZE
    code, _, error = command("mark", "photo.png", "--click", "35,64", "--out", "n.png")
    assert code == 2 and "outside the frame, which is 96x64" in error and not (place / "n.png").exists()


SEGMENT, MARK = ["segment", "frames", *QUICK], ["mark", "frames", "--out", "m.png"]
BAD = {
    "outside": (SEGMENT, "--click 2:96,5", "object 2: 96,5 is outside the frame, which is 96x64: x is 0..95, y 0..63"),
    "above": (SEGMENT, "--click 5,-1", "object 1: 5,-1 is outside the frame, which is 96x64"),
    "a box outside": (MARK, "--box 5,5,20,65", "outside the frame, which is 96x64"),
    "contradiction": (SEGMENT, "--click 5,5 --negative 5,5", "object 1: click 5,5: the same pixel is clicked"),
    "a box of no area": (MARK, "--box 1:5,5,5,9", "object 1: box 5,5,5,9 has no area"),
    "only negative": (SEGMENT, "--click 5,5 --negative 2:9,9", "object 2: click 9,9 says only where the object is not"),
    "101 clicks": (SEGMENT, f"--click {' '.join(f'{x % 96},{x // 96}' for x in range(101))}", "more than 100 clicks"),
    "no such frame": (SEGMENT, "--click 5,5 --at 3", "frames: there is no frame 3: it has 3, 0..2"),
    "a frame below 0": (MARK, "--click 5,5 --at -1", "at is -1: it must be the number of a frame"),
    "id 0": (SEGMENT, "--click 0:5,5", "click '0:5,5': object 0: ids are 1..255"),
    "id 256": (MARK, "--box 256:5,5,9,9", "object 256: ids are 1..255"),
    "words": (SEGMENT, "--click rabbit", "click 'rabbit': write X,Y, or ID:X,Y"),
    "a video behind the clicks": (["segment", *QUICK], "--click 5,5 frames", "put frames before --click"),
    "a video behind a box": (["mark", *MARK[2:]], "--box=5,5,9,9 first.png", "put first.png before --box"),
    "no comma": (SEGMENT, "--click 420", "click '420': write X,Y"),
    "nan": (MARK, "--click nan,5", "click 'nan,5': write X,Y"),
    "inf": (MARK, "--box 1:1,1,inf,9", "write ID:X0,Y0,X1,Y1"),
    "a negative id": (SEGMENT, "--click -1:40,30", "--click -1:40,30: .* is written --negative 1:40,30"),
    "a negative id behind =": (SEGMENT, "--click=-1:40,30", "is written --negative 1:40,30"),
    "a minus behind others": (MARK, "--click 5,5 -2:9,9", "--click -2:9,9: .* --negative 2:9,9"),
    "at alone": (["segment", "frames", "--masks", "first.png", *QUICK], "--at 1", "--at says on which frame clicks"),
    "nothing": (SEGMENT, "", "segment needs VIDEO, --out, and --click, --box or --masks"),
    "nothing marked": (MARK, "", "mark needs --click or --box"),
    "a project": (["segment", "--project", "x"], "--click 5,5", "a --project has its own video and masks"),
    "no png": (["mark", "frames", "--out", "m.jpg"], "--click 5,5", "m.jpg: masks are written as PNG"),
    "among the frames": (["mark", "frames", "--out", "frames/m.png"], "--click 5,5", "is what is marked"),
    "over the image": (
        ["mark", "first.png", "--out", "first.png", "--overwrite"], "--click 5,5", "first.png is what is marked",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_clicks_are_told_and_touch_nothing(place, command, name):
    arguments, given, said = BAD[name]
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    code, out, error = command(*arguments, *given.split())
    assert code == 2 and not out and error.startswith("camn: ")
    assert all(part in error for part in said.split(" .* ")), error
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
