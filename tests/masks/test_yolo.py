"""YOLO's polygons as masks to begin from: a file, a folder of them, a data set; and what is none."""

import numpy as np
import pytest

from camn.errors import MaskError
from camn.masks import read_masks

SIZE = (24, 32)
NAMES = [f"{index:06d}" for index in range(3)]


def box(left, right, top=6, bottom=18):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def line(number, left, right, top=6, bottom=18):
    """A class and the corners of a box, as shares."""
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return " ".join([str(number), *(f"{x / SIZE[1]:.6f} {y / SIZE[0]:.6f}" for x, y in corners)]) + "\n"


def test_a_file_and_its_names(tmp_path):
    inner = tmp_path / "data" / "labels" / "train"
    inner.mkdir(parents=True)
    (inner / "000001.txt").write_text(line(1, 4, 12) + "\n" + line(1, 20, 28))
    for names in ('names: [cat, "dog\'s"]', "names:\n  0: cat\n  1: dog's", "names:\n- cat\n- dog's\nnc: 2"):
        (tmp_path / "data" / "data.yaml").write_text(f"path: .\ntrain: images/train\n{names}\n")
        found = read_masks(inner / "000001.txt", NAMES, SIZE)
        assert list(found.masks) == [1] and found.names == {1: "dog's", 3: "dog's"}
        assert (found.masks[1] == box(4, 12) + 3 * box(20, 28)).all()
    assert list(read_masks(tmp_path / "data", NAMES, SIZE).masks) == [1]
    (tmp_path / "classes.txt").write_text("cat\ndog\n", encoding="utf-8-sig")
    (tmp_path / "mask.txt").write_text(line(0, 4, 12), encoding="utf-8-sig")  # as Notepad writes it
    assert read_masks(tmp_path / "mask.txt", NAMES, SIZE).names == {1: "cat"}
    (tmp_path / "classes.txt").unlink()
    found = read_masks(tmp_path / "mask.txt", NAMES, SIZE)
    assert found.unplaced and list(found.masks) == [0] and found.names == {}


def test_a_folder_beside_images(tmp_path):
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    for n in (0, 2):
        (tmp_path / f"{n:06d}.txt").write_text(line(0, 4 + n, 12) + line(1, 20, 28))
        (tmp_path / f"{n:06d}.jpg").write_bytes(b"a picture")
    found = read_masks(tmp_path, None, SIZE, count=3)
    assert list(found.masks) == [0, 2] and found.names == {1: "cat", 2: "dog"}
    assert (found.masks[2] == box(6, 12) + 2 * box(20, 28)).all()
    (tmp_path / "000001.txt").write_text(line(1, 4, 12) + line(1, 20, 28))
    with pytest.raises(MaskError, match="nothing says which .* the file of one frame alone"):
        read_masks(tmp_path, None, SIZE, count=3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 0.5 0.5 0.2 0.2\n", "holds no masks or polygons, but 1 x box"),
        (line(0, 4, 12) + "0 0.1 0.1 0.2 x 0.3 0.3\n", "line 2: .* is no class"),
        (line(0, 4, 12)[:-1] + " 0.93\n", "line 1: an odd number of coordinates"),
        ("0 1 1 31 1 31 20\n", "line 1: coordinates are shares"),
        ("0 nan 1 1 1 1 1\n" + line(0, 4, 12), "line 1: coordinates are shares"),
        (line(0, 4, 12) + "\udce9", "cannot be read as text"),
    ],
)
def test_bad_lines_are_named(tmp_path, text, said):
    (tmp_path / "m.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    if "nan" in text:
        (tmp_path / "m.txt").write_text("".join(reversed(text.splitlines(keepends=True))))
        said = said.replace("line 1", "line 2")
    with pytest.raises(MaskError, match=rf"m\.txt: .*{said}"):
        read_masks(tmp_path / "m.txt", NAMES, SIZE)


def test_bad_names_of_classes_are_named(tmp_path):
    (tmp_path / "m.txt").write_text(line(0, 4, 12))
    odd = ("names: !!timestamp x", 'names: !!int ""', "names: !!bool x")
    for text in ("names: 4", "names: [", "nc: 2", "- a", "a: &x [*x]\nnames: *x\n", *odd):
        (tmp_path / "data.yaml").write_text(text)
        if text.startswith("a: "):  # names that are no names are as none
            assert read_masks(tmp_path / "m.txt", NAMES, SIZE).names == {}
            continue
        with pytest.raises(MaskError, match=r"data\.yaml: "):
            read_masks(tmp_path / "m.txt", NAMES, SIZE)
