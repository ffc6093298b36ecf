"""Several processes train as one does: real ones, over gloo."""

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from forking import Forked
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.clips.dataset import ClipOptions
from camn.errors import ConfigError
from camn.training.distributed import Team, joined
from camn.training.engine import Trainer
from camn.training.loader import Shares
from camn.training.recipe import Recipe, load_stages

torch.set_num_threads(1)
QUIET = os.environ | {"OMP_NUM_THREADS": "1"}


@given(ranks=st.integers(1, 4), parts=st.integers(1, 3), each=st.integers(1, 3), first=st.integers(0, 3))
@settings(max_examples=50)
def test_shares_part_every_batch(ranks, parts, each, first):
    recipe = Recipe(
        "r", videos=("d",), steps=5, batch=ranks * parts * each, accumulate=parts, clips=ClipOptions(size=(65, 65))
    )
    lists = [list(Shares(recipe, first, Team(rank, ranks))) for rank in range(ranks)]
    assert all(len(found) == len(Shares(recipe, first)) for found in lists)
    for step in range(first, 5):
        drawn = [item for found in lists for part in found[(step - first) * parts :][:parts] for item in part]
        assert drawn == list(range(step * recipe.batch, (step + 1) * recipe.batch))
    for rank, found in enumerate(lists):
        shares = Shares(recipe, first, Team(rank, ranks))
        assert found == [shares.items(step, part) for step in range(first, 5) for part in range(parts)]


@pytest.mark.parametrize("ranks, parts", [(3, 1), (2, 4), (8, 1)])
def test_a_batch_that_does_not_go_evenly_is_refused(recipe, tmp_path, ranks, parts):
    plan = replace(recipe, batch=4, accumulate=parts)
    with pytest.raises(
        ConfigError, match=f"batch of 4 clips does not go evenly into {ranks} processes of {parts} parts"
    ):
        Trainer(plan, tmp_path, Team(0, ranks))


def test_a_process_alone_is_a_team_of_one(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")  # some schedulers set it; torchrun sets RANK, too
    monkeypatch.delenv("RANK", raising=False)
    with joined(torch.device("cpu")) as team:
        assert team == Team() and team.leads
        assert (team.share([1]), team.gather([2]), team.mean(3.5), team.any(False)) == ([1], [2], 3.5, False)


TWO = """
import json, os, sys
import torch
from camn.errors import TrainingError
from camn.training import distributed
from camn.training.distributed import joined
distributed.BUCKET = 10
with joined(torch.device("cpu")) as team:
    r = team.rank
    shapes = ((2, 3), (7,), (4,), (3, 2, 2, 2), (1,))
    parameters = [torch.nn.Parameter(torch.zeros(s)) for s in shapes]
    frozen = torch.nn.Parameter(torch.zeros(2), requires_grad=False)
    for n, p in enumerate(parameters):
        if n < 3 or (n == 3 and r == 1):  # the fourth is used by one process, the last by none
            p.grad = torch.arange(p.numel(), dtype=torch.float32).view(p.shape) * (n + 1) * (1 + 2 * r)
    team.average_gradients([*parameters, frozen])
    found = {"team": [team.rank, team.size, team.leads], "mean": team.mean(float(r)), "any": team.any(r == 1),
             "share": team.share({"from": r}), "gather": team.gather([r] * (r + 1)),
             "grads": [None if p.grad is None else p.grad.flatten().tolist() for p in parameters]}
    print(json.dumps(found), flush=True)
    if r == 1:
        os._exit(9)  # gone without a word
    try:
        team.mean(1.0)
    except TrainingError as error:
        print(json.dumps(str(error)), flush=True)
        os._exit(2)
"""


def team(command) -> list[Forked]:
    """Two processes of it that find each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    where = QUIET | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    return [Forked(command, env=where | {"RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(2)]


def test_two_processes_share_gather_and_average_and_one_that_goes_hangs_nobody():
    both = team([sys.executable, "-c", TWO])
    said = [[json.loads(line) for line in p.communicate(timeout=120)[0].splitlines()] for p in both]
    assert [p.returncode for p in both] == [2, 9]
    for rank, (found, *_) in enumerate(said):
        assert found["team"] == [rank, 2, rank == 0]
        assert (found["mean"], found["any"]) == (0.5, True)
        assert (found["share"], found["gather"]) == ({"from": 0}, [0, 1, 1])
        counts = (6, 7, 4, 24)
        means = [[k * (n + 1) * 2.0 for k in range(count)] for n, count in enumerate(counts[:3])]
        assert found["grads"] == [*means, [k * 4 * 3 / 2 for k in range(24)], None]
    assert "process 0 of 2 waits for others in vain" in said[0][1]


RECIPE = """
videos = "{data}/davis"
year = "2016"
split = "train"
stills = "{data}/stills"
frozen = ["backbone."]
optimizer = "sgd"
rate = 0.005
steps = 2
batch = 2
warm_up = 1
damage = 1.0
workers = 0
validate = "{data}/davis"
validate_year = "2016"
validate_split = "val"
validate_every = 2
validate_frames = 2
validate_size = 65
[clips]
size = [65, 65]
frames = 2
"""


def torchrun(*arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "camn.cli", "train", *map(str, arguments), "--device", "cpu"]
    return subprocess.run(command, env=QUIET, capture_output=True, text=True, timeout=300)


def test_two_processes_by_torchrun_find_the_weights_of_one(data, tmp_path):
    """Stopped after a step, and resumed, on the way."""
    path = tmp_path / "small.toml"
    path.write_text(RECIPE.format(data=data))
    (plan,) = load_stages(path)
    assert Trainer(plan, tmp_path / "one").run()
    first = torchrun(path, "--out", tmp_path / "two", "--max-minutes", "0")
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("step 1 of 2") == 1  # one of them speaks
    command = [sys.executable, "-m", "camn.cli", "train", path, "--out", tmp_path / "two", "--device", "cpu"]
    both = team(command)  # as torchrun starts them
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum(out.count("step 2 of 2") for out, _ in said) == 1, said
    assert "best.safetensors: the best, J&F" in said[0][0]
    one, two = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("one", "two"))
    begun = Trainer(plan, tmp_path / "begun").network.state_dict()
    for kind in ("network", "ema"):
        assert max((one[kind][n] - begun[n]).abs().max() for n in begun) > 3e-4
        assert max((one[kind][n] - two[kind][n]).abs().max() for n in begun) < 3e-6
    logs = [[json.loads(s) for s in (tmp_path / n / "log.jsonl").read_text().splitlines()] for n in ("one", "two")]
    for ours, theirs in zip(*logs, strict=True):
        kept = ("step", "loss", "norm", "rate")
        # The gradient's norm before it is bounded goes up to 200 here, and rounding with it.
        assert {k: ours[k] for k in kept} == pytest.approx({k: theirs[k] for k in kept}, rel=1e-2)
    assert {p.name for p in (tmp_path / "two").iterdir()} == {
        *(".lock", "last.pt", "log.jsonl", "weights.safetensors", "best.safetensors")
    }


def test_a_process_that_fails_ends_the_run(data, tmp_path):
    """The picture of the one validation sequence is broken: its process fails, and torchrun ends the other."""
    mine = tmp_path / "data"
    shutil.copytree(data, mine)
    (mine / "davis/JPEGImages/480p/other/00001.png").write_bytes(b"no picture")
    path = tmp_path / "small.toml"
    path.write_text(RECIPE.format(data=mine).replace("validate_every", "save_every = 1\nvalidate_every"))
    done = torchrun(path, "--out", tmp_path / "run")
    assert done.returncode != 0 and "00001.png" in done.stderr
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["step"] == 1
