"""Training on clicks: each example is asked about as a user would ask, answer by answer (RITM, Sofiiuk et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from camn.errors import ConfigError
from camn.masks import IGNORE
from camn.masks.clicking import Click, depths, meant, next_click
from camn.masks.extent import extent
from camn.model.clicks import ClickNetwork, Prompts
from camn.model.frames import Embedding
from camn.model.layers import resize, single
from camn.training.losses import bootstrapped_cross_entropy, soft_jaccard_loss

FIRST = 0.05  # share of the candidates' mean in their loss beside that of the best, so that none of them dies
SLACK = (-0.12, 0.12)  # by which a side of a box is too near or too far at most, of the object's


@dataclass(frozen=True)
class ClickPlan:
    """rounds: answers of each example, the first to what it begins with and each next one to one click more. boxes,
    masks: shares that begin with a box, or with a damaged mask and a click on its largest fault; the others begin with
    a click. several: share of all that has some random clicks as well. score: weight of the scores' loss."""

    rounds: int = 3
    boxes: float = 0.2
    masks: float = 0.15
    several: float = 0.25
    score: float = 0.3

    def __post_init__(self):
        shares = (self.boxes, self.masks, self.several)
        if not (type(self.rounds) is int and self.rounds >= 1):
            raise ConfigError(f"clicks: rounds is {self.rounds}; it must be a whole number, 1 or more")
        if any(not 0 <= share <= 1 for share in shares) or self.boxes + self.masks > 1 or not self.score >= 0:
            raise ConfigError(
                f"clicks: {shares}: shares lie in 0..1, boxes and masks together, too; score is 0 or more"
            )


class Example:
    """One object of one picture, and what has been asked about it so far. labels (H, W) with IGNORE."""

    def __init__(self, labels: np.ndarray, objects: int, rng: np.random.Generator, plan: ClickPlan):
        self.rng = rng
        self.truth = labels == 1 + int(rng.integers(objects))
        self.counted = labels != IGNORE
        self.clicks: list[Click] = []
        self.box = np.zeros(labels.shape, np.float32)
        self.mask = np.zeros(labels.shape, np.float32)
        start = rng.random()
        if start < plan.boxes:
            self._draw_box()
        elif start < plan.boxes + plan.masks:
            self._damage_mask()
            self.ask(self.mask > 0.5)
        else:
            self._click_inside()
        if rng.random() < plan.several:
            self._click_about(int(rng.integers(1, 7)))

    @property
    def first(self) -> bool:
        """Whether of the object only one click is known, which may be meant in several ways."""
        return sum(sign > 0 for *_, sign in self.clicks) == 1 and not self.box.any() and not self.mask.any()

    def ask(self, guess: np.ndarray) -> None:
        """One click more, where the guess is most wrong: at the centre, or in one case of two somewhere within."""
        click = next_click(self.truth, guess, self.counted)
        if click is None:
            return
        row, column, sign = click
        if self.rng.random() < 0.5:
            wrong = self.counted & (self.truth & ~guess if sign > 0 else guess & ~self.truth)
            _, regions = cv2.connectedComponents(wrong.astype(np.uint8))
            row, column = self._within(regions == regions[row, column], 0.5)
        self.clicks.append((row, column, sign))

    def _click_inside(self) -> None:
        row, column = self._within(self.truth & self.counted, self.rng.choice([0.0, 0.3, 0.9]))
        self.clicks.append((row, column, 1))

    def _click_about(self, count: int) -> None:
        """On the object, near it and elsewhere."""
        near = cv2.dilate(self.truth.astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
        for _ in range(count):
            kind = self.rng.random()
            where = self.truth if kind < 0.5 else ~self.truth & (near if kind < 0.85 else True)
            if (where & self.counted).any():
                self.clicks.append((*self._within(where & self.counted, 0.0), 1 if kind < 0.5 else -1))

    def _within(self, region: np.ndarray, depth: float) -> tuple[int, int]:
        """A random pixel of the region, at least so far from its border as a share of what is farthest."""
        found = depths(region)
        places = np.flatnonzero(found >= max(depth * found.max(), 0.5))
        at = int(places[int(self.rng.integers(len(places)))])
        return at // region.shape[1], at % region.shape[1]

    def _draw_box(self) -> None:
        found, edges = extent(self.truth), []
        assert found is not None, "an object has pixels"
        rows, columns = found
        for places, most in ((rows, self.truth.shape[0]), (columns, self.truth.shape[1])):
            low, high = places.start, places.stop
            slack = (high - low) * self.rng.uniform(*SLACK, 2)
            edges.append(
                slice(max(0, round(low - slack[0])), min(most, max(round(high + slack[1]), round(low - slack[0]) + 1)))
            )
        self.box[tuple(edges)] = 1

    def _damage_mask(self) -> None:
        """Grown, shrunk or moved, and with a part missing or one too many."""
        reach = np.sqrt(self.truth.sum())
        side = max(3, int(reach * 0.25 ** self.rng.uniform(1, 3)) | 1)  # as often little as much
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        change = (cv2.dilate, cv2.erode)[int(self.rng.integers(2))]
        mask = change(self.truth.astype(np.uint8), kernel)
        mask = np.roll(mask, [int(v) for v in self.rng.normal(0, 0.2 * side, 2)], (0, 1))
        if self.rng.random() < 0.6:
            row, column = self._within(self.truth, 0.0)
            half = [max(1, int(v)) for v in reach * self.rng.uniform(0.1, 0.6, 2)]
            part = np.s_[max(0, row - half[0]) : row + half[0], max(0, column - half[1]) : column + half[1]]
            mask[part] = self.rng.random() < 0.3
        self.mask = mask.astype(np.float32)

    def prompts(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Points (K, 2) and signs (K,), padded to K = `most`."""
        points, signs = np.zeros((most, 2), np.float32), np.zeros(most, np.float32)
        for at, (row, column, sign) in enumerate(self.clicks):
            points[at], signs[at] = (row, column), sign
        return points, signs


def click_loss(
    network: ClickNetwork,
    seen: Embedding,
    labels: Tensor,
    objects: Sequence[int],
    seeds: Sequence[int],
    plan: ClickPlan,
    hard: tuple[float, float],
    amp: bool = False,
) -> Tensor:
    """Mean loss over the rounds of B examples. seen: their frames' embedding. labels (B, H, W) in 0..N or IGNORE.
    hard: see `bootstrapped_cross_entropy`, and the weight of the soft Jaccard loss beside it. amp: the network computes
    in bfloat16.

    Each answer but the first begins from the one before it, which is fed on without gradient.
    """
    on_host = labels.cpu().numpy()
    examples = [
        Example(one, count, np.random.default_rng(seed), plan)
        for one, count, seed in zip(on_host, objects, seeds, strict=True)
    ]
    truths = np.stack([np.where(e.counted, e.truth, IGNORE)[::2, ::2] for e in examples])  # where answers' pixels are
    truth = torch.from_numpy(truths).long().to(labels.device)
    losses = []
    for round in range(plan.rounds):
        with torch.autocast(labels.device.type, torch.bfloat16, enabled=amp):
            logits, scores = (single(answer) for answer in network(seen, _prompts(examples, labels.device)))
        losses.append(_loss(logits, scores, truth, [e.first for e in examples], plan.score, hard))
        if round + 1 < plan.rounds:
            _go_on(examples, logits.detach(), scores.detach())
    return torch.stack(losses).mean()


def _prompts(examples: Sequence[Example], device: torch.device) -> Prompts:
    most = max(len(example.clicks) for example in examples)
    points, signs = (np.stack(both) for both in zip(*(e.prompts(max(1, most)) for e in examples), strict=True))
    planes = (np.stack([getattr(e, name) for e in examples])[:, None] for name in ("box", "mask"))
    return Prompts(*(torch.from_numpy(a).to(device) for a in (points, signs, *planes)))


def _go_on(examples: Sequence[Example], logits: Tensor, scores: Tensor) -> None:
    """The next click of each, by the answer that a user would have before him."""
    best = 1 + scores[:, 1:].argmax(1)
    chosen = torch.where(torch.tensor([e.first for e in examples], device=best.device), best, 0)
    shown = logits.gather(1, chosen.view(-1, 1, 1, 1).expand(-1, 1, *logits.shape[2:])).sigmoid()
    shown = resize(shown, examples[0].truth.shape)[:, 0].cpu().numpy()
    for example, mask in zip(examples, shown, strict=True):
        kept = meant(mask > 0.5, example.clicks, (example.mask > 0.5) | (example.box > 0))
        example.mask = np.where(kept, mask, np.minimum(mask, 0.5)).astype(np.float32)
        example.ask(kept)


def _loss(
    logits: Tensor, scores: Tensor, truth: Tensor, first: Sequence[bool], weight: float, hard: tuple[float, float]
) -> Tensor:
    """logits (B, A, h, w), scores (B, A), truth (B, h, w) of 0, 1 and IGNORE. first: where the candidates count."""
    known = (truth != IGNORE)[:, None]
    guess, right = (logits > 0) & known, (truth == 1)[:, None]
    overlap = (guess & right).sum((2, 3)) / (guess | right).sum((2, 3)).clamp(min=1)
    total = _fit(logits[:, :1], truth, hard)[:, 0] + weight * F.mse_loss(scores, overlap, reduction="none").mean(1)
    at = [index for index, one in enumerate(first) if one]
    if not at:
        return total.mean()
    candidates = _fit(logits[at, 1:], truth[at], hard)
    return total.mean() + (candidates.amin(1) + FIRST * candidates.mean(1)).sum() / len(total)


def _fit(logits: Tensor, truth: Tensor, hard: tuple[float, float]) -> Tensor:
    """logits (B, A, h, w), truth (B, h, w) -> the loss of each answer, (B, A)."""
    pairs = torch.stack([torch.zeros_like(logits), logits], 2).flatten(0, 1)  # (B A, 2, h, w)
    each = truth[:, None].expand(-1, logits.shape[1], -1, -1).flatten(0, 1)
    fit = bootstrapped_cross_entropy(pairs, each, hard[0]) + hard[1] * soft_jaccard_loss(pairs, each)
    return fit.unflatten(0, (-1, logits.shape[1]))
