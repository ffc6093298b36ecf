"""Configuration of the network that joins the members of an ensemble. Checked when made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from camn.errors import ConfigError, words_of


@dataclass(frozen=True)
class FusionConfig:
    """members: names of the networks whose answers are joined, in their order. width: of its layers. image: channels
    of what it sees of the frame."""

    members: tuple[str, ...]
    width: int = 24
    image: int = 8

    def __post_init__(self):
        if not all(isinstance(name, str) for name in self.members):
            raise ConfigError(f"members of a fusion network are names, not {self.members}")
        if len(self.members) < 2:
            raise ConfigError("a fusion network joins two members or more")
        if min(self.width, self.image) < 1:
            raise ConfigError(f"{self}: widths must be 1 or more")

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and scalars: what weights files carry."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FusionConfig:
        """The inverse of `as_dict`, also after JSON. Raises ConfigError if it is not understood."""
        try:
            fields: dict[str, Any] = dict(data) | {"members": tuple(data["members"])}
            return cls(**fields)
        except ConfigError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"fusion configuration not understood: {words_of(error)}") from None
