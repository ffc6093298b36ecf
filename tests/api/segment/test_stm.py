"""The main job with STM, from a weights file to masks on disk; small, with weights of chance."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import camn
from camn import weights
from camn.cli import main
from camn.config import PostProcess, StmConfig
from camn.model.stm import Stm

SIZE = (45, 70)  # no multiples of 16
CONFIG = StmConfig("small-stm", blocks=(1, 1, 1), planes=8, key_channels=8, value_channels=16, width=16)
SLIM = StmConfig(
    "slim-stm", (1, 1, 1), 8, 8, 16, 16, backbone="efficientnet_lite0", aligned=True, masked_values=True, norms=True
)
FRAMES = 14


@pytest.fixture(scope="module", params=[CONFIG, SLIM], ids=["resnet", "lite"])
def model(request, tmp_path_factory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "stm.safetensors"
    weights.write(path, request.param, Stm(request.param).state_dict(), half=False)
    return path


@pytest.fixture
def clip(tmp_path, rng) -> Path:
    """Images of noise that moves, and masks: two objects at first, another one on frame 6."""
    noise = rng.integers(0, 256, (*SIZE, 3), np.uint8)
    first, later = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    first[5:25, 5:30], first[20:40, 40:65], later[30:44, 2:20] = 3, 8, 200
    for name in ("frames", "masks"):
        (tmp_path / name).mkdir()
    for t in range(FRAMES):
        Image.fromarray(np.roll(noise, t, 1)).save(tmp_path / "frames" / f"{t:05d}.png")
    Image.fromarray(first).save(tmp_path / "masks" / "00000.png")
    Image.fromarray(later).save(tmp_path / "masks" / "00006.png")
    return tmp_path


def masks_of(out: Path) -> list[np.ndarray]:
    return [np.array(Image.open(path)) for path in sorted((out / "masks").iterdir())]


def test_two_objects_and_one_that_comes_later(model, clip):
    given = {"model": str(model), "device": "cpu", "short_side": 64}
    done = camn.segment_video(clip / "frames", clip / "masks", clip / "out", **given)
    made = masks_of(clip / "out")
    assert done.frames == len(made) == FRAMES and done.ids == (3, 8, 200)
    assert all(ids.shape == SIZE for ids in made)
    assert all(set(np.unique(ids)) <= {0, 3, 8} for ids in made[:6])
    assert all(set(np.unique(ids)) <= {0, 3, 8, 200} for ids in made[6:])
    assert (made[6] == 200).sum() == 14 * 18


def test_the_published_rule_of_memory(model, clip):
    segmenter = camn.load(model, "cpu", short_side=64, post=PostProcess.off())
    frames = [np.array(Image.open(path)) for path in sorted((clip / "frames").iterdir())]
    segmenter.start(frames[0], np.array(Image.open(clip / "masks" / "00000.png")))
    for t in range(1, 33):
        segmenter.step(frames[t % FRAMES])
    assert segmenter.remembered == [0, 5, 10, 15, 20, 25, 30, 32]


def test_the_command(model, clip, capsys):
    masks = str(clip / "masks" / "00000.png")
    arguments = ["segment", str(clip / "frames"), "--masks", masks, "--out", str(clip / "out"), "--model", str(model)]
    assert main([*arguments, "--device", "cpu", "--no-overlay", "--short-side", "64", "--memory-frames", "2"]) == 0
    assert len(masks_of(clip / "out")) == FRAMES and "2 objects" in capsys.readouterr().out
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "stm-r50" in listed and "stm-mobile" in listed


def test_a_file_holds_what_was_written(model):
    read = weights.read(model)
    made = Stm(read.config)
    made.load_state_dict(read.state)
    assert read.config in (CONFIG, SLIM)
    torch.manual_seed(0)
    fresh = Stm(read.config).state_dict()
    assert all(torch.equal(tensor, fresh[name]) for name, tensor in made.state_dict().items())
