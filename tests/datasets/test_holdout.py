"""Splits by category: what holds for any of them, and their files."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from camn.datasets.holdout import Holdout, HoldoutOptions, make_holdout, read_holdout, split_by_category, write_holdout
from camn.datasets.layouts import open_videos
from camn.errors import ConfigError, DataError

KINDS = ["ape", "bear", "cat", "dog", "eagle", "fox", "giraffe", "person"]
videos = st.dictionaries(
    st.text("abcdef0123456789", min_size=1, max_size=6),
    st.sets(st.sampled_from(KINDS), min_size=1, max_size=3),
    min_size=8,
    max_size=60,
)


@given(videos, st.integers(0, 5), st.integers(1, 4))
def test_what_holds_for_every_split(categories, seed, count):
    options = HoldoutOptions(seed, count, 0.5, 0.2)
    try:
        unseen, unseen_videos, seen_videos = split_by_category(categories, options)
    except DataError:  # every category shows in more than half of the videos
        shown = Counter(name for found in categories.values() for name in found)
        assert min(shown.values()) > len(categories) / 2
        return
    training = categories.keys() - set(unseen_videos) - set(seen_videos)
    left = {name for video in training for name in categories[video]}
    everything = {name for found in categories.values() for name in found}
    assert not set(unseen_videos) & set(seen_videos)
    assert set(unseen) == everything - left  # no category is called unseen that training sees, or the reverse
    assert set(unseen_videos) >= {video for video, found in categories.items() if found & set(unseen)}
    assert not any(categories[video] & set(unseen) for video in seen_videos)
    assert len(unseen_videos) <= len(categories) / 2
    again = split_by_category(dict(reversed(categories.items())), options)
    assert again == (unseen, unseen_videos, seen_videos)


def test_a_split_worked_out_by_hand():
    """Drawn by SHA-256, so it is the same on every machine: this one must never change."""
    categories = {f"v{k:02d}": {KINDS[k % 7], "person"} if k % 2 else {KINDS[k % 7]} for k in range(40)}
    found = split_by_category(categories, HoldoutOptions(0, 1, 0.2, 0.1))
    assert found == split_by_category(categories, HoldoutOptions(0, 1, 0.2, 0.1))
    assert len(found[0]) == 1 and "person" not in found[0] and len(found[2]) == round(0.1 * (40 - len(found[1])))
    assert any(split_by_category(categories, HoldoutOptions(seed, 1, 0.2, 0.1)) != found for seed in (1, 2, 3))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "ytvos" / "train"
    meta = {}
    for k in range(20):
        name = f"video{k:02d}"
        for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
            (root / kind / name).mkdir(parents=True)
            Image.fromarray(np.ones((4, 6), np.uint8)).save(root / kind / name / f"00000.{suffix}")
        meta[name] = {"objects": {"1": {"category": KINDS[k % 7], "frames": ["00000"]}}}
    (root / "meta.json").write_text(json.dumps({"videos": meta}))
    return open_videos(tmp_path / "ytvos")


def test_file_and_what_it_is_for(tmp_path, folder):
    made = make_holdout(folder, HoldoutOptions(seed=3, categories=2, unseen=0.4, seen=0.2))
    write_holdout(tmp_path / "split.json", made)
    stored = json.loads((tmp_path / "split.json").read_text())
    assert stored["options"] == {"seed": 3, "categories": 2, "unseen": 0.4, "seen": 0.2} and len(stored["unseen"]) == 2
    found = read_holdout(tmp_path / "split.json")
    assert found == made
    found.check(folder)
    training, held = found.for_training(folder.sequences), found.for_evaluation(folder.sequences)
    assert sorted(s.name for s in training + held) == [s.name for s in folder.sequences]
    assert {s.name for s in held} == found.videos == set(made.unseen_videos + made.seen_videos)
    write_holdout(tmp_path / "again.json", make_holdout(folder, found.options))
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "split.json").read_bytes()


def test_what_does_not_fit(tmp_path, folder):
    made = make_holdout(folder, HoldoutOptions(unseen=0.3))
    with pytest.raises(DataError, match="held-out videos are not in the folder"):
        made.for_evaluation(folder.sequences[:2])
    with pytest.raises(DataError, match="is not the meta.json"):
        Holdout(made.options, "0" * 64, made.unseen, made.unseen_videos, made.seen_videos).check(folder)
    with pytest.raises(DataError, match="give a larger share"):
        make_holdout(folder, HoldoutOptions(unseen=0.01))
    (tmp_path / "broken.json").write_text('{"format": "other"}')
    for name in ("broken.json", "missing.json"):
        with pytest.raises(DataError, match=name):
            read_holdout(tmp_path / name)
    meta = folder.root / "train" / "meta.json"
    content = json.loads(meta.read_text())
    del content["videos"]["video03"], content["videos"]["video05"]
    meta.write_text(json.dumps(content))
    with pytest.raises(DataError, match="(?s)video03.*video05"):
        make_holdout(open_videos(folder.root))
    meta.unlink()
    with pytest.raises(DataError, match="no such file; categories are needed"):
        make_holdout(open_videos(folder.root))


@pytest.mark.parametrize("wrong", [{"categories": 0}, {"unseen": 0.0}, {"seen": 1.5}])
def test_options_that_cannot_be(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        HoldoutOptions(**wrong)
