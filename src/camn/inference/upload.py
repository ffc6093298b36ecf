"""Frames on their way to the network: brought to its size and device ahead of their turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Uploaded:
    """A frame of `size` (H, W), its own. pixels (h, w, 3) uint8 RGB at work size, on the device; there once `ready`.
    embedding: what `encoder`, a network, knows of it, where it was asked already."""

    pixels: Tensor
    size: tuple[int, int]
    ready: torch.cuda.Event | None = None
    embedding: Any = None
    encoder: object = None

    def image(self, channels_last: bool) -> Tensor:
        """(1, 3, h, w) in 0..1, in the memory layout wanted."""
        if self.ready is not None:
            stream = torch.cuda.current_stream(self.pixels.device)
            stream.wait_event(self.ready)
            self.pixels.record_stream(stream)  # else its memory could go to the next frame while this one is read
        image = self.pixels.permute(2, 0, 1)[None].float() / 255
        return image.contiguous(memory_format=torch.channels_last) if channels_last else image


class Uploader:
    """Brings frames to a device. On CUDA they are copied from pinned memory on a stream of their own, beside the
    network's work on the frame before. cubic: as CFBI resizes frames."""

    def __init__(self, device: torch.device, cubic: bool):
        self.device, self.cubic = device, cubic
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __call__(self, frame: np.ndarray, work: tuple[int, int]) -> Uploaded:
        """frame (H, W, 3) uint8 RGB -> at size `work` (h, w)."""
        size, (height, width) = (frame.shape[0], frame.shape[1]), work
        if size != work:
            smaller = height * width < size[0] * size[1]
            way = cv2.INTER_CUBIC if self.cubic else cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
            frame = cv2.resize(frame, (width, height), interpolation=way)
        else:
            frame = np.array(frame, order="C")  # the caller may read the next one into the same memory
        pixels = torch.from_numpy(frame)
        if self._stream is None:
            return Uploaded(pixels.to(self.device), size)
        with torch.cuda.stream(self._stream):
            there = pixels.pin_memory().to(self.device, non_blocking=True)
            ready = torch.cuda.Event()
            ready.record(self._stream)
        return Uploaded(there, size, ready)
