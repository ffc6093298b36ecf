"""Options of `fuse` and `ablate`. Light to import: the commands read this for their help."""

from __future__ import annotations

from dataclasses import dataclass

from camn.api.train.rows import ROWS, Row
from camn.config import EnsembleConfig
from camn.config.ensemble import Feedback
from camn.errors import ConfigError

STM = {"camn-mobile": "stm-mobile", "camn-r50": "stm-r50", "camn-r101": "stm-r50"}


@dataclass(frozen=True)
class FuseOptions:
    """What the fusion network is trained on: clips as for training, but longer and with larger gaps, so that members
    begin to fail. They should be clips that no member was trained on: on its own a member errs less than on new ones.
    scales, flip, feedback: the views that members have, and what these go on from, as in use. Raises ConfigError for
    values that cannot be."""

    clips: int = 200  # to run the members on
    frames: int = 6  # of each clip; the first one's masks are given
    size: int = 353  # side of the clips' frames; 16 k + 1
    gap: tuple[int, int] = (2, 10)  # frames of the video from one frame of a clip to the next
    video_share: float = 0.6  # of clips from videos, the others are stills set in motion
    kinds: tuple[str, ...] = ()  # of stills, these folders alone, such as those that no member was trained on
    scales: tuple[float, ...] = (1.0,)  # views of each member, as in use
    flip: bool = False  # and mirrored
    feedback: Feedback = "joint"  # what members go on from: the mean of them all, or their own answers
    steps: int = 1200  # of training
    seed: int = 0

    def __post_init__(self):
        if self.clips < 1 or self.frames < 2 or self.size % 16 != 1:
            raise ConfigError(f"{self}: give clips 1 or more, frames 2 or more, a size 16 k + 1 such as 353")
        if self.steps < 1 or self.seed < 0 or not 0 <= self.video_share <= 1:
            raise ConfigError(f"{self}: give steps 1 or more, a seed 0 or more, a video_share in 0..1")
        self.ensemble()

    def ensemble(self) -> EnsembleConfig:
        return EnsembleConfig(self.scales, self.flip, feedback=self.feedback)


@dataclass(frozen=True)
class AblateOptions:
    """What is measured, and how. Raises ConfigError for values that cannot be."""

    rows: tuple[str, ...] = ()  # of the table; all if not given
    base: str = "camn-mobile"  # the whole network: camn-mobile, camn-r50 or camn-r101, the paper's width
    seeds: tuple[int, ...] = (1, 2)  # rows of one network are measured for each, the others for the first
    short_side: int = 240  # size the networks work at
    scales: tuple[float, ...] = (1.0, 1.3)  # of flip and multi-scale
    clips: int = 60  # that the fusion network is trained on
    fusion_steps: int = 400  # of its training
    pictures: int = 4  # before and after post-processing

    def __post_init__(self):
        known = [row.name for row in ROWS]
        if unknown := [name for name in self.rows if name not in known]:
            raise ConfigError(f"unknown row {unknown[0]!r}; the rows are {', '.join(known)}")
        if self.base not in STM:
            raise ConfigError(f"unknown base {self.base!r}; choose among {', '.join(STM)}")
        if not self.seeds or min(self.seeds) < 0:
            raise ConfigError("seeds: give one or more, each 0 or more")

    def chosen(self) -> tuple[Row, ...]:
        return tuple(row for row in ROWS if not self.rows or row.name in self.rows)
