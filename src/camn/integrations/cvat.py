"""A tracking function for CVAT: masks and polygons drawn on one frame are followed to the next ones.

    cvat-cli function create-native "CAMN" --function-module camn.integrations.cvat
    cvat-cli function run-agent ID --function-module camn.integrations.cvat

The protocol is `TrackingFunction` of cvat-sdk. See docs/reference/cvat.md.
"""

from __future__ import annotations

import multiprocessing
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import cv2
import numpy as np
from PIL import Image

from camn.api import AnySegmenter, Model, SegmentOptions, enough_memory, open_model
from camn.api.own_process import keep_freed_memory
from camn.errors import CamnError, ConfigError, MaskError
from camn.masks.rle import fill_polygons

try:
    from cvat_sdk.auto_annotation import (
        BadFunctionError,
        TrackableShape,
        TrackingFunctionContext,
        TrackingFunctionShapeContext,
        TrackingFunctionSpec,
    )
    from cvat_sdk.masks import decode_mask, encode_mask
except ImportError as error:
    raise CamnError(f"camn.integrations.cvat needs more packages ({error}); pip install 'camn[cvat]'") from error

OBJECT = 1  # its id in the segmenter of a shape, which follows nothing else


def create(
    model: str = "camn-mobile",
    device: str = "auto",
    short_side: int = SegmentOptions.short_side,
    max_side: int = SegmentOptions.max_side,
    backend: str = SegmentOptions.backend,
    shapes: int = 50,
) -> Tracker:
    """What cvat-cli calls, with its parameters `-p NAME=TYPE:VALUE`.

    model, device, short_side, max_side, backend: see `SegmentOptions`. shapes: at most so many are remembered; when one
    more is begun, the one that was not followed for longest is forgotten. Raises CamnError.
    """
    given = {"model": model, "device": device, "backend": backend}
    numbers = {"short_side": short_side, "max_side": max_side, "shapes": shapes}
    for values, kind in ((given, str), (numbers, int)):
        for name, value in values.items():
            if type(value) is not kind:
                raise ConfigError(f"{name} is {value!r}: give it as -p {name}={kind.__name__}:VALUE")
    if shapes < 1:
        raise ConfigError(f"shapes is {shapes}: it must be 1 or more")
    if multiprocessing.parent_process():  # the agent's worker, which does nothing else
        keep_freed_memory()
    options = SegmentOptions(
        model=(model,),
        device=device,
        short_side=short_side,
        max_side=max_side,
        backend=backend,  # type: ignore[arg-type]
    )
    return Tracker(open_model(options), shapes)


class Tracker:
    """Follows shapes one by one: each has a segmenter of its own, and those that are on one frame share its encoding,
    so that overlapping shapes, as a car and its number plate, are followed as they were drawn. A shape's tracking state
    is a number: what is remembered of it is here, and bounded."""

    spec = TrackingFunctionSpec(supported_shape_types={"mask", "polygon"})

    def __init__(self, model: Model, shapes: int):
        self._model, self._most = model, shapes
        self._encoder = model.segmenter()  # never started
        self._followed: OrderedDict[int, AnySegmenter] = OrderedDict()  # by state, the one used last at the end
        self._numbers = count(1)

    def preprocess_image(self, context: TrackingFunctionContext, image: Image.Image) -> Any:
        """The frame, encoded once for all shapes on it: what a segmenter's `start` and `step` take."""
        with _told((image.height, image.width)):
            return self._encoder.encode(image)

    def init_tracking_state(self, context: TrackingFunctionShapeContext, pp_image: Any, shape: TrackableShape) -> int:
        with _told(pp_image.size):
            segmenter = self._model.segmenter()
            segmenter.start(pp_image, read_shape(shape, pp_image.size).astype(np.uint8) * OBJECT)
        state = next(self._numbers)
        self._followed[state] = segmenter
        while len(self._followed) > self._most:
            self._followed.popitem(last=False)
        return state

    def track(self, context: TrackingFunctionShapeContext, pp_image: Any, state: int) -> TrackableShape | None:
        """None where the object is not to be seen; it may be found again on a later frame."""
        if state not in self._followed:
            raise BadFunctionError(
                f"what this shape looks like is forgotten: at most {self._most} shapes are remembered (parameter "
                "shapes), by one agent while it runs; track it anew from a frame where its shape is right"
            )
        self._followed.move_to_end(state)
        with _told(pp_image.size):
            result = self._followed[state].step(pp_image)
        if OBJECT in result.lost:
            return None
        return make_shape(context.original_shape_type, result.ids == OBJECT)


@contextmanager
def _told(size: tuple[int, int]) -> Iterator[None]:
    """CVAT's page shows what was wrong only of errors of its own kind. size (H, W) of the frames."""
    try:
        with enough_memory(size, 1):
            yield
    except CamnError as error:
        raise BadFunctionError(str(error)) from error


def read_shape(shape: TrackableShape, size: tuple[int, int]) -> np.ndarray:
    """-> the pixels (H, W) bool that it covers. size: (H, W) of its frame. Raises MaskError."""
    if shape.type == "mask":
        try:
            mask = decode_mask(shape.points, image_width=size[1], image_height=size[0])
        except ValueError as error:
            raise MaskError(f"the mask does not fit its {size[1]}x{size[0]} frame ({error}); draw it anew") from error
    elif shape.type == "polygon":
        mask = fill_polygons([list(shape.points)], *size)
    else:
        raise MaskError(f"a shape of type {shape.type!r} cannot be followed; draw a mask or a polygon")
    if not mask.any():
        raise MaskError(f"the {shape.type} covers no pixel of its {size[1]}x{size[0]} frame; draw it anew")
    return mask


def make_shape(kind: str, mask: np.ndarray) -> TrackableShape:
    """A mask (H, W) bool, not empty, as a shape of that kind; as a polygon it is the outline of its largest piece."""
    points = encode_mask(mask) if kind == "mask" else outline(mask).ravel().tolist()
    return TrackableShape(type=kind, points=points)


def outline(mask: np.ndarray) -> np.ndarray:
    """Around the largest piece of a mask (H, W) bool, without its holes -> (N, 2) float x, y at the edges of pixels,
    simplified: a thousandth of the frame's longer side off at most, or half a pixel."""
    # At twice the size a border runs through the first or the second half of a pixel: left or right of its middle.
    doubled = mask.astype(np.uint8).repeat(2, 0).repeat(2, 1)
    pieces, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    ring = (max(pieces, key=cv2.contourArea) + 1) // 2
    simple = cv2.approxPolyDP(ring, max(0.5, max(mask.shape) / 1000), True)
    if len(simple) < 3:  # of what is a pixel or two across
        simple = cv2.approxPolyDP(ring, 0, True)
    return simple[:, 0].astype(float)
