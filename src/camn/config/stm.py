"""Configuration of STM. Checked when made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from camn.errors import ConfigError


@dataclass(frozen=True)
class StmConfig:
    """Space-time memory network (Oh et al. 2019); what is preset are the published sizes.

    blocks: of the ResNet's stages at strides 4, 8 and 16. planes: width of its first stage. key_channels,
    value_channels: of the memory. width: of the decoder.
    """

    name: str = "stm-r50"
    blocks: tuple[int, int, int] = (3, 4, 6)
    planes: int = 64
    key_channels: int = 128
    value_channels: int = 512
    width: int = 256

    def __post_init__(self):
        if len(self.blocks) != 3 or min(self.blocks) < 1:
            raise ConfigError(f"blocks are {self.blocks}: three stages need one block or more each")
        if min(self.planes, self.key_channels, self.value_channels, self.width) < 1:
            raise ConfigError(f"{self}: every width must be 1 or more")

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and scalars: what weights files carry. `network` tells them from a `ModelConfig`'s."""
        return {"network": "stm", **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> StmConfig:
        """The inverse of `as_dict`, also after JSON. Raises ConfigError naming a field that is unknown or missing."""
        try:
            fields: dict[str, Any] = dict(data) | {"blocks": tuple(data["blocks"])}
            del fields["network"]
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise ConfigError(f"STM configuration not understood: {error}") from None
