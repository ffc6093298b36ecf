"""What cut-outs are laid over: a colour, the frame itself out of focus, or a picture."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from camn.errors import ConfigError, VideoError
from camn.files import is_file
from camn.masks.colours import from_hex
from camn.media.picture import read_image

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_SHARE = 40  # the blur's sigma is the shorter side by this
_SMALL = 8  # pictures are blurred this much smaller, which looks the same and costs little
Background = Callable[[np.ndarray], np.ndarray]


def background(said: str, size: tuple[int, int], aspect: Fraction = Fraction(1)) -> Background:
    """What stands behind an object: frame (H, W, 3) uint8 RGB -> (H, W, 3) uint8.

    said: "#rrggbb"; "blur"; or the path of a picture, which covers the frame and is cut at its sides where it has
    another shape. size: (H, W) of the frames. aspect: width by height of their pixels. Raises ConfigError.
    """
    if _COLOUR.fullmatch(said):
        return _always(np.full((*size, 3), from_hex(said), np.uint8))
    if said == "blur":
        return blurred
    if not is_file(Path(said)):
        raise ConfigError(f"background {said!r}: no such picture; give a colour as #00ff00, blur, or a picture's path")
    try:
        picture = read_image(Path(said))
    except VideoError as error:
        raise ConfigError(f"background {error}; or give a colour as #00ff00, or blur") from error
    return _always(covering(picture, size, aspect))


def _always(picture: np.ndarray) -> Background:
    return lambda image: picture


def blurred(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> the same, out of focus."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, width // _SMALL), max(1, height // _SMALL)), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), max(0.5, min(height, width) / _SHARE / _SMALL))
    return cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC)


def covering(picture: np.ndarray, size: tuple[int, int], aspect: Fraction) -> np.ndarray:
    """The middle of a picture, as large as fits the shape of a frame, at the frame's size (H, W)."""
    (height, width), (h, w) = picture.shape[:2], size
    shape = w * aspect / h
    across, down = min(width, round(height * shape)), min(height, round(width / shape))
    left, top = (width - max(1, across)) // 2, (height - max(1, down)) // 2
    middle = picture[top : top + max(1, down), left : left + max(1, across)]
    shrinks = middle.shape[0] >= h and middle.shape[1] >= w
    return cv2.resize(middle, (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
