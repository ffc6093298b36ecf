"""The state of a run on disk: whole or not at all, and only for the recipe it is of."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from camn.clips.dataset import ClipOptions
from camn.errors import CheckpointError, TrainingError, words_of
from camn.files import is_file, replacing
from camn.training.clicking import ClickPlan
from camn.training.recipe import RENAMED, Recipe

# What a validation score depends on beside the weights: where it changes, the best score so far says nothing any more.
SCORED = ("validate", "validate_split", "validate_year", "validate_frames", "validate_size")
# What may differ between a run and its resumption: the recipe's name, where data lies, and how it is loaded, split,
# watched and saved.
MOVABLE = (
    "name",
    *("videos", "holdout", "stills", "start", "workers", "save_every", "accumulate", "compile", "tensorboard"),
    "panel_every",
    *("validate_every", *SCORED),
)


@dataclass(frozen=True)
class State:
    """Everything a run goes on from; the values of the first three are state dicts on the CPU. best: the best
    validation score so far, minus infinity without one. data: what was trained on, as `loader.described` has it."""

    network: dict[str, Any]
    ema: dict[str, Any]
    optimizer: dict[str, Any]
    step: int
    best: float = float("-inf")
    data: str = ""


def save(path: Path, recipe: Recipe, state: State) -> None:
    """A kill at any moment leaves either the old file or the new one. Raises OutputError."""
    fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    with replacing(path, RuntimeError) as part:  # by which torch tells of a full disk
        torch.save({"recipe": recipe.as_dict()} | fields, part)


def read(path: Path, recipe: Recipe) -> State:
    """Raises CheckpointError for a file that is no checkpoint, TrainingError for one of another recipe, saying how it
    differs."""
    if not is_file(path):
        raise CheckpointError(f"{path}: not a checkpoint of a run (it is no file); move it away")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        was = flat(state.pop("recipe"))
        found = State(**state)
    except Exception as error:  # torch raises many kinds on files that are cut short or not its own
        raise CheckpointError(f"{path}: not a checkpoint of a run ({words_of(error)}); move it away") from None
    was = {RENAMED.get(key, key): value for key, value in was.items()}
    # A key that is newer than the file had its default's effect then.
    was = _defaults() | was
    now = flat(recipe.as_dict())
    changed = [key for key in now if was.get(key) != now[key]]
    if said := [f"{key}: {was.get(key)} -> {now[key]}" for key in changed if key not in MOVABLE]:
        raise TrainingError(f"{path} is of another recipe ({'; '.join(said)}): use another folder")
    return found if not set(changed) & set(SCORED) else dataclasses.replace(found, best=float("-inf"))


def _defaults() -> dict[str, Any]:
    given = {field.name: field.default for field in dataclasses.fields(Recipe) if field.name not in ("clips", "clicks")}
    return flat({key: value for key, value in given.items() if value is not dataclasses.MISSING}) | flat(
        {"clips": dataclasses.asdict(ClipOptions()), "clicks": dataclasses.asdict(ClickPlan())}
    )


def flat(recipe: dict[str, Any], above: str = "") -> dict[str, Any]:
    """A recipe's fields by dotted names, as they are after JSON: tuples and lists are the same."""
    fields = {}
    for key, value in recipe.items():
        if isinstance(value, dict):
            fields |= flat(value, f"{above}{key}.")
        else:
            fields[above + key] = json.loads(json.dumps(value))
    return fields
