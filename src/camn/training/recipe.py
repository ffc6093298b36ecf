"""Training recipes: TOML files that say everything a run depends on, so that the same file gives the same weights."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from camn import weights
from camn.clips.dataset import Appearance, ClipOptions, Motion
from camn.config import BACKBONES, CLICKS, ModelConfig, click_preset, network_preset
from camn.errors import ConfigError
from camn.files import text_of
from camn.training.clicking import ClickPlan
from camn.training.sequence import Rollout

RENAMED = {"davis": "videos", "davis_year": "year"}  # keys of older recipes, and what they are called now
OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True)
class Recipe:
    """What one stage of training depends on.

    name: the file's. stage: `1-stills`, where the recipe has stages, else empty. model: a preset.
    videos: folders of training videos in any layout of `camn.datasets.layouts`, whose sequences are drawn alike; year,
    split: of these. resolution: of DAVIS, here and in validation. holdout: a file of `camn data split`, whose videos of
    YouTube-VOS are not trained on, and are what is validated on where that is such a folder. stills: a folder. Either
    may be empty. start: weights to start from, or empty: a file, a shipped model, or a backbone whose weights a package
    carries. partial: of a file of another network, take the tensors that fit by name and shape; the others begin anew.
    frozen: parameters not trained, by the beginnings of their names; `backbone.` is the backbone, in STM that of both
    encoders.

    steps: the learning rate falls to zero over them (poly). batch: clips of one step, over all processes and
    `accumulate` parts, in which each process goes through its share. amp: encoder and decoder compute in bfloat16.
    optimizer: adamw, or sgd with momentum 0.9. backbone_rate: the backbone's rate over that of the rest. clip_norm:
    bound of the gradient's norm. ema: decay of the averaged weights. hard: fraction of hardest pixels in the loss at
    first and at last. jaccard: weight of that loss. damage: share of previous masks that are damaged, see
    `damaged`. recent: share of steps that match against an earlier predicted frame too. forget: share of steps that
    match against the previous frame alone, or in half of them not even that, and must read the memory. lead: frames of
    each clip that are followed without gradient before those that are learnt from; see `Rollout`. compile: have torch
    compile encoder and decoder, which takes minutes at first.

    validate: a folder of videos, none of them trained on, to measure J&F on every so many steps and at the end, on the
    first validate_frames frames of each (0: all), at a short side of validate_size. tensorboard: keep a log for it; a
    picture in it every so many steps.
    Raises ConfigError that names everything that cannot be.
    """

    name: str
    stage: str = ""
    model: str = "camn-mobile"
    videos: tuple[str, ...] = ()
    year: str = ""
    split: str = ""
    resolution: str = "480p"
    holdout: str = ""
    stills: str = ""
    start: str = ""
    partial: bool = False
    frozen: tuple[str, ...] = ()
    seed: int = 0
    steps: int = 2000
    batch: int = 4
    accumulate: int = 1
    amp: bool = False
    optimizer: Literal["adamw", "sgd"] = "adamw"
    rate: float = 4e-4
    backbone_rate: float = 0.1
    power: float = 0.9
    warm_up: int = 100
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema: float = 0.998
    hard: tuple[float, float] = (1.0, 0.3)
    jaccard: float = 0.5
    damage: float = 0.0
    recent: float = 0.0
    forget: float = 0.0
    lead: int = 0
    compile: bool = False
    workers: int = 1
    save_every: int = 100
    validate: str = ""
    validate_year: str = ""
    validate_split: str = "val"
    validate_every: int = 500
    validate_frames: int = 0
    validate_size: int = 480
    tensorboard: bool = False
    panel_every: int = 200
    clips: ClipOptions = field(default_factory=ClipOptions)
    clicks: ClickPlan = field(default_factory=ClickPlan)

    def __post_init__(self):
        network = click_preset(self.model) if self.of_clicks else network_preset(self.model)
        problems = self._out_of_range()
        if self.forget > 0 and isinstance(network, ModelConfig) and network.memory is None:
            problems.append(f"forget is {self.forget}: {self.model} has no memory to read; leave it out")
        if not (self.videos or self.stills):
            problems.append("names no data; set videos, stills, or both (or camn train --videos DIR)")
        if len(self.clips.size) != 2 or any(s % 16 != 1 for s in self.clips.size):
            problems.append(f"clip size {self.clips.size}; sides must be 16 k + 1, such as 225")
        if self.of_clicks and self.clips.frames != 1:
            problems.append(f"clips of {self.clips.frames} frames; clicks are learnt on frames = 1")
        if self.of_clicks and self.validate:
            problems.append("clicks are not validated on videos; leave validate out, and see camn evaluate --clicks")
        if not self.of_clicks and self.clips.frames < 2:
            problems.append(f"clips of {self.clips.frames} frames; sequences need 2 or more")
        if not problems and self.lead > max(0, self.clips.frames - 2):
            most = self.clips.frames - 2
            problems.append(f"lead is {self.lead}: of clips of {self.clips.frames} frames it may be {most} at most")
        if problems:
            raise ConfigError(f"recipe {' '.join([self.name, self.stage]).strip()}: {'; '.join(problems)}")

    def _out_of_range(self) -> list[str]:
        """Comparisons are written so that NaN fails them, too."""
        whole = ("seed", "steps", "batch", "accumulate", "warm_up", "workers", "lead", "save_every", "panel_every")
        whole += ("validate_every", "validate_frames", "validate_size")
        rules = (
            (whole, "a whole number", lambda v: not isinstance(v, float)),
            (("steps", "batch", "accumulate"), "1 or more", lambda v: v >= 1),
            (("save_every", "validate_every", "panel_every"), "1 or more", lambda v: v >= 1),
            (("seed", "warm_up", "workers", "lead", "validate_frames"), "0 or more", lambda v: v >= 0),
            (("validate_size",), "32 or more", lambda v: v >= 32),
            (("rate", "clip_norm"), "a finite number over 0", lambda v: 0 < v < math.inf),
            (("backbone_rate", "power", "weight_decay", "jaccard"), "finite, 0 or more", lambda v: 0 <= v < math.inf),
            (("ema",), "at least 0 and less than 1", lambda v: 0 <= v < 1),
            (("damage", "recent", "forget"), "in 0..1", lambda v: 0 <= v <= 1),
            (("hard",), "two fractions over 0 and up to 1", lambda v: len(v) == 2 and all(0 < x <= 1 for x in v)),
            (("videos", "frozen"), "a list", lambda v: isinstance(v, tuple)),
            (("amp", "compile", "partial", "tensorboard"), "true or false", lambda v: isinstance(v, bool)),
            (("optimizer",), f"one of {', '.join(OPTIMIZERS)}", lambda v: v in OPTIMIZERS),
        )
        values = ((name, getattr(self, name), said, good) for names, said, good in rules for name in names)
        problems = [f"{name} is {value}; it must be {said}" for name, value, said, good in values if not good(value)]
        if not problems and self.batch % self.accumulate:
            problems.append(f"a batch of {self.batch} clips is no whole multiple of accumulate = {self.accumulate}")
        return problems

    @property
    def of_clicks(self) -> bool:
        """Whether it trains a network for clicks, rather than one that follows objects."""
        return self.model in CLICKS

    @property
    def rollout(self) -> Rollout:
        return Rollout(self.damage, self.recent, self.forget, self.lead, self.amp)

    def rate_at(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then poly decay (Chen et al. 2018)."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        return self.rate * max(0.0, 1 - step / self.steps) ** self.power

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def portable(self) -> dict[str, Any]:
        """As a dict, without this machine's folders: what weights files carry."""
        names = {key: Path(getattr(self, key)).name for key in ("stills", "start", "holdout", "validate")}
        return self.as_dict() | names | {"videos": [Path(folder).name for folder in self.videos]}


def load_stages(path: str | Path, **overrides: Any) -> tuple[Recipe, ...]:
    """The stages of a TOML file, one if it has no `[[stages]]`; each stage's keys go before the file's own.

    Paths in it that are relative are taken from the file's folder. overrides: fields in place of those of every stage,
    but `start`, which is the first stage's alone: each other starts from what the one before it ended with. The seed
    of a stage that names none is the file's plus the number of stages before it.
    Raises ConfigError.
    """
    path = Path(path)
    data = _read(path)
    stages = data.pop("stages", None) or [{}]
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        raise ConfigError(f"recipe {path}: stages are tables, each begun by [[stages]]")
    _check_stages(path, data, stages)
    recipes, folder = [], path.parent
    for number, stage in enumerate(stages, 1):
        try:
            fields = _located(_merged(data, stage), folder) | _located(overrides, Path())
        except (OSError, ValueError) as error:  # no name of a file can be so long, or hold a NUL
            raise ConfigError(f"recipe {path}: a path in it cannot be one: {error}") from None
        if len(stages) > 1:
            fields |= {"name": path.stem, "stage": f"{number}-{stage['name']}"}
        if number > 1:
            fields["start"] = ""
        recipes.append(_recipe(path, fields, 0 if "seed" in stage else number - 1))
    return tuple(recipes)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text_of(path.read_bytes()))
    except OSError as error:
        raise ConfigError(f"recipe {path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"recipe {path}: not valid TOML: {error}") from None


def _check_stages(path: Path, data: dict[str, Any], stages: list[dict[str, Any]]) -> None:
    problems = [f"{old} is now called {new}" for old, new in RENAMED.items() for d in (data, *stages) if old in d]
    if len(stages) > 1:
        names = [str(stage.get("name", "")) for stage in stages]
        problems += [f"stage name {n!r} must be letters, digits and -" for n in names if not re.fullmatch(r"[\w-]+", n)]
        problems += [
            f"stage {n}: only the first stage has a start" for n, s in zip(names[1:], stages[1:]) if "start" in s
        ]
        if any("model" in stage for stage in stages):
            problems.append("all stages train one model: set it above them")
    if problems:
        raise ConfigError(f"recipe {path}: {'; '.join(problems)}")


def _merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`base` with the entries of `change`, tables merged in the same way."""
    both = {k: _merged(base[k], v) for k, v in change.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return base | change | both


def _located(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The table with the paths in it taken from `folder`; a start may also be the name of something known."""
    found = dict(table)
    if isinstance(videos := found.get("videos"), (str, Path, list, tuple)):
        listed = [videos] if isinstance(videos, (str, Path)) else videos
        found["videos"] = tuple(str((folder / str(item)).resolve()) for item in listed)
    for key in ("stills", "start", "holdout", "validate"):
        if (value := str(found.get(key) or "")) and value not in (*BACKBONES, *weights.known(), *CLICKS):
            found[key] = str((folder / value).resolve())
    return found


def _recipe(path: Path, fields: dict[str, Any], seeds: int) -> Recipe:
    """seeds: added to the seed, so that stages draw other clips."""
    clips, clicks = fields.pop("clips", {}), fields.pop("clicks", {})
    _check_keys(path, Recipe, fields, "")
    _check_keys(path, ClipOptions, clips, "clips.")
    _check_keys(path, ClickPlan, clicks, "clicks.")
    for name, kind in (("motion", Motion), ("appearance", Appearance)):
        _check_keys(path, kind, clips.get(name, {}), f"clips.{name}.")
    try:
        fields["seed"] = fields.get("seed", 0) + seeds
        clips = _options(clips)
        return Recipe(**({"name": path.stem} | _tuples(fields)), clips=clips, clicks=ClickPlan(**clicks))
    except (TypeError, ValueError, ArithmeticError) as error:  # a value of the wrong kind
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"recipe {path}: {error}") from None


def _check_keys(path: Path, kind: type, table: Any, above: str) -> None:
    """Raises ConfigError for a table that is none, and for a key that `kind` does not have, with the nearest it has.

    above: what stands before the keys of this table, as in `clips.motion.`."""
    if not isinstance(table, dict):
        raise ConfigError(f"recipe {path}: {above[:-1]} is {table!r}; it must be a table, [{above[:-1]}]")
    known = [field.name for field in dataclasses.fields(kind)]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.5)
            advice = f"did you mean '{near[0]}'?" if near else f"the keys are {', '.join(sorted(known))}"
            raise ConfigError(f"recipe {path}: there is no key '{above}{key}'; {advice}")


def _options(data: dict[str, Any]) -> ClipOptions:
    parts = {
        name: kind(**data[name]) for name, kind in (("motion", Motion), ("appearance", Appearance)) if name in data
    }
    return ClipOptions(**(_tuples(data) | parts))


def _tuples(data: Any) -> Any:
    """Lists, also those in lists, as tuples: what frozen options hold."""
    if isinstance(data, dict):
        return {k: _tuples(v) for k, v in data.items()}
    return tuple(_tuples(v) for v in data) if isinstance(data, list) else data
