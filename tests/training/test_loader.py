"""What is trained on and validated on: several folders of any layout, and a hold-out that parts one of them."""

import json
import shutil
from dataclasses import replace

import pytest

from camn.datasets.holdout import HoldoutOptions, make_holdout, write_holdout
from camn.datasets.layouts import open_videos
from camn.errors import ConfigError, DataError
from camn.training.loader import Batches, Shares, make_loader, training_videos, validation_videos


@pytest.fixture(scope="module")
def youtube(data, tmp_path_factory):
    """ROOT/train with twelve videos of four categories, and ROOT/holdout.json."""
    root = tmp_path_factory.mktemp("youtube")
    names = [f"v{k:02d}" for k in range(12)]
    for name in names:
        for kind in ("JPEGImages", "Annotations"):
            shutil.copytree(data / "davis" / kind / "480p/ball", root / "train" / kind / name)
    meta = {name: {"objects": {"1": {"category": "abcd"[k % 4]}}} for k, name in enumerate(names)}
    (root / "train/meta.json").write_text(json.dumps({"videos": meta}))
    options = HoldoutOptions(categories=1, unseen=0.3, seen=0.2)
    write_holdout(root / "holdout.json", make_holdout(open_videos(root), options))
    return root


def names(sequences):
    return [sequence.name for sequence in sequences]


def test_folders_of_any_layout_follow_one_another(recipe, data, youtube):
    both = replace(recipe, videos=(str(youtube), str(data / "davis"), str(youtube)), split="train")
    found = names(training_videos(both) or ())
    assert len(found) == 25 and found[12] == "ball" and found[:12] == found[13:]
    assert training_videos(replace(recipe, videos=())) is None and validation_videos(recipe) is None


def test_davis_at_another_resolution(recipe, data, tmp_path):
    shutil.copytree(data / "davis", tmp_path / "davis")
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / "davis" / kind / "480p").rename(tmp_path / "davis" / kind / "full")
    root = str(tmp_path / "davis")
    plan = replace(recipe, videos=(root,), split="train", resolution="full", validate=root, validate_split="val")
    validated = getattr(validation_videos(plan), "sequences", ())
    for sequences, name in ((training_videos(plan), "ball"), (validated, "other")):
        assert [s.frames[0].parent for s in sequences or ()] == [tmp_path / "davis/JPEGImages/full" / name]


def test_a_hold_out_parts_training_from_validation(recipe, data, youtube):
    plan = replace(
        recipe,
        videos=(str(youtube), str(data / "davis")),
        split="train",
        holdout=str(youtube / "holdout.json"),
        validate=str(youtube),
        validate_split="train",
    )
    trained, validated = names(training_videos(plan) or ()), names(getattr(validation_videos(plan), "sequences", ()))
    assert len(validated) >= 4 and not set(trained) & set(validated)
    assert {*trained, *validated} == {"ball", *names(open_videos(youtube).sequences)}
    with pytest.raises(ConfigError, match="would be trained on and validated on"):
        validation_videos(replace(plan, holdout=""))
    with pytest.raises(DataError, match="holdout.json: none of its videos is in .*davis"):
        training_videos(replace(plan, videos=(str(data / "davis"),)))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_is_told_in_a_line_wherever_it_is_read(recipe, data, tmp_path, workers):
    shutil.copytree(data / "davis", tmp_path / "davis")
    for picture in (tmp_path / "davis/JPEGImages/480p/ball").iterdir():
        picture.write_bytes(b"no picture")
    plan = replace(recipe, videos=(str(tmp_path / "davis"),), stills="", year="2016", split="train", workers=workers)
    with pytest.raises(DataError) as caught:
        next(iter(Batches(make_loader(plan, Shares(plan), training_videos(plan), pin=False))))
    said = str(caught.value)
    assert said.startswith(str(tmp_path / "davis/JPEGImages/480p/ball/0000")) and "Traceback" not in said
    assert said.endswith("remove it or replace it by an intact copy")
