"""Frames and masks of a data set: which go together by their names, and what is said of those that do not."""

import re

import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.datasets.davis import DavisFolder
from camn.datasets.holdout import Holdout, HoldoutOptions, read_holdout, write_holdout
from camn.datasets.layouts import open_videos, read_meta
from camn.datasets.pairs import pair_folders
from camn.errors import DataError
from camn.evaluation.predictions import measure
from camn.evaluation.protocol import OPEN

SHAPE = (16, 20)


def clip(folder, frames, masks):
    """Frames that show their place; masks whose object's place does the same."""
    for top, names in (("frames", frames), ("masks", masks)):
        (folder / top).mkdir(parents=True, exist_ok=True)
        for n, name in enumerate(names):
            picture = np.zeros(SHAPE, np.uint8)
            picture[2:10, n : n + 8] = 1
            Image.fromarray(picture if top == "masks" else picture * 200).save(folder / top / name)
    return folder / "frames", folder / "masks"


THREE = [f"{n:05d}" for n in range(3)]


@pytest.mark.parametrize("suffix", ["tif", "bmp", "webp", "png"])
@pytest.mark.parametrize("mask", ["%05d.png", "mask_%05d.png", "%d.png", "%05d_seg.png", "frame_%d_v2.PNG"])
def test_pairs_by_number(tmp_path, suffix, mask):
    pairs, problems = pair_folders(
        *clip(tmp_path, [f"{name}.{suffix}" for name in THREE], [mask % n for n in range(3)])
    )
    assert not problems
    assert [(frame.stem, made.name) for frame, made in pairs if made] == [(f"{n:05d}", mask % n) for n in range(3)]


def test_what_pairs_otherwise_is_told(tmp_path):
    clip(tmp_path / "c", [f"{name}.png" for name in THREE], [f"mask_{name}.png" for name in THREE])
    report = api.check_data(tmp_path)
    assert not report.problems and report.notes[-1].endswith("such as mask_00000.png with 00000.png")


@pytest.mark.parametrize(
    ("frames", "masks", "said"),
    [
        (["00000.png"], ["00000.jpg"], r"no picture that has .*masks/00000.jpg: masks must be PNG"),
        (["00000.dds"], ["00000.png"], r"no picture that has .*frames/00000.dds: .dds is not read here"),
        (["cup.png", "hat.png"], ["a.png"], r"masks/a.png is named like no frame \(such as cup\)"),
        (["00000.png", "00001.png"], ["00001.png", "00002.png"], r"partner: 00000, 00002 .*00002.png is named like no"),
        (["00000.png", "00001.png"], ["00000.png"], r"partner: 00001$"),
    ],
)
def test_what_does_not_pair_is_told_by_example(tmp_path, frames, masks, said):
    _, (problem,) = pair_folders(*clip(tmp_path, frames, masks))
    assert re.search(said, problem), problem


MARKS = {"utf-8-sig": "\r\n", "utf-8": "\n", "utf-16": "\r\n"}


@pytest.mark.parametrize("coding", MARKS)
def test_lists_as_windows_writes_them(tmp_path, coding):
    for name in ("ball", "b\u00e4r"):
        frames, masks = clip(tmp_path / "made" / name, ["00000.png"], ["00000.png"])
        for top, folder in (("JPEGImages", frames), ("Annotations", masks)):
            (tmp_path / top / "480p").mkdir(parents=True, exist_ok=True)
            folder.rename(tmp_path / top / "480p" / name)
    (tmp_path / "ImageSets" / "2017").mkdir(parents=True)
    lines = MARKS[coding].join(["ball ", "b\u00e4r", "", ""])
    (tmp_path / "ImageSets" / "2017" / "val.txt").write_bytes(lines.encode(coding))
    assert [one.name for one in DavisFolder(tmp_path, 2017, "val").sequences] == ["ball", "b\u00e4r"]
    (tmp_path / "ImageSets" / "2017" / "val.txt").write_bytes("b\u00e4r".encode("latin-1"))
    with pytest.raises(DataError, match=r"val.txt: no list .*save it as UTF-8"):
        DavisFolder(tmp_path, 2017, "val")


@pytest.mark.parametrize("coding", MARKS)
def test_json_as_windows_writes_it(tmp_path, coding):
    meta = '{"videos": {"a": {"objects": {"1": {"category": "cat"}}}}}'
    (tmp_path / "meta.json").write_bytes(meta.encode(coding))
    assert read_meta(tmp_path / "meta.json") == {"a": {1: "cat"}}
    write_holdout(tmp_path / "held.json", Holdout(HoldoutOptions(), "x", ("cat",), ("a",), ()))
    (tmp_path / "held.json").write_bytes((tmp_path / "held.json").read_text("utf-8").encode(coding))
    assert read_holdout(tmp_path / "held.json").unseen == ("cat",)


def test_predictions_by_number_and_one_number_late(tmp_path):
    clip(tmp_path / "data" / "a", [f"{n:05d}.png" for n in range(5)], [f"{n:05d}.png" for n in range(5)])
    sequences = open_videos(tmp_path / "data").sequences
    for folder, pattern, first in (("six", "%06d.png", 0), ("word", "mask_%d.png", 0), ("late", "%05d.png", 1)):
        (tmp_path / folder / "a").mkdir(parents=True)
        for n in range(5):
            source = tmp_path / "data" / "a" / "masks" / f"{n:05d}.png"
            (tmp_path / folder / "a" / (pattern % (n + first))).write_bytes(source.read_bytes())
    for folder in ("six", "word"):
        (scores,) = measure(tmp_path / folder, sequences, OPEN)
        assert [one.j.mean for one in scores.objects] == [1]
    with pytest.raises(DataError, match=r"late/a: 00005.png is named like no frame, and 00000 has no mask"):
        measure(tmp_path / "late", sequences, OPEN)
