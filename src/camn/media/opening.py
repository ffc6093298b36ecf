"""Opening whatever holds frames."""

from __future__ import annotations

from pathlib import Path

from camn.errors import VideoError
from camn.files import path_of
from camn.media.image_folder import FolderSource
from camn.media.source import FrameSource
from camn.media.strangers import locate
from camn.media.video_file import VideoSource

IN_MEMORY = (
    "give that of a video file or of a folder of images; frames in memory go one by one to a segmenter = camn.load(): "
    "segmenter.start(frame, mask), then segmenter.step(frame)"
)


def open_source(path: str | Path, max_pixels: int | None = None) -> FrameSource:
    """The frames of a video file or of a folder of images.

    max_pixels: of a frame; a larger one is refused before it is decoded, whatever the headers say. Raises VideoError
    when there is nothing to read: missing, empty, not a video, no images, images of unlike sizes; or an address, a
    camera, a list of other files.
    """
    path_of(path, VideoError, IN_MEMORY)
    path = locate(path)
    return FolderSource.open(path, max_pixels) if path.is_dir() else VideoSource.open(path, max_pixels)
