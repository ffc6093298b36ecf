"""Frames as JPEG files, for exports that carry pictures along."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from camn.errors import VideoError
from camn.masks.sizes import in_words
from camn.media.picture import read_page
from camn.media.source import Frame

QUALITY = 95
LONGEST = 65_500  # pixels of a side, the most that libjpeg writes


def need_jpeg(size: tuple[int, int]) -> None:
    """Raises VideoError for frames (H, W) that no JPEG file can hold."""
    if max(size) > LONGEST:
        raise VideoError(
            f"frames of {in_words(size)} are too large for JPEG, which holds {LONGEST} pixels a side; choose exports "
            "that write none"
        )


def as_jpeg(frame: Frame) -> bytes:
    """The bytes of a JPEG file that shows the frame: those of the source's own file, where it is one that readers who
    heed neither EXIF nor a picture range see alike; else made here."""
    if (own := _own(frame)) is not None:
        return own
    buffer = io.BytesIO()
    Image.fromarray(frame.image).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def _own(frame: Frame) -> bytes | None:
    if frame.path is None or frame.path.suffix.lower() not in (".jpg", ".jpeg"):
        return None

    def same(image: Image.Image, path: object) -> bool:
        plain = image.format == "JPEG" and image.mode in ("L", "RGB")
        return plain and np.array_equal(np.asarray(image.convert("RGB")), frame.image)

    try:
        return frame.path.read_bytes() if read_page(frame.path, same) else None
    except (VideoError, OSError):  # it is gone meanwhile, say; the frame itself is there
        return None
