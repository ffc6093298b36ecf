"""Sequential training: clips are rolled out as at test time, each prediction the next step's previous mask.

All clips of a batch go through a step at once, see `camn.model.batched`, and no value is read from the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from camn.model.batched import Labelled, batched
from camn.model.dense import TILE
from camn.model.interface import Network
from camn.model.network import enlarge
from camn.model.slots import Slots, upload
from camn.training.losses import bootstrapped_cross_entropy, soft_jaccard_loss

LARGE_TILE = 1 << 21  # on devices whose calls cost more than what they hold
DRAWS = 9  # numbers that each frame of a clip takes: two for what it is matched against, then:
DAMAGE, FORGET = slice(2, 8), 8


@dataclass(frozen=True)
class Rollout:
    """How clips are followed in training.

    damage: chance that the mask fed to a step is damaged, see `damaged`. recent: chance, at each step, that one of the
    predicted frames before it is matched against beside the first, as `matched_frames` has it in use. forget: chance,
    at each step, that nothing is matched against but the frame before it, and half of that chance that this has no
    masks either: what the network then knows of the objects is what its memory tells it. lead: frames after the first
    that are followed without gradient and without loss, so that what comes after them begins from masks that have
    drifted. amp: frames are encoded and decoded in bfloat16, and matched in single precision, as in use.
    """

    damage: float = 0.0
    recent: float = 0.0
    forget: float = 0.0
    lead: int = 0
    amp: bool = False


@dataclass(frozen=True)
class Step:
    """One frame of each clip: logits (B, N+1, H, W), labels (B, H, W) long in 0..N or IGNORE; `present` (B, N) bool
    says which of the N channels are a clip's objects."""

    logits: Tensor
    labels: Tensor
    present: Tensor


def one_hot(labels: Tensor, objects: int) -> Tensor:
    """labels (..., H, W) in 0..N or IGNORE -> (..., N+1, H, W) float; zeros in every channel where ignored."""
    channels = torch.arange(objects + 1, device=labels.device).view(-1, 1, 1)
    return (labels.unsqueeze(-3) == channels).float()


def draws(seeds: Sequence[int], length: int) -> np.ndarray:
    """What chance decides in clips of so many frames, (B, T, DRAWS) float32 in 0..1: each clip's by its own seed, the
    same whatever else is in the batch."""

    def drawn(seed: int) -> np.ndarray:
        chance = np.random.default_rng(seed)  # the last number comes behind all others, which were there before it
        return np.concatenate([chance.random((length, n), np.float32) for n in (DRAWS - 1, 1)], 1)

    return np.stack([drawn(seed) for seed in seeds])


def damaged(probabilities: Tensor, chance: Tensor, share: float, slots: Slots) -> Tensor:
    """Masks with faults, so that a lost part is found again by its look and not by where it was.

    (B, N+1, H, W) -> the same, where chance takes a clip with a box around a random object pixel given to the
    background, or, in one case of four, to that object. The box has 0.3 to 1.2 times the sides of the object's own.
    chance (B, 6) in 0..1: whether, of which object, about which of its pixels, half the height, half the width, to
    whom. share: how many clips are damaged, 0..1.
    """
    if not share:
        return probabilities
    take, which, pixel, tall, wide, owner = chance.unbind(1)
    count = slots.present.sum(1)
    channel = 1 + torch.minimum((which * count).long(), count - 1)
    inside = probabilities.gather(1, channel.view(-1, 1, 1, 1).expand(-1, 1, *probabilities.shape[2:]))[:, 0] > 0.5
    rank = inside.flatten(1).cumsum(1)
    total = rank[:, -1]
    # Of the object's pixels, row by row, the one that so many come before.
    before = torch.minimum((pixel * total).long(), total - 1)
    at = (rank <= before[:, None]).sum(1)
    width = inside.shape[2]
    centres = torch.div(at, width, rounding_mode="floor"), at % width
    within = []
    for centre, half, axis in zip(centres, (tall, wide), (2, 1), strict=True):
        line = inside.any(axis)
        places = torch.arange(line.shape[1], device=line.device)
        extent = torch.where(line, places, -1).amax(1) - torch.where(line, places, len(places)).amin(1) + 1
        reach = extent * (0.15 + 0.45 * half)
        first, last = (centre - reach).clamp(min=0).floor(), (centre + reach).floor()
        within.append((places >= first[:, None]) & (places <= last[:, None]))
    box = within[0][:, :, None] & within[1][:, None] & ((take < share) & (total > 0)).view(-1, 1, 1)
    channels = torch.arange(probabilities.shape[1], device=box.device)
    given = channels == torch.where(owner < 0.25, channel, 0)[:, None]
    return torch.where(box[:, None], given[..., None, None].to(probabilities.dtype), probabilities)


def rollout(
    network: Network,
    frames: Tensor,
    labels: Tensor,
    objects: Sequence[int],
    chance: np.ndarray | None = None,
    plan: Rollout = Rollout(),  # noqa: B008, it is frozen
) -> Iterator[Step]:
    """Segment frames 1..T-1 of B clips from the true masks of their first frames; the first `lead` are not yielded.

    frames (B, T, 3, H, W) RGB in 0..1, labels (B, T, H, W) in 0..N or IGNORE, objects: N of each clip. chance: `draws`,
    which only a plan without any chance can do without. Predictions are fed on without gradient; the embeddings of
    earlier frames, in matching and in memory, keep theirs. Damage is done to every previous mask, the first frame's
    included; that frame stays whole as reference and in memory.
    """
    clips, length = frames.shape[:2]
    slots = Slots.of(objects, frames.device)
    net = batched(network, slots, TILE if frames.device.type == "cpu" else LARGE_TILE)
    chance = np.ones((clips, length, DRAWS), np.float32) if chance is None else chance
    taken, rows = _recent(chance, plan)
    put, at, known = (upload(torch.from_numpy(x), frames.device) for x in (chance, rows, taken.astype(np.float32)))
    flat, embedded = _encoded(network, frames, plan)
    truth = one_hot(labels[:, 0], slots.most).to(frames.dtype)
    first = net.label(embedded[0], truth)
    previous = net.label(embedded[0], damaged(truth, put[:, 0, DAMAGE], plan.damage, slots))
    entries, masks = [net.remember(first)], [first.masks]
    for t in range(1, length):
        with torch.set_grad_enabled(torch.is_grad_enabled() and t > plan.lead):
            recent = [_rows(flat, masks, at[t], known[t])] if taken[t].any() else []
            seen = _remaining(first, recent, previous, chance[:, t, FORGET], put[:, t, FORGET], plan)
            matched = net.match(embedded[t], *seen, [e for e in entries if e is not None])
            with _amp(frames, plan):
                logits = net.decode(matched)
            logits = enlarge(logits, frames.shape[-2:])
        if t > plan.lead:
            yield Step(logits, labels[:, t].long(), slots.present)
        if t == length - 1:
            return
        probabilities = logits.detach().softmax(1)
        masks.append(net.label(embedded[t], probabilities).masks)
        with torch.set_grad_enabled(torch.is_grad_enabled() and t > plan.lead):
            previous = net.label(embedded[t], damaged(probabilities, put[:, t, DAMAGE], plan.damage, slots))
            entries.append(net.remember(previous))


def _rows(flat: Any, masks: Sequence[tuple[Tensor, ...]], at: Tensor, known: Tensor) -> Labelled:
    """One frame of each clip among those whose masks are there; see `_recent`."""
    return Labelled(flat, tuple(map(torch.cat, zip(*masks, strict=True)))).rows(at, known)


def _remaining(
    first: Labelled, recent: Sequence[Labelled], previous: Labelled, drawn: np.ndarray, chance: Tensor, plan: Rollout
) -> tuple[list[Labelled], Labelled]:
    """What is matched against, and the previous frames, without the masks that are forgotten. drawn, chance (B,): the
    same numbers, on the host and on the device."""
    if not (drawn < plan.forget).any():
        return [first, *recent], previous

    def kept(frame: Labelled, share: float) -> Labelled:
        keep = (chance >= share).to(frame.masks[0].dtype).view(-1, 1, 1, 1)
        return replace(frame, masks=tuple(m * keep for m in frame.masks))

    return [kept(frame, plan.forget) for frame in (first, *recent)], kept(previous, plan.forget / 2)


def _amp(frames: Tensor, plan: Rollout) -> torch.autocast:
    return torch.autocast(frames.device.type, torch.bfloat16, enabled=plan.amp)


def _encoded(network: Network, frames: Tensor, plan: Rollout) -> tuple[Any, list[Any]]:
    """Embeddings of T x B frames, T after T, and T times those of B."""
    clips, length = frames.shape[:2]

    def encode(some: Tensor) -> Any:
        with _amp(frames, plan):
            made = network.encode(some.transpose(0, 1).flatten(0, 1))
        return made.float() if plan.amp else made

    if not plan.lead:
        flat = encode(frames)
        return flat, flat.unbind(clips)
    with torch.no_grad():
        led = encode(frames[:, 1 : 1 + plan.lead])
    others = [encode(part) for part in (frames[:, :1], frames[:, 1 + plan.lead :])]
    flat = others[0].beside(led, others[1])
    return flat, flat.unbind(clips)


def _recent(chance: np.ndarray, plan: Rollout) -> tuple[np.ndarray, np.ndarray]:
    """For each frame (T, B): whether a predicted frame is matched against, and the row of that frame among T x B."""
    clips, length = chance.shape[:2]
    frame = np.arange(length)[:, None]
    share, which = chance[..., 0].T, chance[..., 1].T
    taken = (share < plan.recent) & (frame > 1)
    among = np.maximum(frame - 1, 1)  # frames 1..t-1 are predicted when frame t is matched
    chosen = 1 + np.minimum((which * among).astype(np.int64), among - 1)
    return taken, np.where(taken, chosen, 0) * clips + np.arange(clips)


def clip_loss(steps: Iterator[Step], fraction: float, jaccard: float) -> Tensor:
    """Mean over frames and clips of bootstrapped cross-entropy plus `jaccard` times the soft Jaccard loss."""
    losses = [
        bootstrapped_cross_entropy(s.logits, s.labels, fraction)
        + jaccard * soft_jaccard_loss(s.logits, s.labels, s.present)
        for s in steps
    ]
    return torch.stack(losses).mean()
