"""Sequential training: a clip is rolled out as at test time, each prediction the next step's previous mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from camn.model.network import Camn, Labelled, enlarge
from camn.training.losses import IGNORE, bootstrapped_cross_entropy, soft_jaccard_loss


def one_hot(labels: Tensor, objects: int) -> Tensor:
    """labels (H, W) in 0..N or IGNORE -> (N+1, H, W) float; zeros in every channel where ignored."""
    counted = labels != IGNORE
    return (F.one_hot(torch.where(counted, labels, 0).long(), objects + 1).permute(2, 0, 1) * counted).float()


def rollout(
    network: Camn, frames: Tensor, labels: Tensor, objects: Sequence[int]
) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Segment frames 1..T-1 of B clips from the true masks of their first frames.

    frames (B, T, 3, H, W) RGB in 0..1, labels (B, T, H, W) in 0..N or IGNORE, objects: N of each clip. Yields for each
    frame the B pairs of logits (N+1, H, W) and labels (H, W) long. Predictions are fed on without gradient; the
    embeddings of earlier frames, in matching and in memory, keep theirs.
    """
    clips, length = frames.shape[:2]
    size = frames.shape[-2:]
    embedded = network.encode(frames.flatten(0, 1))
    first = [network.label(embedded[b * length], one_hot(labels[b, 0], objects[b])) for b in range(clips)]
    previous: list[Labelled] = list(first)
    entries = [[network.remember(f)] if network.memory is not None else [] for f in first]
    for t in range(1, length):
        matched = [network.match(embedded[b * length + t], [first[b]], previous[b], entries[b]) for b in range(clips)]
        logits = [enlarge(x, size) for x in network.decode(matched)]
        yield [(x, labels[b, t].long()) for b, x in enumerate(logits)]
        if t == length - 1:
            return
        for b, x in enumerate(logits):
            previous[b] = network.label(embedded[b * length + t], x.detach().softmax(0))
            if network.memory is not None:
                entries[b].append(network.remember(previous[b]))


def clip_loss(steps: Iterator[list[tuple[Tensor, Tensor]]], fraction: float, jaccard: float) -> Tensor:
    """Mean over frames and clips of bootstrapped cross-entropy plus `jaccard` times the soft Jaccard loss."""
    losses = [
        bootstrapped_cross_entropy(logits, labels, fraction) + jaccard * soft_jaccard_loss(logits, labels)
        for pairs in steps
        for logits, labels in pairs
    ]
    return torch.stack(losses).mean()
