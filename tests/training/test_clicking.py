"""Simulated users: what they ask is true, and what is learnt from it is what was asked."""

import json

import numpy as np
import pytest
import torch
from some_embedding import embedding

from camn import weights
from camn.api import train
from camn.config import click_preset
from camn.errors import CheckpointError, ConfigError
from camn.masks import IGNORE
from camn.model.clicks import ClickNetwork
from camn.training.clicking import ClickPlan, Example, click_loss
from camn.training.recipe import load_stages

LABELS = np.zeros((65, 65), np.uint8)
LABELS[10:40, 15:50] = 1
LABELS[45:60, 5:30] = 2
LABELS[:3] = IGNORE


def example(seed: int, **plan) -> Example:
    return Example(LABELS, 2, np.random.default_rng(seed), ClickPlan(**plan))


@pytest.mark.parametrize("seed", range(40))
def test_what_is_asked_is_true(seed):
    one = example(seed, boxes=0.3, masks=0.3, several=0.5)
    for _ in range(3):
        for row, column, sign in one.clicks:
            assert one.counted[row, column] and one.truth[row, column] == (sign > 0)
        one.ask(np.random.default_rng(seed).random(LABELS.shape) < 0.5)
    assert one.clicks or one.box.any()
    assert not (one.box.any() and one.mask.any())
    if one.box.any():
        assert (one.box * one.truth).sum() >= 0.6 * one.truth.sum()


def test_the_same_chance_asks_the_same():
    first, second = example(3, several=1.0), example(3, several=1.0)
    assert first.clicks == second.clicks and (first.truth == second.truth).all()


def test_shares():
    assert all(example(seed, boxes=1.0, masks=0.0, several=0.0).box.any() for seed in range(5))
    assert all(example(seed, boxes=0.0, masks=1.0, several=0.0).mask.any() for seed in range(5))
    assert all(example(seed, boxes=0.0, masks=0.0, several=0.0).first for seed in range(5))
    more = [example(seed, boxes=0.0, masks=0.0, several=1.0) for seed in range(9)]
    assert {one.first for one in more} == {True, False}  # what is said of elsewhere leaves open what is meant here
    assert all(one.first == (sum(sign > 0 for *_, sign in one.clicks) == 1) for one in more)
    for wrong in ({"boxes": 0.7, "masks": 0.7}, {"several": 2}, {"rounds": 0}, {"rounds": 1.5}, {"score": -1}):
        with pytest.raises(ConfigError):
            ClickPlan(**wrong)


def test_a_picture_is_learnt():
    torch.manual_seed(0)
    network, seen = ClickNetwork(click_preset("camn-mobile-clicks")), embedding(2)
    labels = torch.from_numpy(np.stack([LABELS, LABELS[:, ::-1].copy()])).long()
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(25):
        loss = click_loss(network, seen, labels, [2, 2], [7, 8], ClickPlan(rounds=2), (1.0, 1.0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.fixture
def recipe(tmp_path, shared):
    path = tmp_path / "clicks.toml"
    path.write_text(
        f'model = "camn-mobile-clicks"\nstills = "{shared}/data/stills"\nsteps = 4\nbatch = 2\nwarm_up = 1\n'
        "save_every = 2\nworkers = 0\n[clips]\nsize = [65, 65]\nframes = 1\n[clicks]\nrounds = 2\n"
    )
    return path


def test_a_run_is_taken_up_and_its_file_says_what_it_reads(recipe, tmp_path):
    whole = train(recipe, tmp_path / "whole", threads=1)
    part = train(recipe, tmp_path / "part", threads=1, max_minutes=0)
    assert part.step < 4
    done = train(recipe, tmp_path / "part", threads=1)
    assert whole.finished and done.finished
    first, second = (weights.read_clicks(run.weights) for run in (whole, done))
    assert all(torch.equal(first.state[key], second.state[key]) for key in first.state)
    assert first.notes["encoder_sha256"] == weights.read("camn-mobile").sha256
    assert first.notes["recipe"]["clicks"]["rounds"] == 2
    lines = [json.loads(line) for line in (tmp_path / "whole/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    again = load_stages(recipe, start=str(whole.weights))[0]
    assert train(recipe, tmp_path / "again", start=str(whole.weights), threads=1, max_minutes=0).step >= 0 and again


def test_files_of_another_kind_are_refused(recipe, tmp_path):
    with pytest.raises(CheckpointError, match="no network for clicks"):
        train(recipe, tmp_path / "run", start=str(weights.find("camn-mobile")))
    with pytest.raises(CheckpointError):
        weights.read_clicks(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize(
    "wrong, said", [("size = [65, 65]\nframes = 2", "frames = 1"), ("size = [64, 64]\nframes = 1", "16 k")]
)
def test_recipes_that_cannot_be(recipe, wrong, said):
    recipe.write_text(recipe.read_text().replace("size = [65, 65]\nframes = 1", wrong))
    with pytest.raises(ConfigError, match=said):
        load_stages(recipe)
