"""YouTube-VIS JSON as masks to begin from: which video, which frames, which objects."""

import copy
import json

import numpy as np
import pytest

from camn.errors import MaskError
from camn.masks import read_masks
from camn.masks.rle import encode_rle

SIZE = (24, 32)


def blob(left):
    binary = np.zeros(SIZE, bool)
    binary[4:14, left : left + 9] = True
    return binary


def plain(binary):
    """Run lengths along columns, not compressed."""
    flat = binary.T.ravel()
    ends = np.flatnonzero(np.diff(flat, prepend=False))
    return {"size": list(SIZE), "counts": np.diff(ends, prepend=0, append=flat.size).tolist()}


def packed(binary):
    return {key: encode_rle(binary)[key] for key in ("size", "counts")}


def video(id, name, names=("00000.jpg", "00005.jpg", "00010.jpg")):
    return {"id": id, "file_names": [f"{name}/{one}" for one in names], "height": SIZE[0], "width": SIZE[1]}


BOX = [[20, 4, 29, 4, 29, 14, 20, 14]]
TWO = {
    "videos": [video(1, "0043f083b5"), video(2, "dog")],
    "annotations": [
        {"id": 3, "video_id": 1, "category_id": 7, "segmentations": [plain(blob(2)), None, packed(blob(4))]},
        {"id": 9, "video_id": 1, "category_id": 7, "segmentations": [None, BOX, BOX]},
        {"id": 10, "video_id": 2, "category_id": 8, "segmentations": [None, None, BOX]},
    ],
    "categories": [{"id": 7, "name": "duck"}, {"id": 8, "name": "dog"}],
}


def read(tmp_path, content, video="", frames=None):
    path = tmp_path / "y.json"
    path.write_text(json.dumps(content))
    return read_masks(path, frames, SIZE, count=None if frames else 20, video=video)


def test_the_video_of_that_name(tmp_path):
    found = read(tmp_path, TWO, video="0043f083b5")
    assert list(found.masks) == [0, 5, 10] and found.ids.ids == (3, 9) and found.names == {3: "duck", 9: "duck"}
    assert (found.masks[0] == 3 * blob(2)).all() and (found.masks[5] == 9 * blob(20)).all()
    assert (found.masks[10] == 3 * blob(4) + 9 * blob(20)).all()
    other = read(tmp_path, TWO, video="dog", frames=["00000", "00005", "00010"])
    assert list(other.masks) == [2] and other.names == {10: "dog"}
    for name in ("", "cat"):
        with pytest.raises(MaskError, match=r"y\.json: holds masks of 2 videos \(0043f083b5, dog\)"):
            read(tmp_path, TWO, video=name)
    one = {**TWO, "annotations": TWO["annotations"][2:]}
    assert list(read(tmp_path, one, video="any").masks) == [10]


def test_a_video_without_names_of_files(tmp_path):
    content = copy.deepcopy(TWO)
    content["videos"] = [{"id": 1, "length": 3, "height": SIZE[0], "width": SIZE[1]}]
    assert list(read(tmp_path, content).masks) == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"segmentations": [None]}, "annotation 3: 1 'segmentations', but its video has 3 frames"),
        ({"segmentations": None}, "annotation 3: no 'segmentations'"),
        ({"segmentations": [[[1, 1, 2, 2]], None, None]}, "annotation 3, frame 0: a polygon"),
        ({"segmentations": [{"size": [4, 4], "counts": [5]}, None, None]}, "annotation 3, frame 0: its RLE"),
        ({"id": [3]}, "'id' must be a number"),
    ],
)
def test_bad_values_are_named(tmp_path, change, said):
    content = copy.deepcopy(TWO)
    content["annotations"][0].update(change)
    with pytest.raises(MaskError, match=rf"y\.json: .*{said}"):
        read(tmp_path, content, video="0043f083b5")


def test_bad_videos_are_named(tmp_path):
    for videos, said in (
        ([], "holds no annotations of its 0 videos"),
        ([{"id": 1, "file_names": [3]}], "'file_names' must be a list of names"),
        ([{"id": 1, "file_names": ["a.jpg"] * 3, "height": "x", "width": 3}], "no image size"),
        ({"id": 1}, "'videos' must be a list"),
    ):
        with pytest.raises(MaskError, match=rf"y\.json: .*{said}"):
            read(tmp_path, {**TWO, "videos": videos}, video="0043f083b5")
