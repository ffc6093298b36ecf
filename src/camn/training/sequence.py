"""Sequential training: a clip is rolled out as at test time, each prediction the next step's previous mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from camn.masks import IGNORE
from camn.model.interface import Labelled, Network
from camn.model.network import enlarge
from camn.training.losses import bootstrapped_cross_entropy, soft_jaccard_loss


def one_hot(labels: Tensor, objects: int) -> Tensor:
    """labels (H, W) in 0..N or IGNORE -> (N+1, H, W) float; zeros in every channel where ignored."""
    counted = labels != IGNORE
    return (F.one_hot(torch.where(counted, labels, 0).long(), objects + 1).permute(2, 0, 1) * counted).float()


@dataclass(frozen=True)
class Damage:
    """Faults put into previous masks, so that a lost part is found again by its look and not by where it was.

    share: chance that the mask fed to a step is damaged, 0..1. generator: where chance comes from.
    """

    share: float
    generator: torch.Generator

    def draw(self) -> float:
        return float(torch.rand((), generator=self.generator))

    def __call__(self, probabilities: Tensor) -> Tensor:
        """(N+1, H, W) -> the same, or with a box around a random object pixel given to the background, or, in one case
        of four, to that object. The box has 0.3 to 1.2 times the sides of the object's own."""
        if self.draw() >= self.share:
            return probabilities
        channel = 1 + int(self.draw() * (len(probabilities) - 1))
        inside = (probabilities[channel] > 0.5).nonzero()
        if not len(inside):
            return probabilities
        extent = (inside.amax(0) - inside.amin(0) + 1).tolist()
        centre = inside[int(self.draw() * len(inside))].tolist()
        half = [side * (0.15 + 0.45 * self.draw()) for side in extent]
        top, left = (max(0, int(c - h)) for c, h in zip(centre, half))
        box = (slice(None), slice(top, int(centre[0] + half[0]) + 1), slice(left, int(centre[1] + half[1]) + 1))
        owner = channel if self.draw() < 0.25 else 0
        damaged = probabilities.clone()
        damaged[box] = 0
        damaged[owner][box[1:]] = 1
        return damaged


def rollout(
    network: Network,
    frames: Tensor,
    labels: Tensor,
    objects: Sequence[int],
    damages: Sequence[Damage] = (),
    amp: bool = False,
    recent: float = 0.0,
) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Segment frames 1..T-1 of B clips from the true masks of their first frames.

    frames (B, T, 3, H, W) RGB in 0..1, labels (B, T, H, W) in 0..N or IGNORE, objects: N of each clip. Yields for each
    frame the B pairs of logits (N+1, H, W) and labels (H, W) long. Predictions are fed on without gradient; the
    embeddings of earlier frames, in matching and in memory, keep theirs. damages: for each clip (or none at all) what
    is applied to its every previous mask, the first frame's included; that frame stays whole as reference and in
    memory. recent: chance, at each step, that one of the predicted frames before it is matched against beside the
    first, as `matched_frames` has it in use; drawn by the clip's damage. amp: frames are encoded and decoded in
    bfloat16, and matched in single precision, as at test time.
    """
    clips, length = frames.shape[:2]
    size = frames.shape[-2:]
    damages = damages or [Damage(0.0, torch.Generator())] * clips
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=amp):
        embedded = network.encode(frames.flatten(0, 1))
    embedded = embedded.float()
    first = [network.label(embedded[b * length], one_hot(labels[b, 0], objects[b])) for b in range(clips)]
    starts = [damage(one_hot(labels[b, 0], objects[b])) for b, damage in enumerate(damages)]
    previous: list[Labelled] = [network.label(embedded[b * length], start) for b, start in enumerate(starts)]
    entries = [[entry] for entry in network.remember_all(first)] if network.memory is not None else [[]] * clips
    predicted: list[list[Labelled]] = [[] for _ in range(clips)]
    for t in range(1, length):
        references = [[f, *_drawn(predicted[b], recent, damages[b])] for b, f in enumerate(first)]
        matched = [
            network.match(embedded[b * length + t], references[b], previous[b], entries[b]) for b in range(clips)
        ]
        with torch.autocast(frames.device.type, torch.bfloat16, enabled=amp):
            decoded = network.decode(matched)
        logits = [enlarge(x.float(), size) for x in decoded]
        yield [(x, labels[b, t].long()) for b, x in enumerate(logits)]
        if t == length - 1:
            return
        for b, x in enumerate(logits):
            probabilities = x.detach().softmax(0)
            previous[b] = network.label(embedded[b * length + t], damages[b](probabilities))
            predicted[b].append(network.label(embedded[b * length + t], probabilities))
        if network.memory is not None:
            for known, entry in zip(entries, network.remember_all(previous), strict=True):
                known.append(entry)


def _drawn(frames: list[Labelled], share: float, chance: Damage) -> list[Labelled]:
    """One of the frames, or none: drawn only where there may be one, so that without it all other chance is as was."""
    if not frames or not share or chance.draw() >= share:
        return []
    return [frames[int(chance.draw() * len(frames))]]


def clip_loss(steps: Iterator[list[tuple[Tensor, Tensor]]], fraction: float, jaccard: float) -> Tensor:
    """Mean over frames and clips of bootstrapped cross-entropy plus `jaccard` times the soft Jaccard loss."""
    losses = [
        bootstrapped_cross_entropy(logits, labels, fraction) + jaccard * soft_jaccard_loss(logits, labels)
        for pairs in steps
        for logits, labels in pairs
    ]
    return torch.stack(losses).mean()
