"""Opening whatever holds frames."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from camn.errors import VideoError
from camn.files import path_of
from camn.media.folder_files import picture_kind
from camn.media.image_folder import FolderSource
from camn.media.picture import Levels, read_image
from camn.media.picture_pages import PagesSource, holds_pages
from camn.media.source import FrameSource
from camn.media.strangers import locate
from camn.media.video_file import VideoSource

IN_MEMORY = "give that of a video file or of a folder of images; frames in memory go to camn.follow(frames, mask)"
_NO_PICTURE = "the picture range is for images alone: this video is read as it is"


def open_source(
    path: str | Path, max_pixels: int | None = None, picture_range: tuple[float, float] | None = None
) -> FrameSource:
    """The frames of a video file, of a folder of images, or of one file of several pictures.

    max_pixels: of a frame; a larger one is refused before it is decoded, whatever the headers say. picture_range: of
    pictures the values, as they are stored, that are black and white; if not given, all that a kind of picture can
    hold, but for pictures of 16 bits that use little of it (see `camn.media.levels`); of a video it changes nothing,
    which is a warning then. Raises VideoError when there is nothing to read: missing, empty, not a video, no images,
    images of unlike sizes; or an address, a camera, a list of other files.
    """
    path_of(path, VideoError, IN_MEMORY)
    path, levels = locate(path), Levels(*picture_range) if picture_range else None
    if path.is_dir():
        return FolderSource.open(path, max_pixels, levels)
    if holds_pages(path):
        return PagesSource.open(path, max_pixels, levels)
    try:
        video = VideoSource.open(path, max_pixels)
    except VideoError:
        if (still := _still(path, max_pixels, levels)) is None:
            raise
        return still
    return video if levels is None else replace(video, remarks=(*video.remarks, _NO_PICTURE))


def _still(path: Path, max_pixels: int | None, levels: Levels | None) -> FrameSource | None:
    """A picture that FFmpeg knows by its name alone, as it does a phone's photo with a preview or a film behind it, and
    `VideoSource` goes by no names."""
    if picture_kind(path) == "JPEG" or path.suffix.lower() == ".tga":
        with suppress(VideoError):
            source = PagesSource.open(path, max_pixels, levels)
            read_image(path)
            return source
    return None
