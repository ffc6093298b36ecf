"""`camn data check`: counts that are right, and every problem of every file named at once, in real folders."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from forking import run
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from camn import api
from camn.datasets.stills import StillsFolder
from camn.errors import ConfigError, DataError

COMMAND = [sys.executable, "-m", "camn.cli", "data", "check"]
SHAPE = (24, 40)


def boxes(*ids, shape=SHAPE):
    labels = np.zeros(shape, np.uint8)
    for k, number in enumerate(ids):
        labels[4:12, 2 + 9 * k : 10 + 9 * k] = number
    return labels


def frame(path, shape=SHAPE):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)
    Image.fromarray(noise).save(path)


def mask(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


def clip(top, shown):
    """`shown`: the masks in order, None for a frame without."""
    for k, labels in enumerate(shown):
        frame(top / f"frames/{k}.jpg")
        if labels is not None:
            mask(top / f"masks/{k}.png", labels)


@pytest.fixture
def clips(tmp_path):
    clip(tmp_path / "cat", [boxes(1, 4), None, None, boxes(4, 7), boxes()])
    clip(tmp_path / "dog", [boxes(2), None])
    return tmp_path


def test_counts_of_own_clips(clips):
    report = api.check_data(clips)
    assert not report.problems and report.layout.startswith("own clips")
    (part,) = report.parts
    cat, dog = part.sequences
    assert (cat.name, cat.frames, cat.masks, cat.size, cat.ids, cat.later, cat.empty) == (
        "cat", 5, 3, SHAPE, (1, 4, 7), (7,), 1,
    )  # fmt: skip
    assert (dog.name, dog.frames, dog.masks, dog.ids, dog.later, dog.empty) == ("dog", 2, 1, (2,), (), 0)
    lines = [line.split() for line in report.text().splitlines()]
    assert ["all", "2", "7", "4", "4", "1..3", "40x24"] in lines and ["cat", "5", "3", "3", "3", "40x24"] in lines
    assert "first mask: 1" in report.text() and "without an object, which is hidden or has left: 1" in report.text()
    assert report.text().endswith("no problems")
    report.raise_problems()


def damage(root):
    """One of each kind of damage -> what is to be said of it."""
    (root / "cat/frames/1.jpg").write_bytes((root / "cat/frames/1.jpg").read_bytes()[:-200])
    (root / "cat/masks/0.png").write_bytes(b"no picture")
    mask(root / "cat/masks/3.png", boxes(4, shape=(24, 41)))
    frame(root / "cat/frames/2.jpg", (30, 40))
    Image.fromarray(np.full(SHAPE, 256, np.uint16)).save(root / "cat/masks/4.png")
    mask(root / "dog/masks/0.png", boxes())
    mask(root / "dog/masks/9.png", boxes(1))
    clip(root / "eel", [None, None])
    (root / "fox/masks").mkdir(parents=True)
    clip(root / "gnu", [boxes(255), boxes(3)])
    return {
        "cat/frames/1.jpg: cannot be read": "cut short",
        "cat/masks/0.png: cannot be read": "not a picture",
        "cat/masks/3.png: 41x24, but its frame is 40x24": "sizes",
        "cat/frames: frames of 2 sizes (40x24 from 0.jpg, 40x30 from 2.jpg)": "sizes of frames",
        "cat/masks/4.png: mode I;16 with values up to 256": "ids beyond 255",
        "dog/masks/0.png: holds no object": "empty",
        "dog/frames has 2 pictures": "no frame 9",
        "eel/masks: no such folder": "no masks",
        "fox/frames: no such folder": "no frames",
        "gnu/masks: some masks hold 255 alone, some ids": "255",
        "dog: 1 frames with a mask, but clips of 2": "short",
    }


def test_every_problem_is_named_at_once(clips):
    wanted = damage(clips)
    report = api.check_data(clips, frames=2)
    for said in wanted:
        assert sum(said in line for line in report.problems) == 1, said
    assert len(report.problems) == len(wanted)
    with pytest.raises(DataError) as error:
        report.raise_problems()
    assert all(line in str(error.value) for line in report.problems)
    assert report.text().endswith(f"{len(wanted)} problems")


def test_the_command_prints_the_report_and_fails_on_problems(clips):
    done = run([*COMMAND, str(clips)])
    assert done.returncode == 0 and done.stdout.endswith("no problems\n") and "7/7 frames" in done.stderr
    wanted = damage(clips)
    done = run([*COMMAND, str(clips), "--frames", "2", "--json"])
    assert done.returncode == 2
    report = json.loads(done.stdout)
    assert report["root"] == str(clips) and len(report["problems"]) == len(wanted)
    assert report["parts"][0]["sequences"][0]["name"] == "cat"
    for said in wanted:
        assert f"{said}" in done.stderr
    assert "Traceback" not in done.stderr


def davis(root, lists, names):
    for path, listed in lists.items():
        (root / "ImageSets" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "ImageSets" / path).write_text("".join(f"{name}\n" for name in listed))
    for name in names:
        for k in range(2):
            frame(root / f"JPEGImages/480p/{name}/{k:05d}.jpg")
            mask(root / f"Annotations/480p/{name}/{k:05d}.png", boxes(1))


def test_davis_lists_are_parts_and_a_shared_file_is_one_problem(tmp_path):
    davis(tmp_path, {"2016/train.txt": "ab", "2017/train.txt": "abc", "2017/val.txt": "", "2017/test.txt": "z"}, "abc")
    (tmp_path / "JPEGImages/480p/a/00001.jpg").write_bytes(b"")
    report = api.check_data(tmp_path)
    counts = {part.name: [s.name for s in part.sequences] for part in report.parts}
    assert counts == {"2016 train": ["a", "b"], "2017 train": ["a", "b", "c"], "2017 test": []}
    assert sorted(line.split(": ")[1][:14] for line in report.problems) == [
        "cannot be read", "names no seque", "no such folder", "no such folder",
    ]  # fmt: skip
    missing = api.check_data(tmp_path, resolution="1080p")
    assert all("there are 480p" in line for line in missing.problems[:2])


def test_youtube_vos_has_a_part_for_each_split(tmp_path):
    for split, names in {"train": "ab", "valid": "c"}.items():
        for name in names:
            for k in range(0, 20, 5):
                frame(tmp_path / split / f"JPEGImages/{name}/{k:05d}.jpg")
            mask(tmp_path / split / f"Annotations/{name}/00000.png", boxes(1, 2))
    (tmp_path / "valid/meta.json").write_text("{")
    report = api.check_data(tmp_path)
    assert [(p.name, len(p.sequences), p.sequences[0].frames, p.sequences[0].masks) for p in report.parts] == [
        ("train", 2, 4, 1), ("valid", 1, 4, 1),
    ]  # fmt: skip
    assert len(report.problems) == 1 and "meta.json" in report.problems[0]


def stills(root):
    for kind, ids in {"cups": [(1,), (1, 2)], "pens": [(255, 3), (255,)]}.items():
        for k, present in enumerate(ids):
            frame(root / kind / f"images/{k}.jpg", (20 + k, 40))
            mask(root / kind / f"masks/{k}.png", boxes(*present, shape=(20 + k, 40)))


def test_stills_are_recognised_by_their_masks(tmp_path):
    stills(tmp_path)
    (tmp_path / ".ipynb_checkpoints").mkdir()  # hidden folders are passed over
    report = api.check_data(tmp_path)
    assert report.layout.startswith("stills") and not report.problems
    assert [(part.name, [s.ids for s in part.sequences]) for part in report.parts] == [
        ("cups", [(1,), (1, 2)]), ("pens", [(3,), (1,)]),
    ]  # fmt: skip
    assert "255 is read as object 1: 1" in report.text()
    drawn = [still.read()[1] for still in StillsFolder(tmp_path).stills]  # what is said is what is trained on
    assert [sorted(set(np.unique(labels)) - {0}) for labels in drawn] == [[1], [1, 2], [3, 255], [1]]
    said = api.check_data(tmp_path, "videos")
    assert said.layout.startswith("own clips") and any("2 sizes" in line for line in said.problems)
    (tmp_path / "cups/masks/1.png").unlink()
    assert any("without a partner: 1" in line for line in api.check_data(tmp_path, "stills").problems)


def test_frames_with_few_masks_are_a_clip_whatever_they_are_called(tmp_path):
    clip(tmp_path / "cat", [boxes(1), None, None])
    (tmp_path / "cat/frames").rename(tmp_path / "cat/images")
    assert api.check_data(tmp_path).layout.startswith("own clips")


def test_what_cannot_be_checked_is_refused(tmp_path):
    with pytest.raises(DataError, match="no known layout.*DAVIS.*stills"):
        api.check_data(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        api.check_data(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="kind 'films'"):
        api.check_data(tmp_path, "films")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="frames 0"):
        api.check_data(tmp_path, frames=0)
    (tmp_path / "ImageSets").mkdir()
    assert "no list" in api.check_data(tmp_path).problems[0]


@settings(max_examples=20)
@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.frozensets(st.integers(1, 254), max_size=4)), min_size=1, max_size=5).filter(
            lambda held: any(held)
        ),
        min_size=1,
        max_size=3,
    )
)
def test_counts_are_those_of_what_was_written(tmp_path_factory, held):
    root: Path = tmp_path_factory.mktemp("clips")
    for k, shown in enumerate(held):
        clip(root / f"c{k}", [None if ids is None else boxes(*ids) for ids in shown])
    report = api.check_data(root)
    assert not report.problems
    for shown, found in zip(held, report.parts[0].sequences, strict=True):
        masks = [ids for ids in shown if ids is not None]
        assert (found.frames, found.masks) == (len(shown), len(masks))
        assert set(found.ids) == set().union(*masks) and set(found.later) == set().union(*masks) - masks[0]
        assert found.empty == sum(not ids for ids in masks)


def test_data_split_writes_what_is_held_out_once(tmp_path):
    videos = {f"v{k:02d}": {"objects": {"1": {"category": f"kind {k % 20}"}}} for k in range(40)}
    for name in videos:
        frame(tmp_path / f"train/JPEGImages/{name}/0.jpg")
        mask(tmp_path / f"train/Annotations/{name}/0.png", boxes(1))
    (tmp_path / "train/meta.json").write_text(json.dumps({"videos": videos}))
    command = [*COMMAND[:-1], "split", str(tmp_path), "--out", str(tmp_path / "held.json")]
    done = run(command)
    assert done.returncode == 0 and str(tmp_path / "held.json") in done.stdout, done.stderr
    held = json.loads((tmp_path / "held.json").read_text())
    assert 1 <= len(held["unseen_videos"]) <= 4 and all(name in done.stdout for name in held["unseen"])
    kept = set(videos) - {*held["unseen_videos"], *held["seen_videos"]}
    assert not {videos[name]["objects"]["1"]["category"] for name in kept} & set(held["unseen"])
    again = run(command)
    assert again.returncode == 2 and "is there already" in again.stderr
