"""Runs as users start them: stages resumed anywhere, validation as `evaluate` measures, overrides, what is refused."""

import json
import shutil
import sys
import time

import cv2
import numpy as np
import pytest
import torch
from forking import Forked
from PIL import Image

from camn import api, weights
from camn.api.train.validation import Validation
from camn.cli import main
from camn.config import PostProcess, preset
from camn.datasets.layouts import open_videos
from camn.errors import ConfigError, DataError, OutputError, TrainingError
from camn.evaluation.jf import contour_accuracy, region_similarity
from camn.inference import Segmenter
from camn.model.network import Camn

torch.set_num_threads(1)
QUIET = {"device": "cpu", "threads": 1}
FRAME = "JPEGImages/480p/c/00001.png"


def draw(t, ids):
    """Disks that move to the right; an id is its disk's grey, too."""
    labels = np.zeros((66, 98), np.uint8)
    for n in ids:
        cv2.circle(labels, (20 + 3 * t + 25 * (n - 1), 20 + 12 * (n - 1)), 15, n, -1)
    picture = np.random.default_rng(t).integers(0, 60, (*labels.shape, 3), dtype=np.uint8)
    picture[labels > 0] += (60 * labels[labels > 0])[:, None]
    return picture, labels


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """ROOT/davis (2017 train: a, b; val: c), and ROOT/clips with one clip, masks on three frames, one object late."""
    root = tmp_path_factory.mktemp("data")
    (root / "davis/ImageSets/2017").mkdir(parents=True)
    (root / "davis/ImageSets/2017/train.txt").write_text("a\nb\n")
    (root / "davis/ImageSets/2017/val.txt").write_text("c\n")
    videos = [(root / "davis/JPEGImages/480p" / n, root / "davis/Annotations/480p" / n) for n in "abc"]
    videos.append((root / "clips/own/frames", root / "clips/own/masks"))
    for frames, masks in videos:
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        own = frames.name == "frames"
        for t in range(5):
            picture, labels = draw(t, (1, 2))
            Image.fromarray(picture).save(frames / f"{t:05d}.png")
            if own and t in (0, 2):
                labels[labels == 2] = 0
            if not own or t in (0, 2, 3, 4):
                Image.fromarray(labels).save(masks / f"{t:05d}.png")
    return root


def recipe(folder, root, more=""):
    text = f"""videos = "{root}/davis"
split = "train"
frozen = ["backbone."]
batch = 1
warm_up = 0
workers = 0
save_every = 1
steps = 2
{more}
"""
    (folder / "small.toml").write_text(text if "[clips]" in more else text + "[clips]\nsize = [65, 65]\nframes = 2\n")
    return folder / "small.toml"


STAGES = """
[clips]
size = [65, 65]
frames = 2
[[stages]]
name = "one"
[[stages]]
name = "two"
rate = 1e-3
"""


def losses(out, stage):
    return [json.loads(line)["loss"] for line in (out / stage / "log.jsonl").read_text().splitlines()]


def test_two_processes_do_not_train_in_one_folder(tmp_path, root):
    """The second is refused, with nothing changed; the first ends as ever."""
    path, out = recipe(tmp_path, root).rename(tmp_path / "long.toml"), tmp_path / "out"
    path.write_text(path.read_text().replace("steps = 2", "steps = 100000"))
    command = [sys.executable, "-m", "camn", "train", str(path), "--out", str(out), "--device", "cpu"]
    first = Forked(command)
    try:
        while not (out / "last.pt").exists():
            assert first.poll() is None
            time.sleep(0.1)
        with pytest.raises(OutputError, match="out: another process is training here; wait for its end"):
            api.train(path, out, **QUIET)
        assert first.poll() is None
    finally:
        first.kill()
        first.wait()
    assert api.train(path, out, max_minutes=0, **QUIET).step > 1


def test_stages_follow_one_another_however_often_they_are_stopped(tmp_path, root):
    path, said = recipe(tmp_path, root, STAGES), []
    whole = api.train(path, tmp_path / "whole", progress=said.append, **QUIET)
    assert [p.done for p in said] == [1, 2, 3, 4] and {(p.total, p.first) for p in said} == {(4, 0)}
    assert [p.seconds for p in said] == sorted(p.seconds for p in said)  # one clock for all
    assert said[0].note.startswith("1-one, loss") and said[3].note.startswith("2-two, loss")
    for step in range(1, 5):
        done = api.train(path, tmp_path / "parts", max_minutes=0, **QUIET)
        assert (done.step, done.steps, done.finished) == (step, 4, step == 4)
    for stage in ("1-one", "2-two"):
        assert losses(tmp_path / "whole", stage) == losses(tmp_path / "parts", stage)
        one, two = (torch.load(tmp_path / n / stage / "last.pt", weights_only=True) for n in ("whole", "parts"))
        assert all(torch.equal(one["ema"][name], two["ema"][name]) for name in one["ema"])
    notes = weights.read(whole.weights).notes
    assert notes["recipe"]["stage"] == "2-two" and [s["stage"] for s in notes["stages_before"]] == ["1-one"]
    # The second stage began where the average of the first ended.
    begun, ended = (
        torch.load(tmp_path / "whole" / s / "last.pt", weights_only=True)["ema"] for s in ("1-one", "2-two")
    )
    moved = max(float((begun[n] - ended[n]).abs().max()) for n in begun)
    torch.manual_seed(0)
    fresh = Camn(preset("camn-mobile")).state_dict()
    assert 0 < moved < 2e-2 and max(float((fresh[n] - begun[n]).abs().max()) for n in begun) > 0


def network():
    torch.manual_seed(1)
    return Camn(preset("camn-mobile")).eval()


def test_validation_is_what_evaluate_measures(tmp_path, root):
    made = network()
    weights.write(tmp_path / "w.safetensors", made.config, made.state_dict(), half=False)
    plain = {"model": tmp_path / "w.safetensors", "device": "cpu", "short_side": 65, "post": PostProcess.off()}
    found = api.evaluate(root / "davis", year="2017", split="train", **plain)
    validation = Validation(open_videos(root / "davis", "train"), "2017", short_side=65)
    scores = validation(made)
    assert len(scores) == 4 and np.mean(scores) == pytest.approx(found.scores.jf)
    assert validation(made, 0, 2) + validation(made, 1, 2) == scores  # shared between processes
    assert len(Validation(open_videos(root / "davis", "train"), "2016", short_side=65)(made)) == 2
    own = api.evaluate(root / "clips", **plain)
    assert np.mean(Validation(open_videos(root / "clips"), short_side=65)(made)) == pytest.approx(own.scores.jf)


def test_what_cannot_be_validated_on_is_told_before_training(tmp_path, root):
    shutil.copytree(root / "davis", tmp_path / "davis")
    masks = tmp_path / "davis/Annotations/480p/c"
    text = VALIDATED.format(root=tmp_path, split="val")
    with pytest.raises(DataError, match="no object has a mask after its first"):
        api.train(recipe(tmp_path, root, text.replace("frames = 2", "frames = 1")), tmp_path / "run", **QUIET)
    Image.new("L", (98, 66)).save(masks / "00000.png")
    with pytest.raises(DataError, match="c/00000.png: the first annotation names no object"):
        api.train(recipe(tmp_path, root, text), tmp_path / "run", **QUIET)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("file", ["Annotations/480p/c/00000.png", "Annotations/480p/c/00002.png", FRAME])
def test_a_file_of_another_size_is_named_in_validation(tmp_path, root, file):
    shutil.copytree(root / "davis", tmp_path / "davis")
    Image.open(tmp_path / "davis" / file).resize((60, 40), Image.Resampling.NEAREST).save(tmp_path / "davis" / file)
    with pytest.raises(DataError, match=file):
        Validation(open_videos(tmp_path / "davis", "val"), short_side=65)(network())


def test_a_frame_without_an_answer_is_named_in_validation(root):
    broken = network()
    with torch.no_grad():
        broken.ensembler.foreground.linear.bias.fill_(torch.nan)
    with pytest.raises(TrainingError, match="validation: .*00001.png: frame 1 .* last checkpoint is kept"):
        Validation(open_videos(root / "davis", "val"), short_side=65)(broken)


def test_validation_gives_objects_where_they_appear(root):
    """Own clip: object 1 is given on frame 0, 2 on frame 3; frames 2, 3, 4 are measured, 2 alone on the last."""
    made = network()
    segmenter, scores = Segmenter(network(), short_side_of(65)), {1: [], 2: []}
    for t in range(5):
        picture, labels = draw(t, (1, 2))
        truth = np.where(labels == 2, 0, labels) if t < 3 else labels
        result = segmenter.step(picture) if t else segmenter.start(picture, truth)
        if t == 3:
            result = segmenter.correct(np.where(labels == 2, 2, 0).astype(np.uint8))
        for n in {2: (1,), 3: (1,), 4: (1, 2)}.get(t, ()):
            pair = result.ids == n, truth == n
            scores[n].append((region_similarity(*pair) + contour_accuracy(*pair)) / 2)
    assert Validation(open_videos(root / "clips"), short_side=65)(made) == pytest.approx(
        [np.mean(scores[1]), np.mean(scores[2])]
    )
    assert Validation(open_videos(root / "clips"), frames=3, short_side=65)(made) == pytest.approx([scores[1][0]])


def short_side_of(side):
    return api.InferenceOptions(short_side=side).inference()


VALIDATED = """
validate = "{root}/davis"
validate_split = "{split}"
validate_every = 1
validate_frames = 2
validate_size = 65
"""


def test_a_run_validates_and_says_what_is_best(tmp_path, root):
    path, said = recipe(tmp_path, root, VALIDATED.format(root=root, split="val")), []
    done = api.train(path, tmp_path / "run", progress=said.append, **QUIET)
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert done.jf == pytest.approx(max(line["jf"] for line in lines), abs=1e-5)
    assert f"best J&F {100 * done.jf:.1f}" in said[-1].note
    assert weights.read(done.best).notes["jf"] == pytest.approx(done.jf, abs=1e-5)


def test_what_is_trained_on_is_not_validated_on(tmp_path, root):
    path = recipe(tmp_path, root, VALIDATED.format(root=root, split="train"))
    with pytest.raises(ConfigError, match="480p/a, .*480p/b would be trained on and validated on"):
        api.train(path, tmp_path / "run", **QUIET)
    (tmp_path / "link").symlink_to(root / "davis")  # the same folder by another name
    with pytest.raises(ConfigError, match="trained on and validated on"):
        api.train(path, tmp_path / "run", videos=tmp_path / "link", **QUIET)
    with pytest.raises(DataError, match="nosuch"):
        api.train(recipe(tmp_path, root, VALIDATED.format(root=root, split="nosuch")), tmp_path / "run", **QUIET)
    assert not (tmp_path / "run").exists()


def test_the_command_puts_its_options_in_the_recipes_place(tmp_path, root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    path = recipe(tmp_path, "nowhere").read_text().replace('split = "train"\n', "")
    (tmp_path / "small.toml").write_text(path)
    out = tmp_path / "run"
    options = ["--videos", "clips", "--start", "camn-mobile", "--steps", "1", "--device", "cpu", "--threads", "1"]
    assert main(["train", str(tmp_path / "small.toml"), "--out", str(out), *options]) == 0
    assert "step 1 of 1" in capsys.readouterr().out
    notes = weights.read(out / "weights.safetensors").notes
    assert notes["start"] == {"file": "camn-mobile.safetensors", "sha256": weights.read("camn-mobile").sha256}
    assert notes["recipe"]["videos"] == ["clips"] and notes["recipe"]["steps"] == 1
    assert main(["train", str(tmp_path / "small.toml"), "--out", str(out), *options[:-6], "--steps", "0"]) == 2
    assert "steps is 0" in capsys.readouterr().err
