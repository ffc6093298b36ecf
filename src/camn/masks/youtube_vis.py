"""YouTube-VIS JSON: of each object of a video its mask on each frame."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from camn.errors import MaskError
from camn.masks.coco import binary_of, categories_of, records_of
from camn.masks.labelled import SHOWN, Annotation, Document, Image, Key, scalar
from camn.masks.reader import Frames

Record = dict[str, Any]


def is_youtube_vis(content: Any) -> bool:
    return isinstance(content, dict) and "videos" in content and "images" not in content


def youtube_vis_document(path: Path, content: Any, video: Frames) -> Document:
    """The masks of one video. Frames without one are as those that a file does not name. Raises MaskError."""
    videos, annotations, categories = (
        records_of(path, content, key) for key in ("videos", "annotations", "categories")
    )
    chosen = _chosen(path, videos, annotations, video.video)
    names = _file_names(path, chosen)
    size = tuple(scalar(path, _name(chosen), chosen, key) for key in ("height", "width"))
    images: dict[Key, Image] = {n: Image(n, name, (size[0], size[1])) for n, name in enumerate(names)}
    mine = [one for one in annotations if str(one.get("video_id")) == str(chosen.get("id"))]
    found = [one for record in mine for one in _shown(path, record, images)]
    if not found:
        raise MaskError(f"{path}: holds no masks of video '{_name(chosen)}', so no object to follow")
    notes = [f"{path}: the masks of video '{_name(chosen)}' are taken."] if len(videos) > 1 else []
    return Document(images, found, categories_of(path, categories), "annotation", notes, counted=not any(names))


def _chosen(path: Path, videos: list[Record], annotations: list[Record], wanted: str) -> Record:
    """The video called like the one that is segmented; else the only one that has masks."""
    used = {str(one.get("video_id")) for one in annotations}
    shown = [one for one in videos if str(one.get("id")) in used]
    called = [one for one in shown if {_name(one), _stem(_name(one))} & {wanted, _stem(wanted)}]
    found = called if len(called) == 1 else shown
    if not found:
        raise MaskError(f"{path}: holds no annotations of its {len(videos)} videos, so no object to follow")
    if len(found) > 1:
        names = ", ".join([*(_name(one) for one in found[:5]), *["..."] * (len(found) > 5)])
        raise MaskError(
            f"{path}: holds masks of {len(found)} videos ({names}), and nothing says which is '{wanted}'; "
            "give a file of the one video, or call the video as the file does"
        )
    return found[0]


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _name(video: Record) -> str:
    """What a video is called: its name; else the folder of its frames; else its id."""
    files = video.get("file_names")
    first = files[0] if isinstance(files, list) and files and isinstance(files[0], str) else ""
    folder = first.replace("\\", "/").rpartition("/")[0].rpartition("/")[2]
    return str(video.get("name") or folder or video.get("id"))


def _file_names(path: Path, video: Record) -> list[str]:
    files, length = video.get("file_names"), video.get("length")
    if files is None and type(length) is int and 0 < length < 10_000_000:
        return [""] * length
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        raise MaskError(f"{path}: video '{_name(video)}': 'file_names' must be a list of names, not {files!r:.{SHOWN}}")
    return files


def _shown(path: Path, record: Record, images: dict[Key, Image]) -> list[Annotation]:
    """An annotation's masks, one for each frame that shows it."""
    id, category = (scalar(path, "annotation", record, key) for key in ("id", "category_id"))
    masks = record.get("segmentations")
    if not isinstance(masks, list) or len(masks) != len(images):
        given = len(masks) if isinstance(masks, list) else "no"
        raise MaskError(
            f"{path}: annotation {id}: {given} 'segmentations', but its video has {len(images)} frames; give one for "
            "each, null where the object is not to be seen"
        )
    return [
        Annotation(f"annotation {id}, frame {n}", None, n, category, partial(binary_of, mask, images[n].size), track=id)
        for n, mask in enumerate(masks)
        if mask
    ]
