"""Masks of another size than their frames: what that tells of how they were made."""

from __future__ import annotations

from collections.abc import Sequence

from camn.errors import MaskSizeError, MaskTurnedError

TURNED = (
    "It fits the frame turned by 90 degrees, as if made on the stored picture by a program that does not heed the "
    "rotation in a video's header or a picture's EXIF data (decord, ffmpeg -noautorotate, Pillow's Image.open): turn "
    "the mask by 90 degrees, the way the frames are turned, or make it on upright frames"
)


def in_words(size: Sequence[int]) -> str:
    """(H, W) as people say it: 640x360."""
    return f"{size[1]}x{size[0]}"


def same_shape(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two sizes (H, W) have one aspect ratio, but for the rounding of a side to whole pixels."""
    (h, w), (height, width) = one, other
    return abs(h * width - w * height) <= max(1, *one, *other)


def is_turned(mask: Sequence[int], frame: Sequence[int]) -> bool:
    """Whether a mask's size (H, W), or its shape at another scale, is the frame's turned by 90 degrees; roughly where
    one is upright and the other is not, since programs pad sides to multiples of 8 or 16."""
    upright, lying = mask[0] / mask[1] * frame[1] / frame[0], mask[1] / mask[0] * frame[1] / frame[0]
    roughly = abs(lying - 1) < 0.03 and abs(upright - 1) > 0.2
    return not same_shape(mask, frame) and (same_shape(mask, frame[::-1]) or roughly)


def turned(mask: Sequence[int], frame: Sequence[int]) -> str:
    """The end of a sentence on a mask of another size: empty, or ". It fits the frame turned by 90 degrees ..."."""
    return f". {TURNED}" if is_turned(mask, frame) else ""


def size_error(
    sizes: str, mask: Sequence[int], frame: Sequence[int], remedy: str, turned_too: str = ""
) -> MaskSizeError:
    """The error for a mask of another size than its frame. sizes: says them. remedy: for one that is not turned.
    turned_too: a further one for one that is."""
    if is_turned(mask, frame):
        return MaskTurnedError(f"{sizes}. {TURNED}{turned_too}")
    return MaskSizeError(f"{sizes}; {remedy}")


def stretched(mask: Sequence[int], frame: Sequence[int]) -> str:
    """What scaling does to a mask of another aspect ratio, in words; empty where it has the same."""
    if same_shape(mask, frame):
        return ""
    across, down = frame[1] / mask[1], frame[0] / mask[0]
    return (
        f"{in_words(mask)} is scaled to {in_words(frame)}, by {across:.3g} across and {down:.3g} down; it is wrong if "
        "it was made on frames that were cropped or padded, rather than stretched, to its size"
    )
