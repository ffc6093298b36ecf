"""What camn-mobile might know of frames of 65 x 65 pixels."""

import torch

from camn.model.frames import Embedding


def embedding(frames: int = 1, seed: int = 0) -> Embedding:
    torch.manual_seed(seed)
    maps, keys, low = (
        tuple(torch.randn(frames, channels, side, side) for channels, side in pairs)
        for pairs in (((64, 9), (96, 5)), ((32, 9), (64, 5)), ((16, 17), (16, 33)))
    )
    return Embedding(maps, keys, low)
