"""Frames as a program has them, of anything that can be iterated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from torch import Tensor

from camn.errors import VideoError
from camn.inference.calls import own_settings
from camn.inference.frames import as_frame
from camn.masks.sizes import in_words
from camn.media.opening import open_source
from camn.media.orientation import Orientation
from camn.media.picture import read_image
from camn.media.source import Frame, FrameSource


def known_source(frames: Any) -> FrameSource | None:
    """What is opened here: a path, or a source that is open already. None for frames that the caller has. Raises
    VideoError for what is neither."""
    if isinstance(frames, (str, PathLike)):
        return open_source(frames)  # pyright: ignore[reportArgumentType], bytes are refused
    if isinstance(frames, FrameSource):
        return frames
    if isinstance(frames, Image.Image) or (isinstance(frames, (np.ndarray, Tensor)) and frames.ndim < 4):
        raise VideoError("this is one picture, and frames are several: give them in a list, [frame, ...]")
    if not hasattr(frames, "__iter__") and not hasattr(frames, "__getitem__"):
        raise VideoError(
            f"a {type(frames).__name__} cannot be iterated; give frames one after another, as a list or a generator of "
            "them, or the path of a video or of a folder of images"
        )
    return None


def stems(frames: Any) -> tuple[str, ...] | None:
    """The frames' names, where all are files, known beforehand."""
    listed = isinstance(frames, (list, tuple)) and all(isinstance(one, (str, PathLike)) for one in frames)
    return tuple(Path(one).stem for one in frames) if listed else None


def length(frames: Any) -> int | None:
    """How many frames there will be, where that is known: a loader's length counts its batches."""
    return len(frames) if isinstance(frames, (list, tuple, np.ndarray, Tensor)) else None


def in_turn(frames: Iterable[Any]) -> Iterator[Frame]:
    """One frame of the caller's after another, none before it is asked for. The caller's own settings hold while theirs
    is made. Raises VideoError, which says of which frame."""
    index, size = 0, None
    for given in frames:
        for one in given if _is_batch(given) else [given]:
            frame = _frame(one, index)
            size = size or frame.image.shape[:2]
            if frame.image.shape[:2] != size:
                raise VideoError(
                    f"frame {index} is {in_words(frame.image.shape)}, those before it are {in_words(size)}; all frames "
                    "of a video have one size: resize it, or follow what is of another size for itself"
                )
            yield frame
            index += 1
    if not index:
        raise VideoError("there are no frames: what was given ended before the first one; give one at least")


def _is_batch(given: Any) -> bool:
    return isinstance(given, (np.ndarray, Tensor)) and given.ndim == 4


@own_settings(inference=False)
def _frame(given: Any, index: int) -> Frame:
    """The caller may read the next one into the same memory, so it is copied."""
    if isinstance(given, Frame):
        return replace(given, index=index)
    name = f"{index:06d}"
    if isinstance(given, av.VideoFrame):
        return Frame(index, name, _upright(given))
    try:
        if isinstance(given, (str, PathLike)):
            return Frame(index, Path(given).stem, read_image(Path(given)))
        return Frame(index, name, np.array(as_frame(given), order="C"))
    except VideoError as error:
        raise VideoError(f"frame {index} (0 is the first): {error}") from None


def _upright(frame: av.VideoFrame) -> np.ndarray:
    return Orientation.of(frame).apply(frame.reformat(format="rgb24").to_ndarray())
