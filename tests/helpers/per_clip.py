"""The slow twin of `camn.training.sequence`: clip after clip, object after object, as inference on a CPU does it."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from camn.masks import IGNORE
from camn.model.network import enlarge


def one_hot(labels, objects):
    counted = labels != IGNORE
    return (F.one_hot(torch.where(counted, labels, 0).long(), objects + 1).permute(2, 0, 1) * counted).float()


def damaged(probabilities, chance, share):
    """(N+1, H, W), chance: six numbers in 0..1."""
    take, which, pixel, tall, wide, owner = (np.float32(x) for x in chance)
    if take >= np.float32(share):
        return probabilities
    objects = len(probabilities) - 1
    channel = 1 + min(int(which * np.float32(objects)), objects - 1)
    inside = (probabilities[channel] > 0.5).nonzero()
    if not len(inside):
        return probabilities
    extent = (inside.amax(0) - inside.amin(0) + 1).tolist()
    centre = inside[min(int(pixel * np.float32(len(inside))), len(inside) - 1)].tolist()
    half = [side * (np.float32(0.15) + np.float32(0.45) * u) for side, u in zip(extent, (tall, wide), strict=True)]
    top, left = (max(0, int(c - h)) for c, h in zip(centre, half, strict=True))
    box = (slice(top, int(centre[0] + half[0]) + 1), slice(left, int(centre[1] + half[1]) + 1))
    made = probabilities.clone()
    made[(slice(None), *box)] = 0
    made[(channel if owner < np.float32(0.25) else 0, *box)] = 1
    return made


def rollout(network, frames, labels, objects, chance, plan):
    """One clip: frames (T, 3, H, W), labels (T, H, W), chance (T, DRAWS) -> logits (N+1, H, W) of each frame with a
    loss."""
    size, dtype = frames.shape[-2:], frames.dtype
    start, truth = network.encode(frames[:1])[0], one_hot(labels[0], objects).to(dtype)
    first, previous = network.label(start, truth), network.label(start, damaged(truth, chance[0, 2:8], plan.damage))
    entries = [network.remember(first)] if network.memory is not None else []
    predicted, answers, last = [], [], start
    for t in range(1, len(frames)):
        with torch.set_grad_enabled(torch.is_grad_enabled() and t > plan.lead):
            embedding = network.encode(frames[t : t + 1])[0]
            forgets = chance[t, 8] < np.float32(plan.forget)
            references = [network.label(start, truth * (not forgets))]  # anew: what it keeps may have no gradient
            before = previous
            if chance[t, 8] < np.float32(plan.forget / 2):
                before = network.label(last, torch.zeros_like(truth))
            if predicted and chance[t, 0] < np.float32(plan.recent):
                among = len(predicted)
                frame, masks = predicted[min(int(chance[t, 1] * np.float32(among)), among - 1)]
                references.append(network.label(frame, masks * (not forgets)))
            logits = enlarge(network.decode([network.match(embedding, references, before, entries)])[0], size)
            if t > plan.lead:
                answers.append(logits)
            probabilities = logits.detach().softmax(0)
            predicted.append((embedding, probabilities))
            last = embedding
            previous = network.label(embedding, damaged(probabilities, chance[t, 2:8], plan.damage))
            if network.memory is not None:
                entries.append(network.remember(previous))
    return answers


def cross_entropy(logits, labels, fraction):
    losses = F.cross_entropy(logits[None], labels[None].long(), ignore_index=IGNORE, reduction="none").flatten()
    losses = losses[labels.flatten() != IGNORE]
    if len(losses) == 0:
        return logits.sum() * 0
    return losses.topk(max(1, round(fraction * len(losses)))).values.mean()


def jaccard(logits, labels):
    counted = labels != IGNORE
    truth = one_hot(labels, len(logits) - 1)[1:]
    guess = logits.softmax(0)[1:] * counted
    both = (truth * guess).sum((1, 2))
    either = (truth + guess - truth * guess).sum((1, 2))
    return 1 - ((both + 1) / (either + 1)).mean()


def loss(network, frames, labels, objects, chance, plan, fraction, weight):
    """What `clip_loss` of all clips is."""
    found = []
    for b, count in enumerate(objects):
        answers = rollout(network, frames[b], labels[b], count, chance[b], plan)
        for logits, truth in zip(answers, labels[b, 1 + plan.lead :], strict=True):
            found.append(cross_entropy(logits, truth, fraction) + weight * jaccard(logits, truth))
    return torch.stack(found).mean()
