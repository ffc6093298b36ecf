"""LabelMe's JSON as masks to begin from: shapes of all kinds, one file or a folder of them."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from camn.errors import MaskError
from camn.masks import read_masks

SIZE = (24, 32)
NAMES = [f"{index:06d}" for index in range(3)]
LEFT, RIGHT = [[2, 4], [12, 4], [12, 14], [2, 14]], [[20, 4], [30, 4], [30, 14], [20, 14]]


def shape(points: Any, label: Any = "cup", kind: Any = "polygon", **more):
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def png(part):
    buffer = io.BytesIO()
    Image.fromarray(part).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def write(path, shapes, image="000001.png", **more):
    size = {"imageHeight": SIZE[0], "imageWidth": SIZE[1]}
    path.write_text(json.dumps({"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": image, **size, **more}))
    return path


def box(left, right, top=4, bottom=14):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_shapes_of_one_file(tmp_path):
    part = np.arange(30).reshape(5, 6) % 4 > 0
    shapes = [shape(LEFT), shape(RIGHT), shape([[14, 16], [19, 20]], "box", "mask", mask=png(part))]
    found = read_masks(write(tmp_path / "a.json", shapes), NAMES, SIZE)
    assert list(found.masks) == [1] and found.names == {1: "cup", 2: "cup", 3: "box"} and not found.unplaced
    want = box(2, 12) + 2 * box(20, 30)
    want[16:21, 14:20] = 3 * part
    assert (found.masks[1] == want).all()
    joined = [shape(LEFT, group_id=4), shape(RIGHT, group_id=4), shape([[16, 20], [16, 23]], "ball", "circle")]
    both = read_masks(write(tmp_path / "a.json", joined), NAMES, SIZE)
    assert both.names == {1: "cup", 2: "ball"} and (both.masks[1] == 1).sum() == 200
    assert 24 < (both.masks[1] == 2).sum() < 34
    other = read_masks(write(tmp_path / "a.json", joined, "photo.jpg"), NAMES, SIZE)
    assert other.unplaced and list(other.masks) == [0]


def test_names_command_no_terminal(tmp_path):
    """They are kept as they are, and printed on one line."""
    odd = "a/b\n\x1b[31m\ud800"
    found = read_masks(write(tmp_path / "a.json", [shape(LEFT, odd), shape(RIGHT, "x" * 300)]), NAMES, SIZE)
    assert found.names == {1: odd, 2: "x" * 300}
    assert found.notes[-2:] == (r"Object 1 is 'a/b\n\x1b[31m\ud800'.", f"Object 2 is '{'x' * 100}...'.")


def test_a_folder_of_files(tmp_path):
    for n in (0, 2):
        write(tmp_path / f"{n:06d}.json", [shape(LEFT), shape(RIGHT, "box")], f"../frames/{n:06d}.png")
        Image.new("RGB", (32, 24)).save(tmp_path / f"{n:06d}.png")
    found = read_masks(tmp_path, None, SIZE, count=3)
    assert list(found.masks) == [0, 2] and found.names == {1: "cup", 2: "box"}
    for n in (0, 2):
        write(tmp_path / f"{n:06d}.json", [shape(LEFT, group_id=7), shape(RIGHT, group_id=5)], f"{n:06d}.png")
    tracks = read_masks(tmp_path, NAMES, SIZE)
    assert tracks.ids.ids == (5, 7) and tracks.names == {5: "cup", 7: "cup"}
    write(tmp_path / "000002.json", [shape(LEFT), shape(RIGHT)], "000002.png")
    with pytest.raises(MaskError, match="same object: give the same object the same group id"):
        read_masks(tmp_path, NAMES, SIZE)
    (tmp_path / "000001.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n")
    with pytest.raises(MaskError, match="two formats, LabelMe .* and YOLO"):
        read_masks(tmp_path, NAMES, SIZE)


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([shape(LEFT[:2])], r"shape 1 \(polygon\): a polygon is .* at least three points"),
        ([shape([[1, "2"]] * 3)], "no numbers of pixels"),
        ([shape(4)], "its 'points' are 4, not three or more"),
        ([shape(LEFT, kind="circle")], "not 2 points"),
        ([shape(LEFT[:2], kind="mask", mask="!")], "no PNG in Base64"),
        ([shape(LEFT[:2], kind="mask", mask=png(np.ones((30, 30), bool)))], "does not lie within 32x24"),
        ([shape(LEFT[:2], kind="rectangle"), shape(LEFT, kind=["x"])], "holds no masks or polygons, but 1 x rectangle"),
        ([shape(LEFT, label=["cup"])], "'label' must be a number or a string"),
        ([], "holds no masks or polygons"),
        ("none", "'shapes' must be a list"),
    ],
)
def test_bad_values_are_named(tmp_path, shapes, said):
    with pytest.raises(MaskError, match=rf"a\.json: .*{said}"):
        read_masks(write(tmp_path / "a.json", shapes), NAMES, SIZE)


def test_several_files_are_given_as_their_folder(tmp_path):
    files = [write(tmp_path / f"00000{n}.json", [shape(LEFT)]) for n in range(2)]
    with pytest.raises(MaskError, match=r"000000\.json: no picture; of files of annotations or arrays give one"):
        read_masks(files, NAMES, SIZE)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "instances.json").write_text("{}")
    with pytest.raises(MaskError, match=r"no mask images in this folder, but instances\.json; give such a file itself"):
        read_masks(tmp_path / "inner", NAMES, SIZE)
