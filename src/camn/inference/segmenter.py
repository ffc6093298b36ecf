"""Streaming segmentation: masks on one frame, then one call a frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from camn.config import InferenceConfig
from camn.errors import ConfigError, MaskError, VideoError
from camn.inference.bank import Bank
from camn.masks import ObjectIds, check_mask
from camn.model.network import Camn, enlarge, select_channels, work_size


@dataclass(frozen=True)
class Result:
    """The objects of one frame of size (H, W).

    index: position in the video from 0. ids: (H, W) uint8, 0 background, else the user's id. confidence: for each id
    the mean probability of the pixels given to it, its largest probability where it got none; 0..1. lost: ids that got
    no pixel, or are nowhere more probable than `InferenceConfig.lost_below`.
    """

    index: int
    ids: np.ndarray
    confidence: Mapping[int, float]
    lost: frozenset[int]
    _probabilities: Tensor
    _objects: ObjectIds

    def probability(self, id: int) -> np.ndarray:
        """(H, W) float32 in 0..1 of one object. MaskError for an id that is not followed."""
        channel = self._objects.channel(id)
        return _to_frame(self._probabilities[channel : channel + 1], self.ids.shape)[0].cpu().numpy()


class Segmenter:
    """Follows objects through a video.

        segmenter.start(frame, mask)          # frame (H, W, 3) uint8 RGB, mask (H, W) uint8 ids
        result = segmenter.step(next_frame)

    ids are the user's, any of 1..255, and never change. `correct` gives masks of known or new objects on the frame last
    seen; `remove` drops an object. What is kept of past frames is bounded, see `Bank`. Gradients are never recorded.
    """

    def __init__(self, network: Camn, config: InferenceConfig = InferenceConfig(), device: str | torch.device = "cpu"):
        self.config, self.device = config, resolve_device(device)
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.network = network.eval().requires_grad_(False).to(self.device, memory_format=layout)
        self.objects = ObjectIds()
        self.index = -1
        self._bank = Bank(config.memory_every, config.memory_frames)
        self._size = (0, 0)
        self._embedding = None
        self._probabilities = torch.empty(0)

    # --- the user's calls --------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def start(self, frame: np.ndarray, mask: np.ndarray) -> Result:
        """Begin a video with its first frame and the ids on it; forgets the one before. Raises MaskError if the mask
        has another size or no object, VideoError if the frame is no (H, W, 3) uint8 picture."""
        _check_frame(frame)
        ids = ObjectIds.of(check_mask(mask))
        if not len(ids):
            raise MaskError("the first mask holds no object: every pixel is 0; paint an object with an id of 1..255")
        _check_size(mask, frame.shape[:2])
        self._bank = Bank(self.config.memory_every, self.config.memory_frames)
        self.objects, self.index, self._size = ids, 0, frame.shape[:2]
        self._embedding = self._encode(frame)
        self._probabilities = self._as_probabilities(mask)
        self._remember(given=True)
        return self._result(mask)

    @torch.inference_mode()
    def step(self, frame: np.ndarray) -> Result:
        """Segment the next frame, of the first one's size. Raises VideoError for another size or before `start`."""
        _check_frame(frame)
        if self.index < 0:
            raise VideoError("step before start: give the first frame and its mask to start(frame, mask)")
        if frame.shape[:2] != self._size:
            raise VideoError(f"frame {self.index + 1} is {_by(frame.shape)}, those before it are {_by(self._size)}")
        self.index += 1
        self._embedding = self._encode(frame)
        if len(self.objects):
            self._probabilities = self._segment()
        self._remember(given=False)
        return self._result()

    @torch.inference_mode()
    def correct(self, mask: np.ndarray, objects: Iterable[int] = ()) -> Result:
        """Give masks on the frame last seen, of known objects or new ones; it becomes a reference frame.

        mask (H, W) uint8 ids. The ids in it, and those of `objects`, are just where the mask says, so an id of `objects`
        that is not in the mask is not on this frame; all others stay as they were, less the pixels now taken.
        """
        if self.index < 0:
            raise VideoError("correct before start: give the first frame and its mask to start(frame, mask)")
        check_mask(mask)
        _check_size(mask, self._size)
        given = ObjectIds.of(mask).with_ids(objects)
        if not len(given):
            raise MaskError("the correction holds no object; name in `objects` those that are absent from this frame")
        ids = self._result().ids if len(self.objects) else np.zeros(self._size, np.uint8)
        self._follow(self.objects.with_ids(given))
        ids = np.where(np.isin(ids, given.ids), 0, ids)
        ids = np.where(mask > 0, mask, ids).astype(np.uint8)
        stated = self._as_probabilities(ids)
        # Where nothing was stated the prediction's own doubt stays: it tells more than its hard labels do.
        free = stated[[0, *(self.objects.channel(i) for i in self.objects if i not in given)]].sum(0)
        kept = self._probabilities.clone()
        kept[[self.objects.channel(i) for i in given]] = 0
        kept = kept / kept.sum(0).clamp(min=1e-6)
        mixed = stated * (1 - free) + kept * free if not self._hard else stated
        self._probabilities = mixed
        self._remember(given=True)
        return self._result(ids)

    @torch.inference_mode()
    def remove(self, id: int) -> None:
        """Stop following an object. MaskError if it is not followed."""
        self._follow(self.objects.without(id))

    @property
    def remembered(self) -> list[int]:
        """Positions of the frames that are held in memory, sorted."""
        return self._bank.indices()

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _hard(self) -> bool:
        """Published CFBI: masks are hard, kept at the frame's size and brought to each scale by nearest neighbour."""
        return self.network.config.matching.masks == "nearest"

    def _work_size(self) -> tuple[int, int]:
        short = min(self.config.short_side, *self._size) if self._hard else self.config.short_side
        return work_size(*self._size, short, self.config.max_side)

    def _amp(self) -> torch.autocast:
        use = self.config.autocast and self.device.type == "cuda"
        return torch.autocast(self.device.type, torch.float16 if use else torch.bfloat16, enabled=use)

    def _encode(self, frame: np.ndarray):
        height, width = self._work_size()
        smaller = height * width < frame.shape[0] * frame.shape[1]
        way = cv2.INTER_CUBIC if self._hard else cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        image = cv2.resize(frame, (width, height), interpolation=way) if frame.shape[:2] != (height, width) else frame
        tensor = torch.from_numpy(np.ascontiguousarray(image)).to(self.device).permute(2, 0, 1)[None].float() / 255
        if self.config.channels_last:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        with self._amp():
            return self.network.encode(tensor).float()

    def _segment(self) -> Tensor:
        assert self._embedding is not None and self._bank.previous is not None
        matched = self.network.match(
            self._embedding, self._bank.references, self._bank.previous, self._bank.entries()
        )
        with self._amp():
            logits = self.network.decode([matched])[0]
        size = self._size if self._hard else self._work_size()
        return enlarge(logits.float(), size).softmax(0)

    def _as_probabilities(self, ids: np.ndarray) -> Tensor:
        """Ids at the frame's size -> (N+1, h, w) at the size that probabilities are kept at."""
        channels = self.objects.one_hot(ids).to(self.device)
        if self._hard:
            return channels
        size = self._work_size()
        smaller = size[0] <= ids.shape[0]
        return F.interpolate(channels[None], size, mode="area" if smaller else "bilinear")[0]

    def _remember(self, given: bool) -> None:
        assert self._embedding is not None
        masks = self._probabilities
        if self._hard:
            masks = F.one_hot(masks.argmax(0), len(masks)).permute(2, 0, 1).float()
        labelled = self.network.label(self._embedding, masks)
        entry = None
        if self.network.memory is not None and len(self.objects):
            entry = self.network.remember(labelled)
        self._bank.remember(self.index, labelled, entry, given)

    def _follow(self, objects: ObjectIds) -> None:
        """Change the objects that are followed, in everything that is remembered."""
        channels = [0, *(self.objects.channel(i) if i in self.objects else None for i in objects)]
        self._bank.select(channels)
        kept = select_channels(self._probabilities, channels)
        kept[0] += 1 - kept.sum(0)  # what a removed object held is background
        self._probabilities = kept
        self.objects = objects

    def _result(self, ids: np.ndarray | None = None) -> Result:
        """ids: known labels of this frame (the user's); else each pixel's most probable channel."""
        at_frame = _to_frame(self._probabilities, self._size)
        if ids is None:
            ids = self.objects.ids_map(at_frame.argmax(0))
        confidence, lost = {}, set()
        for id in self.objects:
            mine = at_frame[self.objects.channel(id)].cpu().numpy()
            inside, best = ids == id, float(mine.max())
            confidence[id] = float(mine[inside].mean()) if inside.any() else best
            if not inside.any() or best < self.config.lost_below:
                lost.add(id)
        return Result(self.index, ids.copy(), confidence, frozenset(lost), self._probabilities, self.objects)


def _to_frame(probabilities: Tensor, size: tuple[int, ...]) -> Tensor:
    """(C, h, w) at the work size -> (C, H, W). Frames come to the work size by pixel centres, so masks go back so."""
    if tuple(probabilities.shape[1:]) == tuple(size):
        return probabilities
    return F.interpolate(probabilities[None], tuple(size), mode="bilinear", align_corners=False)[0]


def resolve_device(device: str | torch.device) -> torch.device:
    """`auto` is CUDA where there is one, else MPS, else the CPU. ConfigError for a device that is not there."""
    if device == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {device!r} cannot be used ({str(error).splitlines()[0]}); try auto or cpu") from None
    return chosen


def _by(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _check_frame(frame: np.ndarray) -> None:
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        found = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise VideoError(f"a frame is an array (H, W, 3) of uint8 in RGB; this one is {found}")
    if min(frame.shape[:2]) < 1:
        raise VideoError("the frame is empty")


def _check_size(mask: np.ndarray, size: tuple[int, ...]) -> None:
    if mask.shape != tuple(size):
        raise MaskError(f"the mask is {_by(mask.shape)}, the frame is {_by(size)}; they must be the same size")
