"""Masks from clicks: a small decoder on the embedding by which a frame is followed, so that one encoding serves both.

Clicks are a labelled frame with few labels: what lies under them is matched over the frame as the pixels of a reference
are. The discs of the clicks, a box and the mask to begin from go in beside it (RITM, Sofiiuk et al. 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.config import ClickConfig
from camn.model.frames import Embedding
from camn.model.layers import ConvNorm, resize, single
from camn.model.matching import FAR, similarity_map
from camn.model.pyramid import FeaturePyramidAttention

PLANES = 8  # discs for and against, box, mask; whether there is a box, a mask; nearness to clicks for and against
REACH = 512  # pixels at work size; farther from a click than that, all is equally far


@dataclass(frozen=True)
class Prompts:
    """What B frames of (H, W) pixels are asked about, one object in each.

    points (B, K, 2): row and column of clicks, in pixels; they may lie outside of the frame. signs (B, K): 1 for the
    object, -1 against it, 0 for no click. box (B, 1, H, W): 1 within, zeros where there is none. mask (B, 1, H, W) in
    0..1: to begin from, zeros where there is none.
    """

    points: Tensor
    signs: Tensor
    box: Tensor
    mask: Tensor

    @property
    def size(self) -> torch.Size:
        return self.mask.shape[-2:]

    def planes(self, stride: int, radius: float) -> Tensor:
        """(B, PLANES, h, w) in 0..1 at a stride of sides 16 k + 1. Discs hold every place that a click touches; box and
        mask are means over it."""
        window = stride + 1
        given = torch.cat([self.box, self.mask], 1)
        small = F.avg_pool2d(given, window, stride, stride // 2, count_include_pad=False)
        there = (given.amax((2, 3), keepdim=True) > 0).expand_as(small)
        distance = self._distance(small.shape[-2:], stride)  # to the nearest click for and against, (B, 2, h, w)
        discs, nearness = distance <= radius + stride / 2, _nearness(distance, radius)
        return torch.cat([plane.to(self.mask.dtype) for plane in (discs, small, there, nearness)], 1)

    def _distance(self, size: Sequence[int], stride: int) -> Tensor:
        height, width = size
        rows = stride * torch.arange(height, device=self.mask.device).view(-1, 1) - self.points[..., :1, None]
        columns = stride * torch.arange(width, device=self.mask.device) - self.points[..., 1:, None]
        squared = rows**2 + columns**2  # (B, K, h, w)
        sides = [(self.signs == sign)[..., None, None] for sign in (1, -1)]
        return torch.stack([torch.where(side, squared, torch.inf).amin(1) for side in sides], 1).sqrt()


def _nearness(distance: Tensor, radius: float) -> Tensor:
    """1 at a click, falling with the logarithm of the distance to 0 at `REACH`: so that what looks like the clicked
    place is told from it however far away it is."""
    return (1 - torch.log1p(distance / radius) / math.log1p(REACH / radius)).clamp(min=0)


class ClickNetwork(nn.Module):
    """Frames' embeddings and `Prompts` -> masks. What it is to answer for several frames it answers at once."""

    def __init__(self, config: ClickConfig):
        super().__init__()
        self.config = config
        coarse, middle, fine, finest = config.widths
        answers = 1 + config.candidates
        self.bias = nn.Parameter(torch.zeros(2, 2))  # of what lies under clicks, for and against, at each scale
        self.mask_bias = nn.Parameter(torch.zeros(2))
        self.coarse = nn.Sequential(
            ConvNorm(config.maps[1] + PLANES + 4, coarse, 3), _Residual(coarse, 1), _Residual(coarse, 2)
        )
        self.wide = FeaturePyramidAttention(coarse, coarse)
        self.middle = nn.Sequential(ConvNorm(coarse + config.maps[0] + PLANES + 2, middle, 3), _Residual(middle, 1))
        self.down = nn.Conv2d(middle, fine, 1)
        self.fine = nn.Sequential(ConvNorm(fine + config.low[0] + PLANES, fine, 3), ConvNorm(fine, fine, 3))
        self.answer = nn.Conv2d(fine, answers, 1)
        self.last = nn.Conv2d(fine, finest, 1)
        self.edges = nn.Sequential(
            nn.Conv2d(finest + config.low[1] + PLANES + answers, finest, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(finest, answers, 3, padding=1),
        )
        self.score = nn.Sequential(nn.Linear(2 * fine + 3, 64), nn.ReLU(), nn.Linear(64, 1))
        nn.init.zeros_(self.edges[-1].weight)  # type: ignore[arg-type], a convolution
        nn.init.zeros_(self.edges[-1].bias)  # type: ignore[arg-type]

    def forward(self, seen: Embedding, prompts: Prompts) -> tuple[Tensor, Tensor]:
        """-> logits (B, 1 + candidates, h, w) at stride 2 and, for each, the IoU (0..1) that it is thought to have,
        (B, 1 + candidates). The first answers whatever is asked; the others are candidates for a first click, each
        another reading of it."""
        by_stride = {stride: prompts.planes(stride, self.config.radius) for stride in (2, 4, 8, 16)}
        clicked = [self._clicked(seen.keys[i], prompts, i) for i in range(2)]
        x = torch.cat([seen.maps[1], by_stride[16], clicked[1], self._like_mask(seen.keys[1], by_stride[16])], 1)
        x = self.coarse(x)
        x = x + self.wide(x)
        x = self.middle(torch.cat([resize(x, seen.maps[0].shape[-2:]), seen.maps[0], by_stride[8], clicked[0]], 1))
        low, stem = seen.low
        x = self.fine(torch.cat([resize(self.down(x), low.shape[-2:]), low, by_stride[4]], 1))
        coarse = self.answer(x)
        large = resize(torch.cat([self.last(x), coarse], 1), stem.shape[-2:])
        logits = large[:, -coarse.shape[1] :] + self.edges(torch.cat([large, stem, by_stride[2]], 1))
        return logits, self._scores(x, coarse)

    def _clicked(self, keys: Tensor, prompts: Prompts, scale: int) -> Tensor:
        """keys (B, C, h, w) -> (B, 2, h, w): how unlike each pixel is to what lies under the clicks for and against."""
        stride = (8, 16)[scale]
        size = torch.tensor(keys.shape[-2:], device=keys.device)
        cells = (prompts.points / stride).round().long()
        inside = ((cells >= 0) & (cells < size)).all(2)
        cells = torch.minimum(cells.clamp(min=0), size - 1)
        flat = keys.flatten(2)
        at = (cells[..., 0] * keys.shape[-1] + cells[..., 1])[:, None].expand(-1, keys.shape[1], -1)
        sides = [(prompts.signs == sign) & inside for sign in (1, -1)]
        return _unlike(keys, flat.gather(2, at), sides, self.bias[scale])

    def _like_mask(self, keys: Tensor, planes: Tensor) -> Tensor:
        """The same of what the mask to begin from shows and leaves; ones where there is none."""
        mask, there = planes[:, 3].flatten(1), planes[:, 5].flatten(1) > 0
        sides = [there & own for own in (mask >= 0.5, mask < 0.5)]
        return _unlike(keys, keys.flatten(2), sides, self.mask_bias)

    def _scores(self, x: Tensor, logits: Tensor) -> Tensor:
        """By what each answer covers, what it leaves, how sharp it is, and how large."""
        p = single(logits.detach()).sigmoid()
        features = single(x.detach()).flatten(2)
        inside, outside = p.flatten(2), 1 - p.flatten(2)
        means = [(w @ features.transpose(1, 2)) / w.sum(2, keepdim=True).clamp(min=1) for w in (inside, outside)]
        blur = (p * (1 - p)).flatten(2).sum(2, keepdim=True)
        size = inside.sum(2, keepdim=True)
        how = [blur / size.clamp(min=1), size.clamp(min=1).log() / 10, p.flatten(2).amax(2, keepdim=True)]
        return self.score(torch.cat([*means, *how], 2))[..., 0].sigmoid()

    def backbone_part(self, name: str) -> str:
        """It has none of its own."""
        return ""


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.first = ConvNorm(width, width, 3, dilation=dilation)
        self.second = ConvNorm(width, width, 3, activation=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


def _unlike(keys: Tensor, samples: Tensor, sides: Sequence[Tensor], bias: Tensor) -> Tensor:
    """How unlike each pixel is to the most similar sample of each side; never in half precision.

    keys (B, C, h, w), samples (B, C, K), of which each side takes some, (B, K) bool; bias (S,) -> (B, S, h, w)."""
    with torch.autocast(keys.device.type, enabled=False):
        flat, samples = single(keys).flatten(2), single(samples)
        products = torch.baddbmm(samples.pow(2).sum(1)[:, None], flat.transpose(1, 2), samples, alpha=-2)
        norms = flat.pow(2).sum(1)
        least = [torch.where(own[:, None], products, FAR).amin(2) + norms for own in sides]  # squared distances
    maps = [one.clamp(min=0).unflatten(1, keys.shape[-2:]) for one in least]
    return torch.stack([similarity_map(m, b.expand(len(m))) for m, b in zip(maps, bias, strict=True)], 1)


def best_first(scores: Tensor) -> list[int]:
    """The candidates' places among one frame's answers, whose scores are (1 + candidates,), in falling order."""
    return [1 + int(i) for i in scores[1:].argsort(descending=True)]
