"""Losses of clip training: bootstrapped cross-entropy and soft Jaccard, both blind to pixels labelled IGNORE."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from camn.masks import IGNORE


def bootstrapped_cross_entropy(logits: Tensor, labels: Tensor, fraction: float) -> Tensor:
    """Mean cross-entropy of the hardest `fraction` of the labelled pixels (CFBI; Pohlen et al. 2017).

    logits (N+1, H, W), labels (H, W) long in 0..N or IGNORE, fraction in (0, 1] -> scalar; 0 where nothing is labelled.
    """
    losses = F.cross_entropy(logits[None], labels[None], ignore_index=IGNORE, reduction="none").flatten()
    losses = losses[labels.flatten() != IGNORE]
    if len(losses) == 0:
        return logits.sum() * 0
    if fraction >= 1:
        return losses.mean()
    return losses.topk(max(1, round(fraction * len(losses)))).values.mean()


def soft_jaccard_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - mean over the objects of |p y| / |p + y - p y|, p the softmax; objects absent from both count as right.

    logits (N+1, H, W), labels (H, W) long in 0..N or IGNORE -> scalar in 0..1.
    """
    counted = labels != IGNORE
    truth = F.one_hot(torch.where(counted, labels, 0), len(logits)).permute(2, 0, 1)[1:] * counted
    guess = logits.softmax(0)[1:] * counted
    both = (truth * guess).sum((1, 2))
    either = (truth + guess - truth * guess).sum((1, 2))
    # One pixel in numerator and denominator: an object that has left is right when nothing is claimed for it.
    return 1 - ((both + 1) / (either + 1)).mean()


def hard_fraction(step: int, total: int, first: float, last: float, share: float = 0.5) -> float:
    """Fraction of hard pixels at a step: falls linearly from `first` to `last` over `share` of the training."""
    return first + (last - first) * min(1.0, step / max(1.0, share * total))
