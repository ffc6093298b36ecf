"""DAVIS folders and folders of stills: what is listed, what is read, and every problem named at once."""

import cv2
import numpy as np
import pytest
from PIL import Image

from camn.datasets.davis import DavisFolder
from camn.datasets.pairs import read_image, read_labels
from camn.datasets.stills import StillsFolder
from camn.errors import DataError


def save_pair(image_path, mask_path, labels, image=None):
    image_path.parent.mkdir(parents=True, exist_ok=True)
    mask_path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((*labels.shape, 3), np.uint8) if image is None else image).save(image_path)
    mask = Image.fromarray(labels)
    mask.putpalette([(37 * k) % 256 for k in range(768)])  # colours that tell nothing of the index
    mask.save(mask_path)


def make_davis(root, sequences, suffix=".jpg"):
    (root / "ImageSets/2016").mkdir(parents=True)
    (root / "ImageSets/2016/train.txt").write_text("".join(f"{name}\n" for name in sequences))
    for name, count in sequences.items():
        for k in range(count):
            labels = np.full((8, 10), k % 2 + 1, np.uint8)
            folder = f"480p/{name}"
            save_pair(root / f"JPEGImages/{folder}/{k:05d}{suffix}", root / f"Annotations/{folder}/{k:05d}.png", labels)
    return root


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png"])
def test_davis_lists_sequences_and_frames_in_order(tmp_path, suffix):
    davis = DavisFolder(make_davis(tmp_path, {"swan": 3, "bear": 12}, suffix), 2016, "train")
    assert [(s.name, len(s)) for s in davis.sequences] == [("swan", 3), ("bear", 12)]
    assert [p.stem for p in davis.sequences[1].frames] == [f"{k:05d}" for k in range(12)]
    frame, labels = davis.sequences[1].read(1)
    assert frame.shape == (8, 10, 3) and frame.dtype == np.uint8
    assert labels.dtype == np.uint8 and (labels == 2).all()


def test_davis_names_every_problem(tmp_path):
    make_davis(tmp_path, {"whole": 2, "short": 3, "gone": 1})
    (tmp_path / "Annotations/480p/short/00001.png").unlink()
    for folder in ("JPEGImages", "Annotations"):
        for path in (tmp_path / folder / "480p/gone").iterdir():
            path.unlink()
        (tmp_path / folder / "480p/gone").rmdir()
    with pytest.raises(DataError) as error:
        DavisFolder(tmp_path)
    text = str(error.value)
    assert "whole" not in text
    assert "3 pictures" in text and "2 masks" in text and "00001" in text
    assert "JPEGImages/480p/gone: no such folder" in text and "Annotations/480p/gone: no such folder" in text


@pytest.mark.parametrize(("text", "said"), [("", "no sequence"), ("a\na\n", "twice")])
def test_davis_refuses_an_empty_or_doubled_list(tmp_path, text, said):
    (tmp_path / "ImageSets/2016").mkdir(parents=True)
    (tmp_path / "ImageSets/2016/train.txt").write_text(text)
    with pytest.raises(DataError, match=said):
        DavisFolder(tmp_path)


def test_davis_refuses_a_missing_list(tmp_path):
    with pytest.raises(DataError, match="train.txt"):
        DavisFolder(tmp_path)


def test_stills_of_all_kinds_in_order(tmp_path):
    labels = np.ones((6, 7), np.uint8)
    for kind, names in {"cats": "ba", "dogs": "c"}.items():
        for name in names:
            save_pair(tmp_path / kind / f"images/{name}.jpg", tmp_path / kind / f"masks/{name}.png", labels)
    assert [(s.kind, s.image.stem) for s in StillsFolder(tmp_path).stills] == [
        ("cats", "a"), ("cats", "b"), ("dogs", "c"),
    ]  # fmt: skip
    (tmp_path / "birds").mkdir()
    (tmp_path / "dogs/masks/c.png").rename(tmp_path / "dogs/masks/d.png")
    with pytest.raises(DataError) as error:
        StillsFolder(tmp_path)
    for said in ("birds/images: no such folder", "birds/masks: no such folder", "dogs/images: no picture"):
        assert said in str(error.value)
    with pytest.raises(DataError, match="no such folder of stills"):
        StillsFolder(tmp_path / "elsewhere")


def test_labels_are_the_stored_indices(tmp_path):
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    save_pair(tmp_path / "i.png", tmp_path / "p.png", labels)
    Image.fromarray(labels).save(tmp_path / "g.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "p.png"), labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "g.png"), labels)


def test_pictures_are_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "red.png"), np.full((4, 5, 3), (0, 0, 255), np.uint8))  # OpenCV writes BGR
    assert (read_image(tmp_path / "red.png") == (255, 0, 0)).all()


def test_broken_files_are_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    (tmp_path / "empty.jpg").touch()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "colours.png")
    picture = tmp_path / "short.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).save(picture)
    picture.write_bytes(picture.read_bytes()[:-300])  # decoders are glad to fill up what is missing with grey
    Image.fromarray(np.full((4, 4), 300, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(DataError, match="short.jpg"):
        read_image(picture)
    with pytest.raises(DataError, match="up to 300"):
        read_labels(tmp_path / "deep.png")
    for read, name in [(read_image, "broken.png"), (read_image, "empty.jpg"), (read_image, "absent.jpg")]:
        with pytest.raises(DataError, match=name):
            read(tmp_path / name)
    for name in ("broken.png", "colours.png", "absent.png"):
        with pytest.raises(DataError, match=name):
            read_labels(tmp_path / name)


def test_a_pair_of_two_sizes_is_refused_when_read(tmp_path):
    save_pair(tmp_path / "k/images/a.png", tmp_path / "k/masks/a.png", np.ones((6, 7), np.uint8))
    Image.fromarray(np.zeros((6, 9, 3), np.uint8)).save(tmp_path / "k/images/a.png")
    with pytest.raises(DataError, match="7x6.*9x6"):
        StillsFolder(tmp_path).stills[0].read()
