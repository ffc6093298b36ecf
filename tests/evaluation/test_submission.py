"""Zip files for the public servers: what is in them, that they are the same each time, and what is refused."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from camn.datasets.layouts import open_videos
from camn.errors import DataError, OutputError
from camn.evaluation.submission import wanted_frames, write_submission
from camn.masks import PALETTE, write_palette_png


def predict(root, folder, number=1):
    """A mask for every frame of every sequence, with the frame's index painted in."""
    for sequence in folder.sequences:
        (root / sequence.name).mkdir(parents=True)
        for index, frame in enumerate(sequence.frames):
            labels = np.zeros((36, 64), np.uint8)
            labels[index % 36, : 1 + index] = number
            write_palette_png(root / sequence.name / f"{frame.stem}.png", labels)
    return root


@pytest.fixture
def test_dev(tmp_path):
    """DAVIS 2017 test-dev: two sequences of four frames, a mask of the first alone."""
    root = tmp_path / "davis"
    for name in ("boat", "car"):
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / name).mkdir(parents=True)
        for index in range(4):
            Image.new("RGB", (64, 36)).save(root / "JPEGImages" / "480p" / name / f"{index:05d}.jpg")
        write_palette_png(root / "Annotations" / "480p" / name / "00000.png", np.eye(36, 64, dtype=np.uint8))
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "test-dev.txt").write_text("car\nboat\n")
    return open_videos(root, "test-dev")


def test_davis(tmp_path, test_dev):
    predictions = predict(tmp_path / "p", test_dev)
    path = write_submission(tmp_path / "davis.zip", predictions, test_dev)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{name}/{i:05d}.png" for name in ("boat", "car") for i in range(4)]
        for name in archive.namelist():
            image = Image.open(io.BytesIO(archive.read(name)))
            assert image.mode == "P" and image.size == (64, 36)
            assert np.array_equal(np.array(image), np.array(Image.open(predictions / name)))
            assert (image.getpalette() or [])[:9] == PALETTE[:3].ravel().tolist()


def test_youtube_wants_the_frames_of_meta(tmp_path, youtube):
    folder = open_videos(youtube, "train_all_frames")
    path = write_submission(tmp_path / "yt.zip", predict(tmp_path / "p", folder), folder)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    count = {"a": 8, "b": 6, "c": 5}
    assert names == [f"Annotations/{name}/{5 * t:05d}.png" for name in "abc" for t in range(count[name])]


def test_same_masks_same_bytes(tmp_path, test_dev):
    one, two = (predict(tmp_path / name, test_dev) for name in "pq")
    for file in two.rglob("*.png"):  # the same ids, stored as grey
        Image.fromarray(np.array(Image.open(file))).save(file)
    first, second = (write_submission(tmp_path / f"{p.name}.zip", p, test_dev).read_bytes() for p in (one, two))
    assert first == second


def test_nothing_is_written_unless_all_is_there(tmp_path, test_dev):
    predictions = predict(tmp_path / "p", test_dev)
    (predictions / "car" / "00002.png").unlink()
    write_palette_png(predictions / "boat" / "00003.png", np.zeros((8, 9), np.uint8))
    with pytest.raises(DataError) as caught:
        write_submission(tmp_path / "out.zip", predictions, test_dev)
    assert "00002.png: missing" in str(caught.value) and "00003.png: 9x8, its frame 64x36" in str(caught.value)
    write_palette_png(predictions / "car" / "00002.png", np.zeros((36, 64), np.uint8))
    broken = predictions / "boat" / "00003.png"
    write_palette_png(broken, np.zeros((36, 64), np.uint8))
    broken.write_bytes(broken.read_bytes()[:60])  # its head is whole, the rest is gone
    with pytest.raises(DataError, match="00003.png"):
        write_submission(tmp_path / "out.zip", predictions, test_dev)
    assert not [p for p in tmp_path.iterdir() if "zip" in p.name]


def test_what_no_server_takes(tmp_path, youtube, test_dev):
    with pytest.raises(OutputError, match="zip"):
        write_submission(tmp_path / "out.tar", tmp_path, test_dev)
    folder, meta = open_videos(youtube, "train"), youtube / "train" / "meta.json"
    content = json.loads(meta.read_text())
    content["videos"]["a"]["objects"]["1"]["frames"].append("00999")
    content["videos"]["z"] = content["videos"]["a"]
    meta.write_text(json.dumps(content))
    with pytest.raises(DataError, match="(?s)z: no such video.*a: no frame 00999"):
        wanted_frames(folder)
    meta.write_text("{}")
    with pytest.raises(DataError, match="does not tell which frames"):
        wanted_frames(folder)
    (tmp_path / "own" / "one").mkdir(parents=True)
    (youtube / "train" / "JPEGImages" / "a").rename(tmp_path / "own" / "one" / "frames")
    (youtube / "train" / "Annotations" / "a").rename(tmp_path / "own" / "one" / "masks")
    with pytest.raises(DataError, match="no server takes"):
        wanted_frames(open_videos(tmp_path / "own"))
