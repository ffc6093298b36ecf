"""How several networks, or several views of one, are run side by side. Checked when made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from camn.errors import ConfigError

Feedback = Literal["joint", "own"]
PAPER_SCALES = (1.0, 1.15, 1.3, 1.5)  # CFBI's


@dataclass(frozen=True)
class EnsembleConfig:
    """scales, flip: the views that each network has, every scale also mirrored if `flip`; their probabilities are
    averaged. weights: of the networks in the mean over them, all alike if empty. feedback: what each view has for its
    previous mask: the `joint` answer, as CFBI, or its `own`.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    weights: tuple[float, ...] = ()
    feedback: Feedback = "joint"

    def __post_init__(self):
        if not self.scales or not all(0.2 <= scale <= 4 for scale in self.scales):
            raise ConfigError(f"scales {_listed(self.scales)}: give one or more numbers from 0.2 to 4, such as 1 1.3")
        if len(set(self.scales)) < len(self.scales):
            raise ConfigError(f"scales {_listed(self.scales)}: each may be given once")
        if not all(0 <= weight < float("inf") for weight in self.weights) or (self.weights and not sum(self.weights)):
            raise ConfigError(f"weights {_listed(self.weights)}: they must be finite, 0 or more, and not all 0")
        if self.feedback not in get_args(Feedback):
            raise ConfigError(f"feedback is {self.feedback!r}: it must be one of {', '.join(get_args(Feedback))}")

    def cost(self, members: int = 1) -> float:
        """About how many times the work of one network at scale 1: pixels, added up over all views and networks."""
        return members * (2 if self.flip else 1) * sum(scale**2 for scale in self.scales)


def _listed(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values) or "none"
