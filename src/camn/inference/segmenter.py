"""Streaming segmentation: masks on one frame, then one call a frame."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from camn import lean
from camn.config import InferenceConfig
from camn.errors import ConfigError, MaskError, VideoError
from camn.inference.backends import Backends
from camn.inference.bank import Bank
from camn.inference.calls import Caller, entry, own_settings
from camn.inference.frames import Picture, as_frame
from camn.inference.result import Result, at_once, strongest
from camn.inference.upload import Uploaded, Uploader
from camn.masks import ObjectIds, ids_in
from camn.masks.sizes import size_error
from camn.model.interface import Network, select_channels
from camn.model.layers import area
from camn.model.network import enlarge

Clock = Callable[[str], AbstractContextManager[Any]]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network found on a frame: its embedding of it, and probabilities (N+1, h, w), channel 0 the background, at
    the size that the segmenter keeps them at."""

    embedding: Any
    probabilities: Tensor


class Segmenter(Caller):
    """Follows objects through a video.

        segmenter.start(frame, mask)          # frame (H, W, 3) uint8 RGB, mask (H, W) uint8 ids
        result = segmenter.step(next_frame)

    A frame may also be a Pillow image, or a tensor of that shape and kind. That colours are RGB cannot be checked: of
    what OpenCV reads give frame[..., ::-1].
    ids are the user's, any of 1..255, and never change. `correct` gives masks of known or new objects on the frame last
    seen; `remove` drops an object. What is kept of past frames is bounded, see `Bank`. Gradients are never recorded.
    clock: called with the name of each stage of a frame, entered before it and left after it: resize, encode, match,
    decode, remember, output. network: the form of the one given that suits the device, its parts run by `backends`; the
    one given goes to the device, in evaluation mode.
    notice: called with sentences on how these are chosen and made, when a size is first met.
    """

    @own_settings(inference=False)
    def __init__(
        self,
        network: Network,
        config: InferenceConfig | None = None,
        device: str | torch.device = "cpu",
        clock: Clock = nullcontext,
        notice: Callable[[str], None] = lambda note: None,
    ):
        super().__init__()
        self.config = config = config or InferenceConfig()
        self.device, self.clock = resolve_device(device), clock
        if any(tensor.is_inference() for tensor in (*network.parameters(), *network.buffers())):
            network = deepcopy(network)  # made in the caller's inference mode, it can neither be moved nor traced here
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        network = network.eval().to(self.device, memory_format=layout)  # pyright: ignore[reportCallIssue]
        self.backends = Backends(config.backend, self.device, notice)
        # A CPU gains by leaving out, object by object, what cannot matter; to others every call and every wait is dear.
        form = lean.of if self.device.type == "cpu" else lean.at_once
        self.network = self.backends.apply(form(network))
        self.objects = ObjectIds()
        self.index = -1
        self._bank = self._new_bank()
        self._uploader = Uploader(self.device, self.network.hard_masks)
        # Of the frame last seen: its embedding, its probabilities (N+1, h, w) and its ids at its own size.
        self._embedding: Any = None
        self._probabilities = torch.ones(1, 1, 1)
        self._ids = np.zeros((0, 0), np.uint8)

    # --- the user's calls --------------------------------------------------------------------------------------------

    @entry
    def start(self, frame: Picture | Uploaded, mask: np.ndarray, objects: Iterable[int] = ()) -> Result:
        """Begin a video with its first frame and the ids on it; forgets the one before. A mask of 0 and 255 alone shows
        object 1, as in a file, unless `objects` names 255. Raises MaskError if the mask has another size or no object,
        VideoError if the frame is no (H, W, 3) uint8 picture."""
        frame = self._uploaded(frame)
        mask = ids_in(mask, objects)
        objects = ObjectIds.of(mask)
        if not len(objects):
            raise MaskError("the first mask holds no object: every pixel is 0; paint an object with an id of 1..255")
        _check_size(mask, frame.size)
        embedding, probabilities = self._encode(frame), self._as_probabilities(objects, mask)
        result = self._answer(0, objects, probabilities, mask.shape, mask, objects)
        self._take_in(self._new_bank(), 0, embedding, objects, probabilities, result.ids, objects)
        return result

    @entry
    def step(self, frame: Picture | Uploaded) -> Result:
        """Segment the next frame, of the first one's size. Raises VideoError for another size or before `start`,
        AnswerError where what the network answers is not finite; nothing has changed then."""
        predicted = self.predict(frame)
        result = self._answer(self.index + 1, self.objects, predicted.probabilities, self._ids.shape)
        self.accept(predicted, result.ids, self.doubts(result), result.lost)
        return result

    @entry
    def predict(self, frame: Picture | Uploaded) -> Prediction:
        """What is found on the next frame, which is not taken in before `accept`. Raises as `step` does."""
        frame = self._uploaded(frame)
        if self.index < 0:
            raise VideoError("step before start: give the first frame and its mask to start(frame, mask)")
        if frame.size != self._ids.shape:
            sizes = f"{_by(frame.size)}, those before it are {_by(self._ids.shape)}"
            raise VideoError(f"frame {self.index + 1} is {sizes}; start anew for a video of another size")
        embedding = self._encode(frame)
        return Prediction(embedding, self._segment(embedding) if len(self.objects) else self._probabilities)

    @entry
    def accept(
        self, predicted: Prediction, ids: np.ndarray, doubtful: Collection[int] = (), lost: Collection[int] = ()
    ) -> None:
        """Take the next frame in with these probabilities. ids (H, W) uint8: what was answered for it. doubtful, see
        `doubts`, and lost: objects that are not to be remembered as they are here."""
        embedding, probabilities = predicted.embedding, predicted.probabilities
        bank, index = copy(self._bank), self.index + 1
        self._take_in(bank, index, embedding, self.objects, probabilities, ids, doubtful=doubtful, lost=lost)

    def doubts(self, answer: Result) -> frozenset[int]:
        """The objects found of which an answer is too doubtful to be remembered: see `InferenceConfig.match_above`."""
        found = {id: sure for id, sure in answer.confidence.items() if id not in answer.lost}
        return frozenset(id for id, sure in found.items() if sure < self.config.match_above)

    @own_settings()
    def upload(self, frame: Picture) -> Uploaded:
        """A frame for `start` or `step` on its way to the device, ahead of its turn; any thread may do this. The array
        is free again when this returns. Raises VideoError if the frame is no (H, W, 3) uint8 picture."""
        frame = as_frame(frame)
        return self._uploader(frame, self.work_size(frame.shape[:2]))

    @entry
    def encode(self, frame: Picture | Uploaded) -> Uploaded:
        """A frame for `start` or `step`, uploaded and encoded: copies of this segmenter, each of which follows objects
        of its own, share that work. Raises VideoError as `upload`."""
        frame = self._uploaded(frame)
        return replace(frame, embedding=self._encode(frame), encoder=self.network)

    @entry
    def embed(self, frame: Picture, size: tuple[int, int]) -> Any:
        """What the network knows of any picture, brought to `size`, sides 16 k + 1. It is not taken in: what is
        followed stays as it was. Raises VideoError if the picture is no (H, W, 3) uint8."""
        return self._encode(self._uploader(as_frame(frame), size))

    @entry
    def correct(self, mask: np.ndarray, objects: Iterable[int] = ()) -> Result:
        """Give masks on the frame last seen, of known objects or new ones; it becomes a reference frame.

        mask (H, W) uint8 ids. The ids in it, and those of `objects`, are just where the mask says, so an id of
        `objects` that is not in the mask is not on this frame; all others stay as they were, less the pixels now taken.
        It may be seen again later; `remove` drops it for good. A mask of 0 and 255 alone is of object 1, where no other
        is followed and 255 is not named. Raises MaskError if the mask has another size or there is no object,
        VideoError before `start`.
        """
        if self.index < 0:
            raise VideoError("correct before start: give the first frame and its mask to start(frame, mask)")
        objects = tuple(objects)
        mask = ids_in(mask, (*self.objects, *objects))
        _check_size(mask, self._ids.shape)
        given = ObjectIds.of(mask).with_ids(objects)
        if not len(given):
            raise MaskError("the correction holds no object; name in `objects` those that are absent from this frame")
        ids = corrected_ids(self._ids, mask, given)
        followed = self.objects.with_ids(given)
        channels = self._channels(followed)
        probabilities = self._as_probabilities(followed, ids)
        if not self.network.hard_masks:
            # Where nothing was stated the prediction's own doubt stays: it tells more than its hard labels do.
            theirs = [followed.channel(i) for i in given]
            stated = probabilities[theirs]
            kept = _without(select_channels(self._probabilities, channels), theirs)
            probabilities = kept * (1 - stated.sum(0))
            probabilities[theirs] = stated
        bank = copy(self._bank)
        bank.select(channels)
        result = self._answer(self.index, followed, probabilities, ids.shape, ids, given)
        self._take_in(bank, self.index, self._embedding, followed, probabilities, result.ids, given)
        return result

    @entry
    def remove(self, id: int) -> None:
        """Stop following an object. MaskError if it is not followed."""
        objects = self.objects.without(id)
        channels = self._channels(objects)
        bank = copy(self._bank)
        bank.select(channels)
        probabilities = select_channels(_without(self._probabilities, [self.objects.channel(id)]), channels)
        ids = np.where(self._ids == id, 0, self._ids).astype(np.uint8)
        # As in `_take_in`: all that may fail comes before the first change.
        self._bank, self.objects, self._probabilities, self._ids = bank, objects, probabilities, ids

    @property
    def remembered(self) -> list[int]:
        """Positions of the frames that are held in memory, sorted."""
        return self._bank.indices()

    @property
    def probabilities(self) -> Tensor:
        """(N+1, h, w) of the frame last seen, channel 0 the background, at the size they are kept at."""
        return self._probabilities

    def work_size(self, size: tuple[int, ...]) -> tuple[int, int]:
        """At which frames of size (H, W) are worked on."""
        return self.network.work_size(size[0], size[1], self.config.short_side, self.config.max_side)

    def configured(self, config: InferenceConfig) -> Segmenter:
        """Another one that was never started, with the same network, which it shares; its backend stays."""
        other = copy(self)
        other.config, other.objects, other.index = config, ObjectIds(), -1
        other._bank = other._new_bank()
        return other

    def fresh(self) -> Segmenter:
        """Another one that was never started, with the same network, which it shares."""
        return self.configured(self.config)

    def known(self) -> dict[str, Any]:
        """All that it knows of the video, in values that are never changed; see `knowing`."""
        seen = {"embedding": self._embedding, "probabilities": self._probabilities, "ids": self._ids}
        return {"objects": self.objects, "index": self.index, "bank": self._bank.known(), **seen}

    def knowing(self, known: Mapping[str, Any]) -> Segmenter:
        """Another one with the same network that goes on from what one of the same options had `known`."""
        other = copy(self)
        other.objects, other.index, other._bank = known["objects"], known["index"], other._new_bank()
        other._bank.take(known["bank"])
        other._embedding, other._probabilities, other._ids = (known[n] for n in ("embedding", "probabilities", "ids"))
        return other

    def open_segmenter(self, side: int) -> Segmenter:
        """Another one that was never started, and works at a side in pixels."""
        return self.configured(replace(self.config, short_side=side, max_side=side))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _new_bank(self) -> Bank:
        most, matched = self.config.memory_frames, self.config.matched_frames
        most = self.network.memory_frames if most is None else most
        matched = self.network.matched_frames if matched is None else matched
        return Bank(self.config.memory_every, most, matched, self.config.reference_frames, self.network.looks)

    def _amp(self) -> torch.autocast:
        use = self.config.autocast and self.device.type == "cuda"
        return torch.autocast(self.device.type, torch.float16 if use else torch.bfloat16, enabled=use)

    def _channels(self, objects: ObjectIds) -> list[int | None]:
        """For each channel of `objects` its channel now, None for an object that is not followed yet."""
        return [0, *(self.objects.channel(i) if i in self.objects else None for i in objects)]

    def _uploaded(self, frame: Picture | Uploaded) -> Uploaded:
        if not isinstance(frame, Uploaded):
            with self.clock("resize"):
                return self.upload(frame)
        if tuple(frame.pixels.shape[:2]) != self.work_size(frame.size):
            raise VideoError("this frame was uploaded by a segmenter that works at another size; upload it by this one")
        if frame.encoder not in (None, self.network):
            raise VideoError("this frame was encoded by another network; encode it by this segmenter, or a copy of it")
        return frame

    def _encode(self, frame: Uploaded) -> Any:
        if frame.encoder is not None:
            return frame.embedding
        with self.clock("resize"):
            image = frame.image(self.config.channels_last)
        with self.clock("encode"), self._amp():
            return self.network.encode(image).float()

    def _segment(self, embedding: Any) -> Tensor:
        assert self._bank.previous is not None
        with self.clock("match"):
            matched = self.network.match(embedding, self._bank.to_match(), self._bank.previous, self._bank.entries())
        with self.clock("decode"), self._amp():
            logits = self.network.decode([matched])[0]
        size = self._ids.shape
        with self.clock("output"):
            return enlarge(logits.float(), size if self.network.hard_masks else self.work_size(size)).softmax(0)

    def _as_probabilities(self, objects: ObjectIds, ids: np.ndarray) -> Tensor:
        """Ids at the frame's size -> (N+1, h, w) at the size that probabilities are kept at."""
        labels = torch.from_numpy(objects.channels(ids)).to(self.device)
        size = self.work_size(ids.shape)

        def planes(channels: Tensor) -> Tensor:
            hot = (labels == channels.view(-1, 1, 1)).float()
            if self.network.hard_masks:
                return hot
            if size[0] <= ids.shape[0]:
                return area(hot[None], size)[0].clamp(0, 1)
            return F.interpolate(hot[None], size, mode="bilinear")[0].clamp(0, 1)

        every = torch.arange(len(objects) + 1, dtype=torch.uint8, device=self.device)
        return torch.cat([planes(some) for some in every.split(at_once(self.device, ids.shape))])

    def _answer(
        self,
        index: int,
        objects: ObjectIds,
        probabilities: Tensor,
        size: tuple[int, ...],
        ids: np.ndarray | None = None,
        given: Iterable[int] = (),
    ) -> Result:
        """ids: the frame's labels where the user gave some, of the objects `given`."""
        with self.clock("output"):
            return Result.of(index, objects, probabilities, size, ids, frozenset(given), self.config.lost_below)

    def _take_in(
        self,
        bank: Bank,
        index: int,
        embedding: Any,
        objects: ObjectIds,
        probabilities: Tensor,
        ids: np.ndarray,
        given: Iterable[int] = (),
        doubtful: Collection[int] = (),
        lost: Collection[int] = (),
    ) -> None:
        """Make this the frame last seen. ids: what was answered for it. given: the objects whose masks are the user's.
        doubtful, lost: see `accept`.

        All that may fail, for want of memory, comes before the first change, so that a call that fails changes nothing.
        """
        with self.clock("remember"):
            masks = probabilities
            if self.network.hard_masks:
                channels = torch.arange(len(masks), device=masks.device).view(-1, 1, 1)
                masks = (strongest(masks) == channels).float()
            labelled = self.network.label(embedding, masks)
            entry = None
            if self.network.memory is not None and len(objects):
                entry = self.network.remember(labelled)
            stated = frozenset(given)
            shown = [objects.channel(id) for id in stated & set(np.unique(ids).tolist())] if stated else None
            unsure = (doubtful, lost) if self.network.selective else ((), ())
            channels = [list(map(objects.channel, some)) for some in unsure]
        ids = ids.copy()  # an answer is the caller's own
        bank.remember(index, labelled, entry, shown, *channels)
        self._bank, self.index, self._embedding, self.objects = bank, index, embedding, objects
        self._probabilities, self._ids = probabilities, ids


def corrected_ids(ids: np.ndarray, mask: np.ndarray, given: ObjectIds) -> np.ndarray:
    """The labels `ids` (H, W) after the correction `mask` (H, W): the objects `given` are just where it says."""
    return np.where(mask > 0, mask, np.where(np.isin(ids, given.ids), 0, ids)).astype(np.uint8)


def _without(probabilities: Tensor, channels: list[int]) -> Tensor:
    """(N+1, h, w) with `channels` emptied: pixels that were theirs go to the background, elsewhere the others share."""
    theirs = torch.isin(strongest(probabilities), torch.tensor(channels, device=probabilities.device))
    kept = probabilities.clone()
    kept[channels] = 0
    kept[0] += probabilities[channels].sum(0) * theirs
    return kept / kept.sum(0)


def resolve_device(device: str | torch.device) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU; MPS, on which nobody has seen this work, must be named.
    ConfigError for a device that is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {device!r} cannot be used ({str(error).splitlines()[0]}); try auto or cpu") from None
    return chosen


def _by(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _check_size(mask: np.ndarray, size: tuple[int, ...]) -> None:
    if mask.shape != tuple(size):
        sizes = f"the mask is {_by(mask.shape)}, the frame is {_by(size)}"
        raise size_error(sizes, mask.shape, size, "they must be the same size", "; of an array (W, H) give mask.T")
