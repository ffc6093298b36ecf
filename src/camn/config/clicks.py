"""Configuration of the network that makes a mask from clicks. Checked when made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from camn.errors import ConfigError


@dataclass(frozen=True)
class ClickConfig:
    """encoder: the network whose embedding of a frame it reads. maps, keys: channels of the embedding at strides 8 and
    16, and of its matched parts. low: channels of the backbone's maps at strides 4 and 2. widths: of its own layers at
    strides 16, 8, 4 and 2. candidates: answers to a first click. radius: of a click's disc, in pixels at work size."""

    name: str
    encoder: str = "camn-mobile"
    maps: tuple[int, int] = (64, 96)
    keys: tuple[int, int] = (32, 64)
    low: tuple[int, int] = (16, 16)
    widths: tuple[int, int, int, int] = (96, 64, 32, 16)
    candidates: int = 3
    radius: int = 5
    network: str = "clicks"

    def __post_init__(self):
        if min(*self.maps, *self.keys, *self.low, *self.widths, self.candidates, self.radius) < 1:
            raise ConfigError(f"{self.name}: widths, candidates and radius must be 1 or more")

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and scalars: what weights files carry."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ClickConfig:
        """The inverse of `as_dict`, also after JSON. Raises ConfigError if it is not understood."""
        try:
            fields: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
            }
            return cls(**fields)
        except ConfigError:
            raise
        except (AttributeError, TypeError, ValueError) as error:
            raise ConfigError(f"click configuration not understood: {error}") from None
