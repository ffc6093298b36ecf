"""The light ensemble network (CAMN): joins the answers of several networks, pixel by pixel, object by object."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.config import FusionConfig
from camn.model.layers import area

EPSILON = 1e-6


class Fusion(nn.Module):
    """For each object, from what all members say of it and a low-level feature of the frame: a weight of each member at
    each pixel, and a residual in log-odds. Shared over objects, so any number of these will do.

    It works at half of the maps' size. Untrained it answers with the members' mean.
    """

    def __init__(self, config: FusionConfig):
        super().__init__()
        self.config = config
        members, width = len(config.members), config.width
        self.image = nn.Sequential(
            nn.Conv2d(3, config.image, 3, 2, 1), nn.ReLU(), nn.Conv2d(config.image, config.image, 3, 1, 1), nn.ReLU()
        )
        # An object's maps, how far members disagree, and what is likelier beside it.
        self.enter = nn.Conv2d(2 * members + 1 + config.image, width, 3, 1, 1)
        self.near = nn.Conv2d(width, width, 3, 1, 2, dilation=2)
        self.wide = nn.Conv2d(width, width, 3, 1, 4, dilation=4)
        self.leave = nn.Conv2d(width, members + 1, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        """image (3, h, w) RGB in 0..1, maps (M, N+1, h, w): each member's probabilities, channel 0 the background
        -> (N+1, h, w), which sum to 1 over channels."""
        size = maps.shape[-2:]
        objects = maps[:, 1:].transpose(0, 1)  # (N, M, h, w)
        if not len(objects):
            return maps.mean(0)
        x = self._features(image, maps[:, :1].transpose(0, 1), objects)
        given = F.interpolate(self.leave(x), size, mode="bilinear", align_corners=False)
        share, residual = given[:, :-1].softmax(1), given[:, -1]
        joined = (share * objects).sum(1)
        background = (1 - joined.sum(0, keepdim=True)).clamp(min=0)
        logits = torch.cat([background, joined]).clamp(min=EPSILON).log()
        return torch.cat([logits[:1], logits[1:] + residual]).softmax(0)

    def _features(self, image: Tensor, background: Tensor, objects: Tensor) -> Tensor:
        """-> (N, width, h / 2, w / 2)."""
        seen = self.image((image[None] - 0.5) / 0.5)
        half = seen.shape[-2:]
        small, behind = (area(m, half) for m in (objects, background))
        others = 1 - behind - small  # what each member gives to all other objects
        spread = small.amax(1, keepdim=True) - small.amin(1, keepdim=True)
        x = torch.cat([small, others, spread, seen.expand(len(objects), -1, -1, -1)], 1)
        x = F.relu(self.enter(x))
        x = x + F.relu(self.near(x))
        return x + F.relu(self.wide(x))
