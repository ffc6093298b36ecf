"""A new format of masks is one file and one line: see CONTRIBUTING.md. What is pretended here is in tests/pretend."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camn.cli import main
from camn.errors import MaskError
from camn.masks import encode_palette_png, readers
from camn.masks.json_files import JSON
from camn.masks.mask_set import read_masks
from camn.masks.picture_files import FOLDER, PICTURE
from camn.masks.rle import encode_rle

PRETEND = Path(__file__).parents[1] / "pretend"
SIZE = (48, 64)
NAMES = [f"{index:06d}" for index in range(3)]


@pytest.fixture
def digits(monkeypatch) -> None:
    monkeypatch.syspath_prepend(PRETEND)
    new = importlib.import_module("masks_digits").DIGITS
    monkeypatch.setattr(readers, "READERS", (new, *readers.READERS))


def mask() -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[6:26, 10:40] = 7
    return ids


def text(ids: np.ndarray) -> str:
    return "\n".join("".join(map(str, row)) for row in ids) + "\n"


def test_a_new_format_in_the_command(digits, tmp_path, capsys):
    (tmp_path / "frames").mkdir()
    for index in range(3):
        Image.fromarray(np.full((*SIZE, 3), 90 + index, np.uint8)).save(tmp_path / "frames" / f"{index}.png")
    (tmp_path / "first.digits").write_text(text(mask()))
    arguments = ["--masks", str(tmp_path / "first.digits"), "--out", str(tmp_path / "out"), "--short-side", "32"]
    assert main(["segment", str(tmp_path / "frames"), *arguments, "--threads", "1", "--no-overlay"]) == 0
    assert "Read as digits." in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "masks" / "0.png") as image:
        assert np.array_equal(np.array(image), mask())
    (tmp_path / "first.digits").write_text(text(mask()[:-2]))
    assert main(["segment", str(tmp_path / "frames"), *arguments]) == 2
    assert "first.digits: the mask is 64x46, the frames are 64x48" in capsys.readouterr().err


def test_who_reads_what(tmp_path):
    """By content, whatever the name; by the suffix where the content tells nothing."""
    png, coco = encode_palette_png(mask()), json.dumps([{"segmentation": encode_rle(mask() > 0)}]).encode()
    for name, content, reader in (
        ("a.png", png, PICTURE),
        ("a.json", png, PICTURE),
        ("a", png, PICTURE),
        ("a.json", coco, JSON),
        ("a.png", b"\n  " + coco, JSON),
        ("a.json", b"\xef\xbb\xbf" + coco, JSON),
        ("a.JSON", b"nothing of the kind", JSON),
        ("a.png", b"nothing of the kind", PICTURE),
        ("a.json", b"", JSON),
    ):
        (tmp_path / name).write_bytes(content)
        assert readers.reader_of(tmp_path / name) is reader, (name, content[:20])
        if content.endswith((png, coco)):
            assert (read_masks(tmp_path / name, NAMES, SIZE).masks[0] > 0).sum() == 600
        else:
            with pytest.raises(MaskError):
                read_masks(tmp_path / name, NAMES, SIZE)
    assert readers.reader_of(tmp_path) is FOLDER
    assert readers.reader_of(tmp_path / "none.json") is PICTURE


def test_what_names_no_frame(tmp_path):
    """Is the first frame's, and said to be so: the page puts it on the frame that it shows."""
    Image.fromarray(mask()).save(tmp_path / "mask.png")
    assert read_masks(tmp_path / "mask.png", NAMES, SIZE).unplaced
    one = {"image_id": 1, "segmentation": encode_rle(mask() > 0)}
    for images, unplaced in (
        ([], True),
        ([{"id": 1, "file_name": "x.png"}], True),
        ([{"id": 1, "file_name": "clip/000000.png"}], False),
    ):
        (tmp_path / "c.json").write_text(json.dumps({"images": images, "annotations": [one]}))
        found = read_masks(tmp_path / "c.json", NAMES, SIZE)
        assert list(found.masks) == [0] and found.unplaced is unplaced
    for name, unplaced in (("object_1.png", True), ("000000.png", False)):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        Image.fromarray((mask() > 0).astype(np.uint8) * 255).save(folder / name)
        assert read_masks(folder, NAMES, SIZE).unplaced is unplaced
