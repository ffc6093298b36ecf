"""Collaborative ensembler (CFBI, CFBI+): from an object's matching maps and embeddings to its logits.

All objects of all samples run as one batch. `vector` (M, V) is each object's instance vector, which gates the channels
before every block and makes the final classifier (instance-level attention).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camn.config import DecoderStep
from camn.config import Ensembler as EnsemblerConfig
from camn.model.attention import ChannelTransform, InstanceGate
from camn.model.layers import group_norm
from camn.model.pyramid import FeaturePyramidAttention


class GatedBottleneck(nn.Module):
    """Channel transform, then 1x1, 3x3, 1x1 convolutions with group norm and a shortcut; C_out = 4 x inner width."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1):
        super().__init__()
        inner = outputs // 4
        self.transform = ChannelTransform(inputs)
        self.conv1, self.norm1 = nn.Conv2d(inputs, inner, 1, bias=False), group_norm(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, dilation, dilation, bias=False)
        self.norm2 = group_norm(inner)
        self.conv3, self.norm3 = nn.Conv2d(inner, outputs, 1, bias=False), group_norm(outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), group_norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(self.transform(x))))
        y = F.relu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class GatedBlock(nn.Module):
    """An instance gate and the bottleneck behind it."""

    def __init__(self, vector: int, inputs: int, outputs: int, stride: int = 1, dilation: int = 1):
        super().__init__()
        self.gate = InstanceGate(vector, inputs)
        self.bottleneck = GatedBottleneck(inputs, outputs, stride, dilation)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        return self.bottleneck(self.gate(x, vector))


class GatedStage(nn.Module):
    """Bottlenecks at one stride. The first stage takes its scale's input as it comes; in a later stage the first block
    strides down and the scale's input, where there is one, joins behind it."""

    def __init__(self, vector: int, inputs: int, joins: int, width: int, dilations: Sequence[int], down: bool):
        super().__init__()
        blocks = [GatedBlock(vector, inputs, width, 2 if down else 1, dilations[0])]
        for i, dilation in enumerate(dilations[1:]):
            blocks.append(GatedBlock(vector, width + (joins if i == 0 else 0), width, 1, dilation))
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor, joining: Tensor | None, vector: Tensor) -> Tensor:
        for i, block in enumerate(self.blocks):
            if i == 1 and joining is not None:
                x = torch.cat([x, joining], 1)
            x = block(x, vector)
        return x


class GatedAtrousPyramid(nn.Module):
    """The ensembler's ASPP: channel transforms before every branch, dilations 1, 6, 12, 18, and the map's mean."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        width = outputs // 2
        self.transforms = nn.ModuleList(ChannelTransform(inputs) for _ in range(4))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, width, 1 if d == 1 else 3, padding=0 if d == 1 else d, dilation=d, bias=False)
            for d in (1, 6, 12, 18)
        )
        self.norms = nn.ModuleList(group_norm(width) for _ in range(4))
        self.whole = nn.Conv2d(inputs, width, 1, bias=False)
        self.transform = ChannelTransform(5 * width)
        self.join, self.norm = nn.Conv2d(5 * width, outputs, 1, bias=False), group_norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        branches = zip(self.transforms, self.convolutions, self.norms, strict=True)
        maps = [F.relu(norm(convolution(transform(x)))) for transform, convolution, norm in branches]
        whole = F.relu(self.whole(x.mean((2, 3), keepdim=True))).expand(-1, -1, *x.shape[-2:])
        return F.relu(self.norm(self.join(self.transform(torch.cat([*maps, whole], 1)))))


class DecoderUp(nn.Module):
    """Enlarge to the skip connection's size, join, and convolve.

    The skip holds maps of the objects (M, ...); or of the frames (B, ...), which are brought to their width once for
    all objects: then `sample` (M,) says in which frame each object is.
    """

    def __init__(self, step: DecoderStep, vector: int, inputs: int, skip: int, mode: str):
        super().__init__()
        self.mode = mode
        self.transform = ChannelTransform(skip)
        self.skip = nn.Conv2d(skip, step.skip, 1, bias=False)
        self.skip_norm = group_norm(step.skip, most=step.skip // 4)
        widths = (inputs + step.skip, *step.widths)
        self.gates = nn.ModuleList(InstanceGate(vector, w) for w in widths[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.norms = nn.ModuleList(group_norm(w) for w in widths[1:])

    def forward(self, x: Tensor, skip: Tensor, vector: Tensor, sample: Tensor | None = None) -> Tensor:
        skip = F.relu(self.skip_norm(self.skip(self.transform(skip))))
        if sample is not None:
            skip = skip[sample]
        x = F.interpolate(x, skip.shape[-2:], mode=self.mode, align_corners=True)
        x = torch.cat([x, skip], 1)
        for gate, convolution, norm in zip(self.gates, self.convolutions, self.norms, strict=True):
            x = F.relu(norm(convolution(gate(x, vector))))
        return x


class DynamicClassifier(nn.Module):
    """A 1x1 classifier whose weights and bias are a linear function of the instance vector. -> logits (M, h, w)."""

    def __init__(self, vector: int, channels: int):
        super().__init__()
        self.linear = nn.Linear(vector, channels + 1)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        made = self.linear(vector)
        return torch.einsum("mchw,mc->mhw", x, made[:, :-1]) + made[:, -1, None, None]


class Edges(nn.Module):
    """What stride 4 cannot tell of an object's edge and of thin parts, added to its logits at stride 2.

    It reads the decoder's last map and the backbone's of stride 2, of which the latter passes its layer once for all
    objects. Its classifiers begin at nothing, so that a trained network answers as before until this is trained.
    """

    def __init__(self, vector: int, inputs: int, stem: int, width: int):
        super().__init__()
        self.coarse = nn.Conv2d(inputs, width, 1)
        self.fine = nn.Conv2d(stem, width, 3, padding=1, bias=False)
        self.mixed = nn.Conv2d(width, width, 3, padding=1)
        self.foreground, self.background = DynamicClassifier(vector, width), DynamicClassifier(vector, width)
        for classifier in (self.foreground, self.background):
            nn.init.zeros_(classifier.linear.weight)
            nn.init.zeros_(classifier.linear.bias)

    def forward(
        self, x: Tensor, logits: tuple[Tensor, Tensor], stem: Tensor, vector: Tensor, sample: Tensor
    ) -> tuple[Tensor, Tensor]:
        """x (M, C, h, w), logits (M, h, w) of foreground and background, stem (B, S, H, W) -> both at (M, H, W)."""
        joined = torch.cat([self.coarse(x), torch.stack(logits, 1)], 1)  # bilinear resizing and 1x1 layers commute
        large = F.interpolate(joined, stem.shape[-2:], mode="bilinear", align_corners=True)
        mixed = F.relu(self.mixed(F.relu(large[:, :-2] + self.fine(stem)[sample])))
        foreground = large[:, -2] + self.foreground(mixed, vector)
        return foreground, large[:, -1] + self.background(mixed, vector)


class CollaborativeEnsembler(nn.Module):
    """inputs: channels of each scale's input, finest first. scales: their strides. vector: length of the instance
    vector. low: channels of the backbone's maps of strides 4 and 2."""

    def __init__(
        self,
        config: EnsemblerConfig,
        inputs: Sequence[int],
        scales: Sequence[int],
        vector: int,
        low: tuple[int, int],
    ):
        super().__init__()
        self.config = config
        self.scales = tuple(scales)
        joins = dict(zip(scales, inputs, strict=True))
        stages, width = [], joins[scales[0]]
        for i, stage in enumerate(config.stages):
            joining = joins.get(stage.stride, 0) if i else 0
            stages.append(GatedStage(vector, width, joining, stage.width, stage.dilations, down=i > 0))
            width = stage.width
        self.stages = nn.ModuleList(stages)
        self.high_gate = InstanceGate(vector, width)
        high = FeaturePyramidAttention if config.high_level == "fpa" else GatedAtrousPyramid
        self.high = high(width, config.high_level_width)
        widths = {s.stride: s.width for s in config.stages}
        steps, width = [], config.high_level_width
        for step in config.decoder:
            skip = widths.get(step.stride, 0) + (low[0] if step.stride == 4 else 0)
            steps.append(DecoderUp(step, vector, width, skip, config.upsample))
            width = step.widths[-1]
        self.decoder = nn.ModuleList(steps)
        self.foreground = DynamicClassifier(vector, width)
        self.background = DynamicClassifier(vector, width)
        self.edges = Edges(vector, width, low[1], config.edges) if config.edges else None

    def forward(
        self, inputs: Sequence[Tensor], vector: Tensor, low: Sequence[Tensor], sample: Tensor
    ) -> tuple[Tensor, Tensor]:
        """inputs: (M, C_s, h_s, w_s) of each scale, vector (M, V), low (B, C, h, w) of the frames, of strides 4 and,
        with `edges`, 2; sample (M,) which of the B frames each object is in -> foreground and background logits, each
        (M, h, w) at the last decoder stride, with `edges` at 2.
        """
        joins = dict(zip(self.scales, inputs, strict=True))
        x, kept = inputs[0], {}
        for i, (stage, config) in enumerate(zip(self.stages, self.config.stages, strict=True)):
            x = stage(x, joins.get(config.stride) if i else None, vector)
            kept[config.stride] = x
        x = self.high(self.high_gate(x, vector))
        for up, step in zip(self.decoder, self.config.decoder, strict=True):
            own = kept.get(step.stride)
            if own is None:  # the configuration lets only stride 4 be without a stage
                x = up(x, low[0], vector, sample)
            else:
                x = up(x, torch.cat([low[0][sample], own], 1) if step.stride == 4 else own, vector)
        foreground, background = self.foreground(x, vector), self.background(x, vector)
        if self.edges is None:
            return foreground, background
        return self.edges(x, (foreground, background), low[1], vector, sample)


def join_background(foreground: Tensor, background: Tensor, own_channel: bool) -> Tensor:
    """One frame's logits with the background's augmented by what all objects leave to it (CFBI, section 3.5).

    own_channel: entry 0 of (N+1, h, w) is the background itself, and the minimum over the objects of their background
    logits is added to it; else (N, h, w) are objects only and that minimum is all there is. -> (N+1, h, w).
    """
    if not own_channel:
        return torch.cat([background.amin(0, keepdim=True), foreground])
    if len(foreground) == 1:
        return foreground
    augmented = foreground[:1] + background[1:].amin(0, keepdim=True)
    return torch.cat([augmented, foreground[1:]])
