"""Frames as JPEG files, for exports that carry pictures along."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from camn.errors import VideoError
from camn.media.picture import read_page
from camn.media.source import Frame

QUALITY = 95


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
