"""Configuration of STM. Checked when made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from camn.config.backbones import BACKBONES, normalise_as
from camn.errors import ConfigError, words_of

STM_BACKBONES = ("resnet", *(name for name, backbone in BACKBONES.items() if backbone.spread))


@dataclass(frozen=True)
class StmConfig:
    """Space-time memory network (Oh et al. 2019); what is preset are the published sizes.

    backbone: of both encoders, `resnet` as published. blocks: of the ResNet's stages at strides 4, 8 and 16. planes:
    width of its first stage. Both say nothing of another backbone. mean, std: by which images are normalised; the
    backbone's own unless given.
    key_channels, value_channels: of the memory. width: of the decoder.
    aligned: frames are worked on at sides 16 k + 1, corner pixels of all strides on one another; else they are padded
    to multiples of 16. masked_values: the last two of the memory's value channels are the masks, shrunk; needs
    `aligned`. norms: group norms in the decoder. memory_frames: how many frames it remembers unless told otherwise,
    beside those that always stay; as published it keeps every one, as 40 are on the benchmarks, whose clips end before.
    """

    name: str = "stm-r50"
    blocks: tuple[int, int, int] = (3, 4, 6)
    planes: int = 64
    key_channels: int = 128
    value_channels: int = 512
    width: int = 256
    backbone: str = "resnet"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    aligned: bool = False
    masked_values: bool = False
    norms: bool = False
    memory_frames: int = 40

    def __post_init__(self):
        if len(self.blocks) != 3 or min(self.blocks) < 1:
            raise ConfigError(f"blocks are {self.blocks}: three stages need one block or more each")
        if min(self.planes, self.key_channels, self.value_channels, self.width) < 1:
            raise ConfigError(f"{self}: every width must be 1 or more")
        if self.backbone not in STM_BACKBONES:
            raise ConfigError(f"backbone is {self.backbone!r}: of STM it must be one of {', '.join(STM_BACKBONES)}")
        normalise_as(self, "resnet50" if self.backbone == "resnet" else self.backbone)
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ConfigError(f"mean {self.mean}, std {self.std}: three numbers each, deviations over 0")
        if self.memory_frames < 0:
            raise ConfigError(f"memory_frames is {self.memory_frames}: it must be 0 or more")
        if self.masked_values and not self.aligned:
            raise ConfigError("masked_values needs aligned sizes")

    @property
    def pretrained(self) -> str:
        """The backbone whose ImageNet weights it may start from, one of `camn.config.BACKBONES`; empty for none."""
        if self.backbone == "resnet":
            return "resnet50" if (self.blocks, self.planes) == ((3, 4, 6), 64) else ""
        return self.backbone

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and scalars: what weights files carry. `network` tells them from a `ModelConfig`'s."""
        return {"network": "stm", **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> StmConfig:
        """The inverse of `as_dict`, also after JSON; fields that older files lack are as published. Raises ConfigError
        naming a field that is unknown or missing."""
        try:
            fields: dict[str, Any] = dict(data) | {"blocks": tuple(data["blocks"])}
            fields |= {key: tuple(data[key]) for key in ("mean", "std") if key in data}
            del fields["network"]
            return cls(**fields)
        except ConfigError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"STM configuration not understood: {words_of(error)}") from None
