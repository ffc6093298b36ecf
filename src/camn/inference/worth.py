"""Which of the remembered frames is worth the least."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def least_worth(at: Sequence[int], looks: Sequence[Tensor] | None = None) -> int:
    """The place of the frame to drop, of two or more; the newest, which comes last, is never it.

    at: positions in the video, rising. looks: of these frames but the newest, and behind them of others that are kept
    in any case, (N, C) each, see `Network.looks`; None where nobody can tell. A frame's worth is the time between its
    neighbours, so that those kept stay spread over the video, times its `novelty`, so that near-copies go before what
    shows an object in a new way. The newest is not compared with: it has yet to earn its place, and of an object that
    turns steadily each frame would else be a copy of the one behind it, and go.
    """
    gaps = [later - sooner for sooner, later in zip((-at[1], *at), at[1:])]
    if looks is None:
        return gaps.index(min(gaps))
    worth = [(new * gap, gap) for new, gap in zip(novelty(looks), gaps)]  # of copies the one that leaves the least gap
    return worth.index(min(worth))


def novelty(looks: Sequence[Tensor]) -> list[float]:
    """For each frame (N, C) what it shows and no other does: how far an object looks from how it does on the frame most
    like it in that, as the distance of unit vectors; of the object for which this is largest. 2 for an object that no
    other shows, 0 where there is none."""
    every = torch.stack(list(looks), 1)  # (N, K, C)
    likeness = every @ every.transpose(1, 2)
    shown = every.any(2)
    likeness = likeness.masked_fill(~shown[:, None], -1)
    likeness.diagonal(dim1=1, dim2=2).fill_(-1)
    distances = (2 - 2 * likeness.amax(2)).clamp(min=0).sqrt() * shown
    return distances.amax(0).tolist() if len(distances) else [0.0] * len(looks)
