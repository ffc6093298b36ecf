"""How a network is run over a video. Checked when made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from camn.errors import ConfigError

Backend = Literal["auto", "eager", "compile", "onnx"]


@dataclass(frozen=True)
class InferenceConfig:
    """How a network is run over a video.

    memory_every: one in k frames is remembered. memory_frames: at most this many of them are kept, None for the
    network's own number (`camn.model.interface.Network.memory_frames`); beside them the previous frame and frames
    with a mask from the user stay. When full, one that is close in time to its neighbours goes, or one that shows the
    objects as others do, see `camn.inference.worth`.
    match_above: an object is doubtful where it is found with a lower confidence (`camn.inference.Result`), 0 for never.
    It is not remembered so, since a doubtful mask would be taken for a true one from then on.
    matched_frames: the newest of the frames remembered that are matched against like frames with a mask from the user,
    so many, and only such on which no object is doubtful; None for the network's own number.
    reference_frames: of frames with a mask from the user the first and the newest are kept, so many in all, and beside
    these only frames that are the last one to show an object.
    short_side, max_side: size at which the network works; frames are never enlarged by more than `short_side` asks, and
    the long side never exceeds max_side. Output is always at the frame's own size.
    lost_below: an object is lost where its largest probability stays below this.
    channels_last: memory layout of weights and frames. autocast: half precision on CUDA, elsewhere without effect.
    backend: what runs the heavy parts of the network, with the same answers within 1e-3: `eager` is torch as it is,
    `compile` compiles them, `onnx` is ONNX Runtime, on the CPU; `auto` measures which is fastest, see
    `camn.inference.backends`.
    """

    memory_every: int = 5
    memory_frames: int | None = None
    matched_frames: int | None = None
    match_above: float = 0.9
    reference_frames: int = 8
    short_side: int = 480
    max_side: int = 1041
    lost_below: float = 0.5
    channels_last: bool = True
    autocast: bool = True
    backend: Backend = "eager"

    def __post_init__(self):
        if self.memory_every < 1:
            raise ConfigError(f"memory_every is {self.memory_every}: it must be 1 or more")
        for name in ("memory_frames", "matched_frames"):
            if (value := getattr(self, name)) is not None and value < 0:
                raise ConfigError(f"{name} is {value}: it must be 0 or more")
        if self.reference_frames < 2:
            raise ConfigError(
                f"reference_frames is {self.reference_frames}: it must be 2 or more, the first and the newest"
            )
        if not 0 <= self.match_above <= 1:
            raise ConfigError(f"match_above is {self.match_above}: it must be in 0..1")
        if self.short_side < 32 or self.max_side < self.short_side:
            raise ConfigError(f"sizes {self.short_side}, {self.max_side}: need 32 <= short_side <= max_side")
        if self.backend not in get_args(Backend):
            raise ConfigError(f"unknown backend {self.backend!r}; choose among {', '.join(get_args(Backend))}")
