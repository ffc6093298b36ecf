"""Opening whatever holds frames."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from camn.errors import VideoError
from camn.files import path_of
from camn.media.addresses import Address, Take, address_of
from camn.media.fetched import FetchedSource
from camn.media.folder_files import picture_kind
from camn.media.image_folder import FolderSource
from camn.media.network import ask
from camn.media.patterns import Pattern
from camn.media.picture import Levels, read_image
from camn.media.picture_pages import PagesSource, holds_pages
from camn.media.source import FrameSource
from camn.media.strangers import locate
from camn.media.streams import open_camera_stream, open_reply, open_rtsp, open_stdin
from camn.media.video_file import VideoSource

IN_MEMORY = "give that of a video file or of a folder of images; frames in memory go to camn.follow(frames, mask)"
_NO_PICTURE = "the picture range is for images alone: this video is read as it is"


def open_source(
    path: str | Path,
    max_pixels: int | None = None,
    picture_range: tuple[float, float] | None = None,
    *,
    take: Take = "auto",
    notice: Callable[[str], object] = lambda note: None,
) -> FrameSource:
    """The frames of a video file, of a folder of images, of files whose names fit a pattern, of one file of several
    pictures; and, where `path` is a text, of a stream: camera:0, an address of http, https, rtsp or
    rtsps, or - for the standard input (see docs/reference/live.md). A Path is always a file or a folder.

    max_pixels: of a frame; a larger one is refused before it is decoded, whatever the headers say. picture_range: of
    pictures the values, as they are stored, that are black and white; if not given, all that a kind of picture can
    hold, but for pictures of 16 bits that use little of it (see `camn.media.levels`); of a video it changes nothing,
    which is a warning then. take: which frames of a stream: all, or the newest whenever one is asked for; auto takes
    all of the standard input, the newest of other streams. notice: is told what takes a while, and, from
    a thread of the stream's own, of each try to open it again. Raises VideoError when
    there is nothing to read: missing, empty, not a video, no images, images of unlike sizes; a list of other files; a
    camera or a host that does not answer.
    """
    path_of(path, VideoError, IN_MEMORY)
    if isinstance(path, str) and (address := address_of(path)) is not None:
        return _open_address(address, take, max_pixels, picture_range, notice)
    if take == "newest":
        raise VideoError(f"{path}: a file, of which all frames are read; take newest is for streams: leave it out")
    return _open_file(path, max_pixels, Levels(*picture_range) if picture_range else None)


def _open_address(
    address: Address,
    take: Take,
    max_pixels: int | None,
    picture_range: tuple[float, float] | None,
    notice: Callable[[str], object],
) -> FrameSource:
    if address.kind == "stdin":
        return open_stdin(address, take, max_pixels)
    if address.kind == "camera":
        return open_camera_stream(address, take, max_pixels, notice)
    if address.kind == "rtsp":
        return open_rtsp(address, take, max_pixels, notice)
    reply = ask(address)
    if reply.goes_on or reply.length is None:
        return open_reply(address, reply, take, max_pixels, notice)
    with closing(reply):
        notice(f"{address.shown}: {reply.length / 1e6:.1f} MB, fetched first")
        return FetchedSource(address, reply, lambda file: open_source(file, max_pixels, picture_range, take=take))


def _open_file(path: str | Path, max_pixels: int | None, levels: Levels | None) -> FrameSource:
    if (pattern := Pattern.of(path)) is not None:
        return FolderSource.open(pattern.folder, max_pixels, levels, pattern)
    path = locate(path)
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
    `VideoSource` goes by no names; or one whose name it takes for a pattern."""
    if picture_kind(path) == "JPEG" or "%" in path.name or path.suffix.lower() == ".tga":
        with suppress(VideoError):
            source = PagesSource.open(path, max_pixels, levels)
            read_image(path)
            return source
    return None
