"""Evaluation through Python and the command: late objects, several processes, hold-outs, submissions, reports."""

import dataclasses
import json
import multiprocessing
import os
import re
import shutil
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import camn
from camn import api, cli, weights
from camn.config import preset
from camn.errors import CamnError, ConfigError, DataError, OutputError
from camn.files import alone
from camn.masks import write_palette_png
from camn.model.network import Camn

SIZE = (48, 64)
QUICK = {"short_side": 32, "threads": 1, "device": "cpu"}
LENGTHS = {"one": 6, "two": 4, "three": 5}
KINDS = {"one": {1: "dog", 3: "cat"}, "two": {1: "dog"}, "three": {2: "cat"}}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Random weights of the default network."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights.write(path, preset("camn-mobile"), Camn(preset("camn-mobile")).state_dict(), {})
    return path


def labels(name: str, index: int) -> np.ndarray:
    """`one` has object 1, and 3 from its third frame on; the others one object each."""
    found = np.zeros(SIZE, np.uint8)
    found[4 + index : 24 + index, 6 + 2 * index : 30 + 2 * index] = 2 if name == "three" else 1
    if name == "one" and index >= 2:
        found[28:44, 34:56] = 3
    return found


def make(root: Path, frames: str, masks: str, annotated=lambda name, index: True) -> Path:
    """frames, masks: where these lie, with {} for the name of the sequence."""
    for name, length in LENGTHS.items():
        for index in range(length):
            image, mask = root / frames.format(name), root / masks.format(name)
            for folder in (image, mask):
                folder.mkdir(parents=True, exist_ok=True)
            ids = labels(name, index)
            Image.fromarray(np.stack([60 * ids, 255 - 50 * ids, 90 + ids], -1)).save(image / f"{index:05d}.png")
            if annotated(name, index):
                write_palette_png(mask / f"{index:05d}.png", ids)
    return root


@pytest.fixture
def clips(tmp_path) -> Path:
    return make(tmp_path / "clips", "{}/frames", "{}/masks")


@pytest.fixture
def youtube(tmp_path) -> Path:
    root = make(tmp_path / "ytvos", "train/JPEGImages/{}", "train/Annotations/{}")
    (root / "train" / "meta.json").write_text(json.dumps({"videos": meta(lambda length: range(length))}))
    return root


def meta(frames) -> dict:
    return {
        name: {
            "objects": {
                str(i): {"category": kind, "frames": [f"{k:05d}" for k in frames(LENGTHS[name])]}
                for i, kind in kinds.items()
            }
        }
        for name, kinds in KINDS.items()
    }


def masks_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def test_objects_start_on_the_frame_of_their_first_mask(tmp_path, clips, model):
    found = api.evaluate(clips, model=model, out=tmp_path / "out", **QUICK)
    assert found.scores is not None and found.scores.title == "clips"
    objects = {(s.name, o.id): o.frames for s in found.scores.sequences for o in s.objects}
    assert objects == {
        ("one", 1): (1, 2, 3, 4, 5),
        ("one", 3): (3, 4, 5),
        ("two", 1): (1, 2, 3),
        ("three", 2): (1, 2, 3, 4),
    }
    segmenter = camn.load(model, "cpu", short_side=32)
    for index in range(6):
        image = np.array(Image.open(clips / f"one/frames/{index:05d}.png"))
        result = segmenter.step(image) if index else segmenter.start(image, labels("one", 0))
        if index == 2:
            result = segmenter.correct(np.where(labels("one", 2) == 3, 3, 0).astype(np.uint8))
        written = np.array(Image.open(tmp_path / f"out/one/{index:05d}.png"))
        assert np.array_equal(written, result.ids) and (index >= 2 or 3 not in written)
        assert index != 2 or np.array_equal(written == 3, labels("one", 2) == 3)
    stored = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert stored["model"] and stored["options"]["memory_every"] >= 1
    assert stored["jf"] == found.scores.jf and stored["peak_memory"] == found.speed.peak > 50 << 20


def test_frames_before_the_first_mask_are_empty(tmp_path, model):
    root = make(tmp_path / "clips", "{}/frames", "{}/masks", lambda name, index: index >= 2)
    found = api.evaluate(root, model=model, out=tmp_path / "out", **QUICK)
    assert found.frames == 15 and len(masks_of(tmp_path / "out")) == 15
    assert not np.array(Image.open(tmp_path / "out/two/00001.png")).any()
    assert np.array_equal(np.array(Image.open(tmp_path / "out/two/00002.png")), labels("two", 2))


def test_a_folder_is_one_evaluations_at_a_time_and_has_no_scores_of_other_masks(tmp_path, clips, model):
    out, masks = tmp_path / "out", tmp_path / "masks"
    for name, length in LENGTHS.items():
        (masks / name).mkdir(parents=True)
        for index in range(length):
            write_palette_png(masks / name / f"{index:05d}.png", labels(name, index))
    with alone(out), pytest.raises(OutputError, match="out: another run is writing here"):
        api.evaluate(clips, predictions=masks, out=out)
    assert api.evaluate(clips, predictions=masks, out=out).scores and os.listdir(out) == ["scores.json"]

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.evaluate(clips, model=model, out=out, progress=stop, **QUICK)
    assert sorted(os.listdir(out)) == ["one"]  # with a frame by the model


def test_two_workers_do_as_one(tmp_path, clips, model):
    one = api.evaluate(clips, model=model, out=tmp_path / "1", **QUICK)
    said = []
    two = api.evaluate(
        clips, model=model, out=tmp_path / "2", workers=2, progress=said.append, **QUICK | {"threads": 2}
    )
    assert two.scores == one.scores and masks_of(tmp_path / "2") == masks_of(tmp_path / "1")
    assert two.speed.workers == 2 and two.frames == 15 and two.speed.peak > 50 << 20
    assert [p.done for p in said] == sorted(p.done for p in said) and (said[-1].done, said[-1].total) == (15, 15)
    assert said[-1].note == "3 of 3 sequences" and not multiprocessing.active_children()


def test_a_worker_that_is_killed_is_told(tmp_path, clips, model):
    def kill(progress):
        if progress.done:
            child = multiprocessing.active_children()[0]
            if child.pid:
                os.kill(child.pid, signal.SIGKILL)

    for name in LENGTHS:  # long enough to be at work when the signal comes
        for index in range(LENGTHS[name], 60):
            shutil.copy(clips / name / "frames" / "00003.png", clips / name / "frames" / f"{index:05d}.png")
    with pytest.raises(CamnError, match="a worker process ended in the middle .at work: .*fewer --workers"):
        api.evaluate(clips, model=model, workers=2, progress=kill, **QUICK)
    assert not multiprocessing.active_children()


def test_what_goes_wrong_is_told_by_a_worker_too(clips, model):
    frame = clips / "two/frames/00002.png"
    whole = frame.read_bytes()
    frame.write_bytes(whole[:100])
    with pytest.raises(DataError, match="00002.png"):
        api.evaluate(clips, model=model, workers=2, **QUICK)
    assert not multiprocessing.active_children()
    Image.new("RGB", (9, 8)).save(frame)
    with pytest.raises(CamnError, match="9x8"):
        api.evaluate(clips, model=model, **QUICK)
    frame.write_bytes(whole)
    write_palette_png(clips / "two/masks/00000.png", np.ones((8, 9), np.uint8))
    with pytest.raises(DataError, match="00000.png: the mask is 9x8, the frame is 64x48"):
        api.evaluate(clips, model=model, **QUICK)


def test_hold_out_is_made_and_scored(tmp_path, youtube, model):
    made = api.hold_out(youtube, tmp_path / "split.json", categories=1, unseen=0.7, seen=0.4)
    assert (
        made.unseen in (("cat",), ("dog",))
        and json.loads((tmp_path / "split.json").read_text())["options"]["seed"] == 0
    )
    with pytest.raises(OutputError, match="is there already"):
        api.hold_out(youtube, tmp_path / "split.json")
    found = api.evaluate(youtube, holdout=tmp_path / "split.json", model=model, report=tmp_path / "r.html", **QUICK)
    assert {s.name for s in found.scores.sequences} == made.videos and 0 <= found.scores.to_dict()["overall"] <= 1
    with pytest.raises(ConfigError, match="no server takes a hold-out"):
        api.evaluate(youtube, holdout=tmp_path / "split.json", model=model, submission=tmp_path / "s.zip", **QUICK)
    assert found.table().splitlines()[-1].split()[-2] == "G" and "G, overall" in (tmp_path / "r.html").read_text()
    with pytest.raises(DataError, match="no hold-out"):
        api.evaluate(youtube, holdout=youtube / "train" / "meta.json", model=model, **QUICK)


def test_submission_of_a_test_set(tmp_path, model):
    """As the public val is: the first mask of each object, in the file of the frame it appears on."""
    first = {("one", 0), ("one", 2), ("two", 0), ("three", 0)}
    root = make(tmp_path / "yt", "valid/JPEGImages/{}", "valid/Annotations/{}", lambda *where: where in first)
    write_palette_png(root / "valid/Annotations/one/00002.png", np.where(labels("one", 2) == 3, 3, 0).astype(np.uint8))
    (root / "valid" / "meta.json").write_text(json.dumps({"videos": meta(lambda length: range(0, length, 2))}))
    with pytest.raises(DataError, match="nothing can be measured; --submission"):
        api.evaluate(root, model=model, **QUICK)
    found = api.evaluate(root, model=model, submission=tmp_path / "s.zip", out=tmp_path / "out", **QUICK)
    assert found.scores is None and found.table() == "" and found.submission == tmp_path / "s.zip"
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        names = archive.namelist()
        assert names == sorted(
            f"Annotations/{n}/{k:05d}.png" for n, length in LENGTHS.items() for k in range(0, length, 2)
        )
        for name in names:
            assert archive.read(name) == (tmp_path / "out" / name.removeprefix("Annotations/")).read_bytes()
    again = api.evaluate(root, predictions=tmp_path / "out", submission=tmp_path / "t.zip")
    assert again.frames == 0 and (tmp_path / "t.zip").read_bytes() == (tmp_path / "s.zip").read_bytes()
    with pytest.raises(OutputError, match="zip"):
        api.evaluate(root, model=model, submission=tmp_path / "s.tar", **QUICK)


def test_what_cannot_be_asked(tmp_path, clips, youtube, model):
    with pytest.raises(ConfigError, match="workers is 0"):
        api.evaluate(clips, model=model, workers=0, **QUICK)
    with pytest.raises(DataError, match="only DAVIS has years"):
        api.evaluate(clips, year=2016, model=model, **QUICK)
    with pytest.raises(DataError, match="no server takes"):
        api.evaluate(clips, model=model, submission=tmp_path / "s.zip", **QUICK)
    small = clips / "two/frames/00002.png"
    Image.new("RGB", (32, 24)).save(small)
    with pytest.raises(DataError, match="two/frames/00002.png: frame 2 is 32x24, those before it are 64x48"):
        api.evaluate(clips, model=model, **QUICK)
    shutil.rmtree(clips / "two" / "masks")
    (clips / "two" / "masks").mkdir()
    with pytest.raises(DataError, match="two/frames: no picture that has a mask"):
        api.evaluate(clips, model=model, **QUICK)
    davis = tmp_path / "davis"
    (davis / "ImageSets").mkdir(parents=True)
    with pytest.raises(DataError, match="leave it out"):
        api.evaluate(davis, holdout=tmp_path / "split.json")


def test_command(tmp_path, clips, model, capsys):
    options = ["--model", str(model), "--device", "cpu", "--short-side", "32", "--threads", "1"]
    report = tmp_path / "report.html"
    assert cli.main(["evaluate", str(clips), *options, "--report", str(report)]) == 0
    out = capsys.readouterr().out
    assert "clips" in out and "frames/s" in out and "peak memory" in out and str(report) in out
    text = report.read_text()
    assert "random.safetensors" in text and "frames/s" in text and "MiB resident" in text
    assert re.search(r"cores, (\d+ GB, )?torch", text)


def test_a_gpu_is_measured_by_what_it_allocated(tmp_path, clips, model):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    found = api.evaluate(clips, model=model, **QUICK | {"device": "cuda"})
    assert found.speed.device.startswith("cuda") and 0 < found.speed.peak <= torch.cuda.max_memory_allocated()
    assert dataclasses.asdict(found.speed)["frames"] == 15
