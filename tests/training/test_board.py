"""What TensorBoard gets: numbers of every step, pictures made pixel by pixel, and a reason where it is missing."""

import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from camn.errors import ConfigError, OutputError
from camn.masks import PALETTE
from camn.training.board import Board, panel, watched
from camn.training.engine import Trainer
from camn.training.sequence import Step

torch.set_num_threads(1)


def test_a_picture_shows_frames_truth_and_prediction():
    rng = torch.Generator().manual_seed(0)
    frames = torch.randint(256, (3, 3, 4, 5), generator=rng, dtype=torch.uint8)
    labels = torch.randint(3, (3, 4, 5), generator=rng).to(torch.uint8)
    labels[1, 0] = 255
    guesses = [torch.randint(3, (4, 5), generator=rng) for _ in range(2)]
    picture = panel(frames, labels, guesses)
    assert picture.shape == (12, 15, 3) and picture.dtype == np.uint8
    shown = [labels[0], *guesses]
    for t in range(3):
        for y in range(4):
            for x in range(5):
                colour = frames[t, :, y, x].tolist()
                for row, ids in enumerate((None, labels[t], shown[t])):
                    number = 0 if ids is None else int(ids[y, x])
                    wanted = [(c + int(p)) // 2 for c, p in zip(colour, PALETTE[number])] if number else colour
                    assert picture[4 * row + y, 5 * t + x].tolist() == wanted


def test_watching_a_rollout_leaves_it_as_it_is():
    logits, present = torch.randn(3, 2, 3, 2, 2, requires_grad=True), torch.ones(2, 2, dtype=torch.bool)
    steps = [Step(some, torch.zeros(2, 2, 2).long(), present) for some in logits]
    seen: list[torch.Tensor] = []
    assert list(watched(iter(steps), seen)) == steps
    assert all(torch.equal(ids, step.logits[0].argmax(0)) for ids, step in zip(seen, steps, strict=True))


def test_a_run_logs_its_numbers_and_pictures(recipe, tmp_path):
    pytest.importorskip("tensorboard", reason="it comes with the extra `train`")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    plan = replace(recipe, steps=3, tensorboard=True, panel_every=2, validate_every=2)
    lines = []
    for _ in range(3):  # stopped and resumed
        Trainer(plan, tmp_path, validate=lambda *_: [0.25]).run(max_minutes=0, report=lines.append)
    log = EventAccumulator(str(tmp_path / "tensorboard"))
    log.Reload()
    for name in ("loss", "norm", "rate"):
        assert [(e.step, e.value) for e in log.Scalars(name)] == [
            (line["step"], pytest.approx(line[name], rel=1e-5)) for line in lines
        ]
    assert [(e.step, e.value) for e in log.Scalars("jf")] == [(2, 0.25), (3, 0.25)]
    assert [(e.step, e.height, e.width) for e in log.Images("clip")] == [(1, 3 * 65, 2 * 65), (3, 3 * 65, 2 * 65)]


def test_a_log_that_outgrows_its_room_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # its thread would tell of it, too
    before = set(threading.enumerate())
    pytest.importorskip("tensorboard", reason="it comes with the extra `train`")
    resource = pytest.importorskip("resource", reason="limits on files are POSIX's")
    board, limits = Board(tmp_path / "tensorboard", 1), resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="tensorboard: no room left"):
            for step in range(100):
                board.show(step, noise)
            board.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        for thread in set(threading.enumerate()) - before:
            thread.join(10)


def test_a_missing_package_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"tensorboard: the package is not there .* pip install 'camn\[train\]'"):
        Board(tmp_path, 1)
    assert not list(tmp_path.iterdir())
