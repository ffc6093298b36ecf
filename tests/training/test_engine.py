"""The training loop on a real little data set: exact resume, also after kill -9, and refusals with their reason."""

import dataclasses
import json
import math
import multiprocessing
import random
import shutil
import sys
import time
from dataclasses import replace

import pytest
import torch
from forking import Forked

from camn import weights
from camn.clips.dataset import ClipOptions
from camn.errors import CheckpointError, OutputError, TrainingError
from camn.files import temporary
from camn.speed.calls import Counted
from camn.training.engine import Trainer
from camn.training.loader import Shares, make_loader, training_videos

torch.set_num_threads(1)
STEPS = 4


def log(folder):
    """The log's lines but for their times."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def state(folder):
    return torch.load(folder / "last.pt", weights_only=True)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """The folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    seen = []
    assert Trainer(recipe, folder).run(report=seen.append)
    assert [line["step"] for line in seen] == [1, 2, 3, 4]
    return folder


def test_a_run_leaves_its_log_and_checkpoint(recipe, whole):
    assert [line["step"] for line in log(whole)] == [1, 2, 3, 4]
    assert [line["rate"] for line in log(whole)] == [recipe.rate_at(s) for s in range(STEPS)]
    assert all(math.isfinite(line["loss"]) and line["norm"] > 0 for line in log(whole))
    assert state(whole)["step"] == STEPS
    assert {p.name for p in whole.iterdir()} == {"last.pt", "log.jsonl"}


def test_frozen_parameters_stay_and_others_move(recipe, whole):
    torch.manual_seed(recipe.seed)
    fresh, trained = Trainer(recipe, whole.parent / "fresh").network.state_dict(), state(whole)["network"]
    for name, value in fresh.items():
        assert not (name.startswith("backbone.") and not torch.equal(value, trained[name])), name
    moved = [n for n in fresh if not torch.equal(fresh[n], trained[n])]
    assert len(moved) > 0.9 * sum(not n.startswith("backbone.") for n in fresh)


def test_a_stopped_run_goes_on_as_if_it_had_not(recipe, whole, tmp_path):
    """max_minutes = 0: a step, then save and stop. Each time a new trainer goes on."""
    for step in range(1, STEPS + 1):
        trainer = Trainer(replace(recipe, save_every=100), tmp_path)
        assert trainer.step == step - 1
        assert trainer.run(max_minutes=0) == (step == STEPS)
    assert log(tmp_path) == log(whole)
    ours, theirs = state(tmp_path), state(whole)
    assert all(same(ours[k], theirs[k]) for k in ("step", "network", "ema", "optimizer"))


def test_a_finished_run_stays_as_it_is(recipe, whole):
    before = log(whole)
    assert Trainer(recipe, whole).run() and log(whole) == before


def test_another_number_of_workers_is_the_same_run(recipe, whole, tmp_path):
    Trainer(recipe, tmp_path).run(max_minutes=0)
    assert Trainer(replace(recipe, workers=2), tmp_path).run()
    assert log(tmp_path) == log(whole)


SCRIPT = """
import dataclasses, json, sys
from pathlib import Path
import torch
from camn import weights
from camn.clips.dataset import ClipOptions
from camn.training.engine import Trainer
from camn.training.recipe import Recipe
torch.set_num_threads(1)
fields = json.loads(sys.argv[1])
fields = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
recipe = Recipe(**fields | {"clips": ClipOptions(size=(65, 65), frames=2)})
print("ready", flush=True)
Trainer(recipe, Path(sys.argv[2])).run(report=lambda line: print(line["step"], flush=True))
"""


@pytest.mark.parametrize("trial", range(2))
def test_kill_9_at_any_moment_costs_nothing(recipe, whole, tmp_path, trial):
    fields = {k: v for k, v in recipe.as_dict().items() if k != "clips"}
    command = [sys.executable, "-c", SCRIPT, json.dumps(fields), str(tmp_path)]
    process = Forked(command)
    for line in process.stdout:
        if line.strip() == str(1 + trial):
            break
    time.sleep(random.random() * 0.5)  # in the middle of a step, of the log, or of saving
    process.kill()
    process.wait()
    process.stdout.close()
    resumed = Trainer(recipe, tmp_path)
    assert trial <= resumed.step <= STEPS
    assert resumed.run()
    assert log(tmp_path) == log(whole)
    assert same(state(tmp_path)["network"], state(whole)["network"])
    assert same(state(tmp_path)["ema"], state(whole)["ema"])


def test_log_lines_beyond_the_checkpoint_are_made_anew(recipe, whole, tmp_path):
    """What a kill between two checkpoints leaves: lines of steps that are not saved, the last one cut short."""
    Trainer(recipe, tmp_path).run(max_minutes=0)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 2, "loss": 99.0}\n{"step": 3, "lo')
    (tmp_path / ".last.1-1.part.pt").write_bytes(b"half a checkpoint")
    assert Trainer(recipe, tmp_path).run()
    assert log(tmp_path) == log(whole)
    assert {p.name for p in tmp_path.iterdir()} == {"last.pt", "log.jsonl"}


OTHER = {
    "seed": ({"seed": 5}, "seed: 0 -> 5"),
    "model": ({"model": "camn-r50"}, "model: camn-mobile -> camn-r50"),
    "frozen": ({"frozen": ()}, r"frozen: \['backbone.'\] -> \[\]"),
    "optimizer": ({"optimizer": "sgd"}, "optimizer: adamw -> sgd"),
    "clip": ({"clips": ClipOptions(size=(65, 65), frames=3)}, "clips.frames: 2 -> 3"),
}


@pytest.mark.parametrize("case", OTHER)
def test_another_recipes_run_is_refused_by_its_difference(recipe, whole, case):
    fields, said = OTHER[case]
    before = (whole / "last.pt").read_bytes()
    with pytest.raises(TrainingError, match=rf"last.pt is of another recipe \({said}\): use another folder"):
        Trainer(replace(recipe, **fields), whole)
    assert (whole / "last.pt").read_bytes() == before


def test_a_loss_that_is_not_finite_names_its_clips_and_keeps_the_checkpoint(recipe, tmp_path):
    """A learning rate beyond all measure ruins the network in a step or two."""
    wild = replace(recipe, rate=1e30, clips=replace(recipe.clips, video_share=1, paste=0))
    with pytest.raises(TrainingError, match=r"(loss|gradient) is (nan|inf) at step [123], on .*480p/ball"):
        Trainer(wild, tmp_path).run()
    kept = state(tmp_path)
    assert 1 <= kept["step"] < STEPS and all(v.isfinite().all() for v in kept["network"].values())
    assert {p.name for p in tmp_path.iterdir()} == {"last.pt", "log.jsonl"}


def test_data_that_has_changed_since_is_told(recipe, data, tmp_path):
    stills = tmp_path / "stills"
    shutil.copytree(data / "stills", stills)
    plan, told = replace(recipe, stills=str(stills)), []
    Trainer(plan, tmp_path / "run", notice=told.append).run(max_minutes=0)
    shutil.move(stills, tmp_path / "moved")  # where it lies is nobody's business
    plan = replace(plan, stills=str(tmp_path / "moved"))
    Trainer(plan, tmp_path / "run", notice=told.append).run(max_minutes=0)
    assert told == []
    for kind in ("images", "masks"):
        (tmp_path / "moved/balls" / kind / "1.png").unlink()
    Trainer(plan, tmp_path / "run", notice=told.append).run(max_minutes=0)
    (said,) = told
    assert "the training data has changed since step 2: 1 videos with 6 masks, 3 stills" in said and "2 stills" in said


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_bad_step_is_told_one_late_and_has_changed_nothing(recipe, tmp_path, optimizer):
    """The second step's answers are no numbers. It is heard of when the third is under way; its weights and its
    optimiser's state are those of the first."""
    plan = replace(recipe, optimizer=optimizer, save_every=100)
    Trainer(plan, tmp_path / "one").run(max_minutes=0)
    trainer, asked = Trainer(plan, tmp_path / "bad"), []

    def spoil(module, inputs, maps):
        asked.append(trainer.step)
        return tuple(m * math.nan for m in maps) if trainer.step == 1 else maps

    trainer.network.backbone.register_forward_hook(spoil)
    with pytest.raises(TrainingError, match=r"loss is nan at step 1, on .*(ball|balls)"):
        trainer.run()
    assert set(asked) == {0, 1, 2} and trainer.step == 2
    good, bad = state(tmp_path / "one"), dataclasses.asdict(trainer._state())
    assert same(good["network"], bad["network"]) and same(good["optimizer"]["state"], bad["optimizer"]["state"])
    for name, value in good["ema"].items():
        torch.testing.assert_close(bad["ema"][name], value, atol=1e-2, rtol=1e-2)
    assert [line["step"] for line in log(tmp_path / "bad")] == [1] and not (tmp_path / "bad/last.pt").exists()


def test_nothing_is_read_from_the_device_in_a_step(recipe, tmp_path):
    trainer = Trainer(replace(recipe, damage=1.0, recent=1.0), tmp_path)
    batches = make_loader(recipe, Shares(recipe), training_videos(recipe), pin=False)
    first, second, *_ = batches
    trainer.update([first])  # makes what is kept of windows, and the optimiser's state
    with Counted() as seen:
        late = trainer._stepped(trainer._differentiated([second]))
    assert seen.reads == [] and seen.calls > 1000
    assert late.step == 2 and all(math.isfinite(number) for number in late.read())


@pytest.mark.slow
def test_a_compiled_run_is_near_a_plain_one(recipe, whole, tmp_path):
    """Its checkpoint is one of any run, too."""
    if shutil.which("g++") is None and shutil.which("c++") is None:
        pytest.skip("no C++ compiler, which torch.compile needs on a CPU")
    Trainer(replace(recipe, compile=True), tmp_path).run(max_minutes=0)
    (line,), exact = log(tmp_path), log(whole)[0]
    assert line["loss"] == pytest.approx(exact["loss"], rel=1e-3)
    assert Trainer(recipe, tmp_path).run()


def test_a_reading_process_that_is_killed_is_told(recipe, tmp_path):
    others = set(multiprocessing.active_children())  # readers of runs before this one that have not ended yet

    def kill(line):
        for process in set(multiprocessing.active_children()) - others if line["step"] == 2 else ():
            process.kill()

    with pytest.raises(TrainingError, match="a process that reads data has ended in the middle: .*fewer workers"):
        Trainer(replace(recipe, steps=100, workers=1), tmp_path).run(report=kill)
    assert 1 <= state(tmp_path)["step"] < 100


def weights_of(folder):
    return state(folder)["network"]


def test_parts_of_a_batch_add_up_to_it(recipe, tmp_path):
    """SGD, which does not blow rounding up as Adam does where a gradient is nought."""
    whole = replace(recipe, batch=4, steps=3, optimizer="sgd", rate=0.005, damage=1.0)
    for name, plan in (("whole", whole), ("parts", replace(whole, accumulate=2))):
        assert Trainer(plan, tmp_path / name).run()
    ours, theirs = weights_of(tmp_path / "parts"), weights_of(tmp_path / "whole")
    begun = Trainer(whole, tmp_path / "begun").network.state_dict()
    assert max((theirs[n] - begun[n]).abs().max() for n in begun) > 3e-4

    def apart(some, other):
        return sum((some[n] - other[n]).double().square().sum().item() for n in begun) ** 0.5

    # Which key is nearest turns on rounding, so that a few weights go another way on another processor.
    assert apart(theirs, ours) < 0.02 * apart(theirs, begun)
    for one, other in zip(log(tmp_path / "parts"), log(tmp_path / "whole"), strict=True):
        assert one.pop("norm") == pytest.approx(other.pop("norm"), rel=0.1)
        assert one == pytest.approx(other, rel=1e-3)


def test_a_step_in_bfloat16_keeps_weights_in_single_precision(recipe, whole, tmp_path):
    Trainer(replace(recipe, amp=True), tmp_path).run(max_minutes=0)
    assert {v.dtype for v in weights_of(tmp_path).values() if v.is_floating_point()} == {torch.float32}
    (line,), exact = log(tmp_path), log(whole)[0]
    assert line["loss"] == pytest.approx(exact["loss"], rel=0.05) and line["loss"] != exact["loss"]


def test_the_best_validated_weights_are_kept(recipe, tmp_path):
    scores = {1: [0.2, 0.4], 2: [0.9, 0.7], 4: [0.5]}
    kept = {}

    def validate(network, rank, ranks):
        assert (rank, ranks) == (0, 1) and not network.training
        kept[trainer.step] = {k: v.clone() for k, v in network.state_dict().items()}
        return scores[trainer.step]

    for _ in range(4):  # stopped after each step: the best score so far outlives that
        trainer = Trainer(replace(recipe, validate_every=2), tmp_path, validate=validate)
        trainer.run(max_minutes=0)
        assert trainer.best == (-math.inf if trainer.step < 2 else 0.8)
    assert [line.get("jf") for line in log(tmp_path)] == [None, 0.8, None, 0.5]
    best = weights.read(tmp_path / "best.safetensors")
    assert (best.notes["step"], best.notes["jf"], best.notes["recipe"]["name"]) == (2, 0.8, "little")
    assert all(torch.equal(v, kept[2][k].half().float()) for k, v in best.state.items())


def test_a_checkpoint_from_before_a_key_was_there_is_resumed(recipe, whole, tmp_path):
    """As written by older versions: `davis` and `davis_year` for `videos` and `year`, and no newer keys."""
    old = state(whole)
    for key in ("stage", "accumulate", "amp", "optimizer", "tensorboard", "validate"):
        del old["recipe"][key]
    old["recipe"] |= {"davis": old["recipe"].pop("videos")[0], "davis_year": old["recipe"].pop("year")}
    del old["best"]
    torch.save(old, tmp_path / "last.pt")
    assert Trainer(recipe, tmp_path).step == STEPS
    with pytest.raises(TrainingError, match="year:  -> 2017"):
        Trainer(replace(recipe, year="2017"), tmp_path)


def test_whether_code_is_compiled_may_change_at_resume_and_lead_may_not(recipe, tmp_path):
    """Nothing is compiled before the first step. A checkpoint of before there was `lead` had none."""
    plan = replace(recipe, clips=replace(recipe.clips, frames=4), lead=1, damage=0.5)
    Trainer(plan, tmp_path).run(max_minutes=0)
    assert Trainer(replace(plan, compile=True), tmp_path).step == 1
    with pytest.raises(TrainingError, match=r"last.pt is of another recipe \(lead: 1 -> 2\)"):
        Trainer(replace(plan, lead=2), tmp_path)
    old = state(tmp_path)
    for key in ("lead", "compile"):
        del old["recipe"][key]
    torch.save(old, tmp_path / "last.pt")
    assert Trainer(replace(plan, lead=0), tmp_path).step == 1
    with pytest.raises(TrainingError, match=r"\(lead: 0 -> 1\)"):
        Trainer(plan, tmp_path)


def test_a_run_whose_clips_are_led_goes_on_as_if_it_had_not_stopped(recipe, tmp_path):
    plan = replace(recipe, clips=replace(recipe.clips, frames=4), lead=2, recent=1.0, damage=1.0, steps=3)
    assert Trainer(plan, tmp_path / "whole").run()
    for _ in range(3):
        Trainer(plan, tmp_path / "parts").run(max_minutes=0)
    assert log(tmp_path / "parts") == log(tmp_path / "whole")
    assert same(state(tmp_path / "parts")["network"], state(tmp_path / "whole")["network"])


CORRUPT = {
    "empty": lambda good: b"",
    "cut short": lambda good: good[: len(good) // 2],
    "text": lambda good: b"not a checkpoint",
}


@pytest.mark.parametrize("case", CORRUPT)
def test_a_corrupt_checkpoint_is_refused(recipe, whole, tmp_path, case):
    (tmp_path / "last.pt").write_bytes(CORRUPT[case]((whole / "last.pt").read_bytes()))
    with pytest.raises(CheckpointError, match=r"last.pt: not a checkpoint of a run \(.*\); move it away"):
        Trainer(recipe, tmp_path)


@pytest.mark.parametrize("other", [{"weight": torch.zeros(1)}, [1, 2]])
def test_another_kind_of_file_is_no_checkpoint(recipe, tmp_path, other):
    torch.save(other, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match="last.pt: not a checkpoint of a run"):
        Trainer(recipe, tmp_path)


def test_a_folder_that_cannot_be_made(recipe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/run: .*\(Not a directory\)"):
        Trainer(recipe, tmp_path / "file" / "run")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_a_log_that_cannot_be_written(recipe, tmp_path):
    trainer = Trainer(recipe, tmp_path)
    temporary(trainer.journal.path).symlink_to("/dev/full")  # becomes the log: its first line is the one without room
    with pytest.raises(OutputError, match="log.jsonl: no room left"):
        trainer.run(max_minutes=0)
    (tmp_path / "log.jsonl").unlink()
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(OutputError, match="log.jsonl: a file stands where a folder should"):
        trainer.run(max_minutes=0)


def test_a_checkpoint_that_outgrows_its_room_keeps_the_one_before(recipe, tmp_path):
    """The system ends the file's growth in the middle, as a full disk does."""
    resource = pytest.importorskip("resource", reason="limits on files are POSIX's")
    trainer = Trainer(recipe, tmp_path)
    trainer.run(max_minutes=0)
    before, limits = (tmp_path / "last.pt").read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OutputError, match="last.pt: .*(room|written)"):
            trainer.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "last.pt").read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"last.pt", "log.jsonl"}
    assert Trainer(recipe, tmp_path).step == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_a_full_disk_keeps_the_checkpoint_before(recipe, tmp_path):
    trainer = Trainer(recipe, tmp_path)
    trainer.run(max_minutes=0)
    before = (tmp_path / "last.pt").read_bytes()
    temporary(trainer.checkpoint).symlink_to("/dev/full")
    with pytest.raises(OutputError, match="last.pt: .*room"):
        trainer.save()
    assert (tmp_path / "last.pt").read_bytes() == before and not temporary(trainer.checkpoint).is_symlink()


def test_stm_is_trained_and_what_is_frozen_of_the_backbone_stays_in_both_encoders(recipe, tmp_path):
    trainer = Trainer(replace(recipe, model="stm-mobile", frozen=("backbone._blocks.0.",), steps=2), tmp_path)
    before = {name: p.detach().clone() for name, p in trainer.network.named_parameters()}
    assert trainer.run()
    moved = {name for name, p in trainer.network.named_parameters() if not torch.equal(p, before[name])}
    still = before.keys() - moved
    for encoder in ("query", "memory"):
        start = f"{encoder}.backbone._blocks."
        assert any(name.startswith(f"{start}0.") for name in still)
        assert any(name.startswith(f"{start}1.") for name in moved)
    assert not any("._blocks.0." in name for name in moved) and "memory.conv1_object.weight" in moved
    with pytest.raises(TrainingError, match="model: stm-mobile -> camn-mobile"):
        Trainer(replace(recipe, frozen=("backbone._blocks.0.",), steps=2), tmp_path)
