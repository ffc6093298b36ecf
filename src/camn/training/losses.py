"""Losses of clip training: bootstrapped cross-entropy and soft Jaccard, both blind to pixels labelled IGNORE."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from camn.masks import IGNORE


def bootstrapped_cross_entropy(logits: Tensor, labels: Tensor, fraction: float) -> Tensor:
    """Mean cross-entropy of the hardest `fraction` of the labelled pixels (CFBI; Pohlen et al. 2017).

    logits (B, N+1, H, W), labels (B, H, W) long in 0..N or IGNORE, fraction in (0, 1] -> (B,); 0 where nothing is
    labelled.
    """
    losses = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none").flatten(1)
    counted = labels.flatten(1) != IGNORE
    total = counted.sum(1, keepdim=True)
    if fraction >= 1:
        return losses.sum(1) / total[:, 0].clamp(min=1)
    # How many are hard is each clip's own affair; as many as may be are found, and those beyond it count as none.
    most = max(1, round(fraction * losses.shape[1]))
    hard = (fraction * total).round().clamp(min=1)
    found = losses.topk(most, 1).values
    chosen = torch.arange(most, device=losses.device) < hard
    return torch.where(chosen, found, 0).sum(1) / hard[:, 0]


def soft_jaccard_loss(logits: Tensor, labels: Tensor, present: Tensor | None = None) -> Tensor:
    """1 - mean over the objects of |p y| / |p + y - p y|, p the softmax; objects absent from both count as right.

    logits (B, N+1, H, W), labels (B, H, W) long in 0..N or IGNORE -> (B,) in 0..1. present (B, N) bool: which of the
    channels are objects at all, and count; None for all.
    """
    channels = torch.arange(1, logits.shape[1], device=logits.device).view(-1, 1, 1)
    truth, counted = labels[:, None] == channels, (labels != IGNORE)[:, None]
    guess = logits.softmax(1)[:, 1:] * counted
    both = (truth * guess).sum((2, 3))
    either = (truth + guess - truth * guess).sum((2, 3))
    # One pixel in numerator and denominator: an object that has left is right when nothing is claimed for it.
    ratios = (both + 1) / (either + 1)
    if present is None:
        return 1 - ratios.mean(1)
    return 1 - (ratios * present).sum(1) / present.sum(1)


def hard_fraction(step: int, total: int, first: float, last: float, share: float = 0.5) -> float:
    """Fraction of hard pixels at a step: falls linearly from `first` to `last` over `share` of the training."""
    return first + (last - first) * min(1.0, step / max(1.0, share * total))
