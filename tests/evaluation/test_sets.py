"""Data sets as they are opened to be measured on: which rule, which sequences, what is refused."""

import numpy as np
import pytest
from PIL import Image

from camn.datasets.holdout import HoldoutOptions, make_holdout, write_holdout
from camn.datasets.layouts import open_videos
from camn.errors import DataError
from camn.evaluation.protocol import DAVIS_2016, DAVIS_2017, OPEN
from camn.evaluation.sets import open_set
from camn.masks import write_palette_png


@pytest.fixture
def davis(tmp_path, films):
    """`a`, `b`, `c` in the lists of 2016 and 2017; of test-dev the first mask alone is there."""
    root = tmp_path / "davis"
    for year, split in (("2016", "val"), ("2017", "val"), ("2017", "test-dev")):
        (root / "ImageSets" / year).mkdir(parents=True, exist_ok=True)
        (root / "ImageSets" / year / f"{split}.txt").write_text("t" if split == "test-dev" else "a\nb\nc")
    for name, masks in (films | {"t": films["b"]}).items():
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / name).mkdir(parents=True)
        for index, labels in enumerate(masks):
            Image.new("RGB", (64, 36)).save(root / "JPEGImages" / "480p" / name / f"{index:05d}.jpg")
            if name != "t" or not index:
                write_palette_png(root / "Annotations" / "480p" / name / f"{index:05d}.png", labels)
    return root


def test_davis(davis):
    found = open_set(davis)
    assert (found.title, found.protocol, found.labelled) == ("DAVIS 2017 val", DAVIS_2017, True)
    assert open_set(davis, 2016).protocol == DAVIS_2016 and open_set(davis, "2016").title == "DAVIS 2016 val"
    hidden = open_set(davis, split="test-dev")
    assert not hidden.labelled and [s.name for s in hidden.sequences] == ["t"]
    sequence = found.sequences[0]
    assert DAVIS_2017.starts(sequence) == {1: 0}  # object 4 comes later, and so does not count
    assert DAVIS_2017.measured(sequence, {1: 0}) == {1: (1, 2, 3, 4, 5, 6)}
    assert list(DAVIS_2016.given(sequence)) == [0] and OPEN.starts(sequence) == {1: 0, 4: 2}
    assert [np.unique(mask).tolist() for mask in OPEN.given(sequence).values()] == [[0, 1], [0, 4]]


def test_davis_at_another_resolution(davis):
    for kind in ("JPEGImages", "Annotations"):
        (davis / kind / "480p").rename(davis / kind / "Full-Resolution")
    found = open_set(davis, resolution="Full-Resolution")
    assert found.sequences[0].frames[0] == davis / "JPEGImages/Full-Resolution/a/00000.jpg"
    with pytest.raises(DataError, match="480p: no such folder; there are Full-Resolution"):
        open_set(davis)


def test_first_masks_without_an_object_are_all_named(davis):
    for name in "ac":
        write_palette_png(davis / "Annotations" / "480p" / name / "00000.png", np.zeros((36, 64), np.uint8))
    with pytest.raises(DataError, match="(?s)480p/a/00000.png.*480p/c/00000.png.*no object"):
        open_set(davis)


def test_youtube_with_and_without_a_hold_out(tmp_path, youtube):
    plain = open_set(youtube, split="train_all_frames")
    assert plain.title == "ytvos train_all_frames" and plain.protocol == OPEN and len(plain.sequences) == 3
    made = make_holdout(open_videos(youtube), HoldoutOptions(categories=1, unseen=0.5, seen=0.4))
    write_holdout(tmp_path / "split.json", made)
    held = open_set(youtube, split="train_all_frames", holdout=tmp_path / "split.json")
    assert {s.name for s in held.sequences} == made.videos < set("abc") and held.holdout == made


def test_what_does_not_belong_together(tmp_path, davis, youtube):
    with pytest.raises(DataError, match="2016 or 2017"):
        open_set(davis, 2018)
    with pytest.raises(DataError, match="hold-out is a part of YouTube-VOS"):
        open_set(davis, holdout=tmp_path / "split.json")
    with pytest.raises(DataError, match="only DAVIS has years"):
        open_set(youtube, 2017)
    with pytest.raises(DataError, match="no such folder"):
        open_set(tmp_path / "nowhere")
