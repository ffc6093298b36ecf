"""Objects followed through frames of any kind, a result for each: what `follow` takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from numbers import Real
from os import PathLike
from typing import Any

import torch

from camn.api.models.load import load
from camn.api.options import InferenceOptions, Notice, Report
from camn.api.segment.following import Follower, Following, answers
from camn.api.segment.given import called, check_frames
from camn.api.segment.in_memory import in_turn, known_source, length, stems
from camn.errors import ConfigError, MaskError
from camn.inference import AnySegmenter, Ensemble, Segmenter
from camn.inference.calls import own_settings
from camn.masks import Marks, MaskSet
from camn.masks.in_memory import given_masks

PathName = str | PathLike[str]


@dataclasses.dataclass(frozen=True)
class _Given:
    """What to follow, as the caller has said it."""

    mask: Any
    marks: Marks | None
    resize: bool
    whole: bool
    first_frame: int | None

    @own_settings(inference=False)
    def read(
        self, size: tuple[int, int], names: Sequence[str] | None = None, count: int | None = None, video: str = ""
    ) -> MaskSet | None:
        """None where clicks alone say it. Raises MaskError."""
        if self.marks:
            self.marks.check(size)
        if self.mask is None:
            return None
        about: dict[str, Any] = {"count": count, "first_frame": self.first_frame, "whole": self.whole, "video": video}
        return given_masks(self.mask, names, size, self.resize, **about)


def follow(
    frames: PathName | Iterable[Any],
    mask: Any = None,
    *,
    clicks: Marks | Mapping[int, Sequence[Any]] | Sequence[Any] | None = None,
    boxes: Mapping[int, Sequence[float]] | Sequence[float] | None = None,
    model: PathName | Sequence[PathName] | AnySegmenter = "camn-mobile",
    device: str | torch.device = "auto",
    resize_masks: bool = False,
    masks_are_whole: bool = False,
    first_frame: int | None = None,
    options: InferenceOptions | None = None,
    progress: Report = lambda progress: None,
    notice: Notice = lambda note: None,
    **changes: Any,
) -> Following:
    """Follow objects through frames, and give a result for each.

        for result in camn.follow("clip.mp4", clicks=[(420, 260)]):
            result.frame, result.ids, result.confidence, result.lost

    frames: a video file, a folder of images, or whatever else `segment_video` reads; or anything that can be iterated,
    such as a list, a generator or a loader. Its frames are arrays (H, W, 3) of uint8 in RGB, tensors of that shape and
    kind, Pillow images with 8 bits a channel, frames of PyAV, or picture files. An array (B, H, W, 3) is B frames. It
    may be endless: a frame is taken when its result is asked for, in the caller's thread and under the caller's
    settings of torch.
    mask: of the first frame, an array (H, W) of ids 1..255, 0 the background, or a Pillow image; or {number of a frame:
    mask} for objects that come later or are corrected there; or files, as `segment_video` takes them. clicks: x, y on
    object 1, or a list of them, with False behind those where it is not; or {id: list}; or `Marks`, which may be of a
    later frame. boxes: x0, y0, x1, y1 around object 1; or {id: box}. They go with a mask that does not show these
    objects, too.
    model, device, options, changes: as `load` and `InferenceOptions` have them. model: also what `load` gave, whose
    networks are used; what it follows itself stays as it is. resize_masks, masks_are_whole, first_frame: see
    `SegmentOptions`.
    progress: called after each frame. notice: called with sentences that the user should know, as in `segment_video`,
    and at the end with what is wrong with the video's file.

    Where there is no object, as before the first mask, all ids are 0. Raises VideoError, MaskError, ConfigError,
    CheckpointError: here what can be told at once, else with the frame that it is about.
    """
    given = _Given(mask, _marks(clicks, boxes), resize_masks, masks_are_whole, first_frame)
    if mask is None and given.marks is None:
        raise MaskError("nothing says what to follow: give mask=..., clicks=[(x, y)] or boxes=[x0, y0, x1, y1]")
    source = known_source(frames)
    if source is None:
        each, total = in_turn(frames), length(frames)  # pyright: ignore[reportArgumentType], no path
        read = partial(given.read, names=stems(frames))
    else:
        known = given.read(source.size, source.names, source.count, called(source))
        check_frames(source, known, given.marks)
        each, total, read = iter(source), source.count, lambda size: known
    segmenter, threads = _segmenter(model, device, options, changes, notice)
    follower = Follower(segmenter, given.marks, threads, notice)
    return Following(answers(each, read, follower, total, progress, source), segmenter, follower.names)


def _marks(clicks: Any, boxes: Any) -> Marks | None:
    """None where nothing is marked. Raises MaskError."""
    if isinstance(clicks, Marks):
        if boxes is not None:
            raise MaskError(
                "boxes go into the Marks that are given as clicks: Marks(clicks, boxes={1: (x0, y0, x1, y1)})"
            )
        return clicks
    if clicks is None and boxes is None:
        return None
    if clicks is not None and not isinstance(clicks, Mapping):
        each = list(clicks) if isinstance(clicks, Iterable) else clicks
        clicks = {1: [each] if isinstance(each, list) and each and isinstance(each[0], Real) else each}
    if boxes is not None and not isinstance(boxes, Mapping):
        boxes = {1: boxes}
    return Marks({} if clicks is None else clicks, {} if boxes is None else boxes)


def _segmenter(
    model: Any, device: str | torch.device, options: InferenceOptions | None, changes: Mapping[str, Any], notice: Notice
) -> tuple[AnySegmenter, int | None]:
    """What is to do the work, and on how many threads."""
    if isinstance(model, (Segmenter, Ensemble)):
        if device != "auto" or options is not None or changes:
            raise ConfigError("follow: what camn.load gave has its device and its options; give them to camn.load")
        return model.fresh(), None
    chosen = dataclasses.replace(options or InferenceOptions(), **changes)
    return load(model, device, setup=chosen.setup(), notice=notice), chosen.threads
