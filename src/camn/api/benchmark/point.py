"""One point of a benchmark, measured in a process of its own, so that no other point has warmed or filled it.

python -m camn.api.benchmark.point ORDER, an `Order` as JSON: writes a line of JSON for each frame, and one at the end.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from camn import weights
from camn.api.models.assemble import segmenter_of
from camn.api.out_of_memory import enough_memory
from camn.api.own_process import keep_freed_memory
from camn.config import NETWORKS, InferenceConfig, network_preset
from camn.errors import CamnError, VideoError
from camn.inference import Segmenter, resolve_device
from camn.masks import read_masks
from camn.masks.ids import MAX_ID
from camn.media.opening import open_source
from camn.model.build import build_network
from camn.speed.clock import StageClock
from camn.speed.discs import moving_discs
from camn.speed.measurement import Measurement
from camn.speed.plan import Point
from camn.speed.process import cpu_of_others, peak_memory

SURE = 20.0  # logit of a pixel's own channel, where the answer is given


@dataclass(frozen=True)
class Order:
    """What to measure. threads: of the CPU, None for all. video, mask: of the user, none for made frames."""

    point: Point
    device: str
    threads: int | None = None
    video: str = ""
    mask: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        fields = json.loads(text)
        return cls(**fields | {"point": Point(**fields["point"])})


class Guide:
    """Has a segmenter compute every frame in full and then take the mask that it is shown for its answer.

    So every object is on every frame, whatever the weights are, and what is fed back, remembered and matched is the
    same for all networks and backends. The swap costs a frame nothing: the answer is made before it.
    """

    def __init__(self, segmenter: Segmenter):
        self._segmenter, self._decode = segmenter, segmenter.network.decode
        self._mask = np.zeros((1, 1), np.uint8)
        self._shape: Sequence[int] = ()
        self._answer: Tensor | None = None
        segmenter.network.decode = self  # type: ignore[method-assign], found before the class's own

    def show(self, mask: np.ndarray) -> None:
        """The mask (H, W) of the frame to come."""
        self._mask = mask
        self._answer = self._logits() if self._shape else None

    def __call__(self, frames: Sequence[Any]) -> list[Tensor]:
        computed = self._decode(frames)[0]
        self._shape = computed.shape
        return [self._logits() if self._answer is None else self._answer]

    def _logits(self) -> Tensor:
        """(N+1, h, w), of the size that the network's own have."""
        small = cv2.resize(self._mask, self._shape[:0:-1], interpolation=cv2.INTER_NEAREST)
        channels = self._segmenter.objects.one_hot(small).to(self._segmenter.device)
        return SURE * channels.to(memory_format=torch.contiguous_format)


@dataclass
class Steps:
    """Of each frame after the first: seconds, by stage too, and the process's peak memory in bytes until then; of all,
    the fewest objects that an answer had."""

    seconds: list[float] = field(default_factory=list)
    stages: list[dict[str, float]] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    seen: int = MAX_ID


def measure(order: Order, report: Callable[[int], None] = lambda frame: None) -> Measurement:
    """Measures in this process, whose peak memory is part of the answer. report: called with each frame's number."""
    point, device = order.point, resolve_device(order.device)
    if order.threads:
        torch.set_num_threads(order.threads)
        cv2.setNumThreads(order.threads)
    read, kind = _weights(point.model)
    most = max(InferenceConfig.max_side, 2 * point.work)
    config = InferenceConfig(short_side=point.work, max_side=most, backend=point.backend)  # type: ignore[arg-type]
    segmenter, about = segmenter_of(read, device, config), {"weights": kind, "sha256": read.sha256}
    del read  # its tensors are no part of what a run holds
    began, others = time.perf_counter(), cpu_of_others()
    with enough_memory((point.side, point.width), point.objects):
        steps = _steps(segmenter, order, not order.video or kind == "random", report)
    had = (cpu_of_others() - others) / (time.perf_counter() - began) / (os.cpu_count() or 1)
    return Measurement.of(
        steps.seconds,
        steps.stages,
        steps.peaks,
        _fills(segmenter),
        seen=steps.seen,
        work=segmenter.network.work_size(point.side, point.width, config.short_side, config.max_side),
        backend=str(segmenter.backends),
        others=max(0.0, had),
        **about,
    )


def _steps(segmenter: Segmenter, order: Order, guided: bool, report: Callable[[int], None]) -> Steps:
    settle, steps, frames = _settle(segmenter.device), Steps(), _frames(order)
    clock = segmenter.clock = StageClock(settle)
    first, mask = next(frames)
    assert mask is not None
    guide = Guide(segmenter) if guided else None
    segmenter.start(first, mask)
    settle()
    clock.take(0.0)
    for number, (frame, true) in enumerate(frames, 1):
        if guide:
            guide.show(mask if true is None else true)
        start = time.perf_counter()
        ids = segmenter.step(frame).ids
        settle()
        steps.seconds.append(time.perf_counter() - start)
        steps.stages.append(clock.take(steps.seconds[-1]))
        steps.peaks.append(peak_memory(segmenter.device))
        steps.seen = min(steps.seen, int((np.bincount(ids.ravel())[1:] > 0).sum()))
        report(number)
    if not steps.seconds:
        raise VideoError(f"{order.video}: has one frame alone; give a longer video")
    return steps


def _weights(model: str) -> tuple[weights.Weights, str]:
    """Weights, and what they are: shipped, file, or random, of a network for which no file was given."""
    if model in NETWORKS and model not in weights.shipped():
        torch.manual_seed(0)
        config = network_preset(model)
        return weights.Weights(config, build_network(config).state_dict(), Path(model), "", {}), "random"
    return weights.read(model), "shipped" if model in weights.shipped() else "file"


def _frames(order: Order) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """The first frame with its mask, and those to measure, each with its mask where that is known."""
    point = order.point
    if not order.video:
        yield from moving_discs(point.frames + 1, point.side, point.width, point.objects)
        return
    source = open_source(Path(order.video))
    mask = next(iter(read_masks(order.mask, source.names or ["000000"], source.size).masks.values()))
    for frame in islice(source, point.frames + 1):
        yield frame.image, mask if frame.index == 0 else None


def _fills(segmenter: Segmenter) -> int:
    """After so many frames the segmenter's memory grows no more."""
    most = segmenter.config.memory_frames
    return segmenter.config.memory_every * ((segmenter.network.memory_frames if most is None else most) + 1)


def _settle(device: torch.device) -> Callable[[], None]:
    """Waits until the device has done all it was given."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    return torch.mps.synchronize if device.type == "mps" else lambda: None


def _say(**what: Any) -> None:
    """To the process that asked; once that is gone, nobody is to be told."""
    try:
        print(json.dumps(what), flush=True)
    except BrokenPipeError:
        os._exit(1)


if __name__ == "__main__":
    keep_freed_memory()
    try:
        _say(measured=measure(Order.from_json(sys.argv[1]), lambda frame: _say(frame=frame)).to_dict())
    except CamnError as error:
        _say(error=str(error))
