"""Training recipes: TOML files that say everything a run depends on, so that the same file gives the same weights."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from camn.config import BACKBONES, preset
from camn.data.clips import Appearance, ClipOptions, Motion
from camn.errors import ConfigError


@dataclass(frozen=True)
class Recipe:
    """model: a preset. davis, stills: folders of training data (either may be empty). split: list of DAVIS sequences.

    start: weights to start from, or empty: a file, or the name of a backbone whose weights a package carries. frozen:
    leading parameters (by name prefix) that are not trained; backbone_rate: learning rate of the backbone over that of
    the rest. steps: the learning rate falls to zero over them (poly). hard: fraction of hardest pixels in the loss at
    first and at last. jaccard: weight of that loss. damage: share of previous masks that are damaged, see `Damage`.
    """

    name: str
    model: str = "camn-mobile"
    davis: str = ""
    davis_year: str = "2016"
    split: str = "train"
    stills: str = ""
    start: str = ""
    frozen: tuple[str, ...] = ()
    seed: int = 0
    steps: int = 2000
    batch: int = 4
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
    workers: int = 1
    save_every: int = 100
    clips: ClipOptions = field(default_factory=ClipOptions)

    def __post_init__(self):
        preset(self.model)
        if not (self.davis or self.stills):
            raise ConfigError(f"recipe {self.name}: names no data; set davis, stills, or both")
        self._check_ranges()
        if len(self.clips.size) != 2 or any(s % 16 != 1 for s in self.clips.size):
            raise ConfigError(f"recipe {self.name}: clip size {self.clips.size}; sides must be 16 k + 1, such as 225")
        if self.clips.frames < 2:
            raise ConfigError(f"recipe {self.name}: clips of {self.clips.frames} frames; sequences need 2 or more")

    def _check_ranges(self) -> None:
        """Comparisons are written so that NaN fails them, too."""
        rules = (
            (("steps", "batch", "save_every"), "1 or more", lambda v: v >= 1),
            (("seed", "warm_up", "workers"), "0 or more", lambda v: v >= 0),
            (("rate", "clip_norm"), "a finite number over 0", lambda v: 0 < v < math.inf),
            (("backbone_rate", "power", "weight_decay", "jaccard"), "finite, 0 or more", lambda v: 0 <= v < math.inf),
            (("ema",), "at least 0 and less than 1", lambda v: 0 <= v < 1),
            (("damage",), "in 0..1", lambda v: 0 <= v <= 1),
            (("hard",), "two fractions over 0 and up to 1", lambda v: len(v) == 2 and all(0 < x <= 1 for x in v)),
        )
        for names, said, good in rules:
            for name in names:
                if not good(value := getattr(self, name)):
                    raise ConfigError(f"recipe {self.name}: {name} is {value}; it must be {said}")

    def rate_at(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then poly decay (Chen et al. 2018)."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        return self.rate * max(0.0, 1 - step / self.steps) ** self.power

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def load_recipe(path: str | Path, **overrides: Any) -> Recipe:
    """A recipe from a TOML file; paths in it that are relative are taken from the file's folder."""
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"recipe {path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"recipe {path}: not valid TOML: {error}") from None
    for key in ("davis", "stills", "start"):
        if data.get(key) and data[key] not in BACKBONES:  # a start may be a backbone's name
            data[key] = str((path.parent / data[key]).resolve())
    data.update(overrides)
    clips = data.pop("clips", {})
    try:
        return Recipe(**({"name": path.stem} | _tuples(data)), clips=_options(clips))
    except (TypeError, ValueError) as error:  # an unknown key, or a value of the wrong kind
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"recipe {path}: {error}") from None


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
