"""Frames as callers have them: what is one without a doubt, and for all else what makes one of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from camn.errors import VideoError
from camn.pillow import whole_files

Picture = np.ndarray | Tensor | Image.Image
DEEP = ("I", "F")  # how names of Pillow's modes begin whose values are not 0..255


def as_frame(frame: Picture) -> np.ndarray:
    """(H, W, 3) uint8 of what is one already, as array or tensor, or of a Pillow image. Raises VideoError for anything
    else, saying what to make of it: which values are white, say, is the caller's knowledge. Nor can it be seen whether
    the colours are RGB."""
    if isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and frame.shape[2:] == (3,) and frame.size:
        return frame
    if isinstance(frame, Image.Image) and not frame.mode.startswith(DEEP) and min(frame.size) > 0:
        return _of_image(frame)
    if isinstance(frame, Tensor) and frame.dtype == torch.uint8 and frame.shape[2:] == (3,) and frame.numel():
        return frame.detach().cpu().numpy()
    if isinstance(frame, (np.ndarray, Tensor)) and 0 in frame.shape:
        raise VideoError("the frame is empty")
    raise VideoError(f"a frame is an array (H, W, 3) of uint8 in RGB; this one is {_seen(frame)}; {_remedy(frame)}")


def _of_image(image: Image.Image) -> np.ndarray:
    """Of one that was opened from a file, the pixels are read only here. Raises VideoError."""
    try:
        with whole_files():
            through = image.convert("RGBA") if image.mode == "P" else image  # straight to RGB, Pillow may warn
            return np.array(through.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        name = getattr(image, "filename", "") or "the frame's image"
        raise VideoError(
            f"{name}: cannot be read ({error}); open an intact file, and leave it open until here"
        ) from error


def _seen(frame: Any) -> str:
    if isinstance(frame, Image.Image):
        return f"an image of mode {frame.mode}"
    of = "Tensor of " if isinstance(frame, Tensor) else ""
    return (
        f"{of}{frame.dtype} {tuple(frame.shape)}" if isinstance(frame, (np.ndarray, Tensor)) else type(frame).__name__
    )


def _remedy(frame: Any) -> str:
    """What the caller may do, in an order in which it can be done."""
    if isinstance(frame, Image.Image):
        return "bring its values to 0..255 first"
    if not isinstance(frame, (np.ndarray, Tensor)):
        return "give np.asarray(frame) of a sequence of numbers, np.asarray(PIL.Image.open(frame)) of a file"
    array = frame.detach().cpu().float().numpy() if isinstance(frame, Tensor) else frame
    said = [_shape_remedy(array.shape), "" if "uint8" in str(frame.dtype) else _value_remedy(array)]
    start = "with array = frame.cpu().numpy(): " if isinstance(frame, Tensor) else ""
    return start + ", then ".join(filter(None, said)).replace("frame", "array" if start else "frame")


def _shape_remedy(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return "of a grey picture give np.repeat(frame[..., None], 3, 2)"
    if len(shape) != 3:
        return "give one picture at a time"
    if shape[2] not in (1, 3, 4) and shape[0] in (1, 3, 4):
        return "channels come last: frame.transpose(1, 2, 0)"
    if shape[2] == 1:
        return "of a grey picture give np.repeat(frame, 3, 2)"
    return "leave out what is no colour: frame[..., :3]" if shape[2] > 3 else ""


def _value_remedy(array: np.ndarray) -> str:
    if array.dtype.kind not in "fiub":
        return "give numbers"
    if not np.isfinite(array).all():
        return "mend its values that are not finite"
    if array.dtype.kind == "b":
        return "give frame.astype(np.uint8) * 255"
    if array.min() < 0 or array.max() > 255:
        return f"its values are {array.min():g}..{array.max():g}: bring them to 0..255, as uint8"
    if array.dtype.kind == "f" and array.max() <= 1:
        return "give (frame * 255).round().astype(np.uint8), if 1 is white"
    return "give frame.round().astype(np.uint8), if 255 is white"
