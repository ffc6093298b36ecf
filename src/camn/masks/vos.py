"""The folders of DAVIS and YouTube-VOS: masks of videos, and a file beside them that says what objects are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from camn.errors import MaskError
from camn.masks.contents import json_in
from camn.masks.ids import ObjectIds
from camn.masks.labelled import called
from camn.masks.picture_files import FOLDER, image_files
from camn.masks.reader import Found, Frames, Reader

_MASKS = "Annotations"


def _root(path: Path) -> Path | None:
    """The data set's folder, where `path` is that, or one of masks in it."""
    path = path.absolute()
    inner = (up.parent for up in (path, *path.parents[:2]) if up.name == _MASKS)
    return path if (path / _MASKS).is_dir() else next(inner, None)


def _read(path: Path, video: Frames) -> Found:
    root = _root(path)
    assert root
    folder = _of_video(path, video.video) if root == path.absolute() or path.name == _MASKS else path
    found = FOLDER.read(folder, video)
    shown = {id for mask in found.masks.values() for id in ObjectIds.of(mask)}
    names = {id: name for id, name in _names(root, folder.name).items() if name and id in shown}
    return replace(found, names=names, notes=[*found.notes, *called(names)])


def _of_video(path: Path, wanted: str) -> Path:
    """The folder of masks of the video with that name, or of the only one. Raises MaskError."""
    masks = path if path.name == _MASKS else path / _MASKS
    first = [one for one in sorted(masks.iterdir()) if one.is_dir()]
    deeper = [one for room in first for one in sorted(room.iterdir()) if one.is_dir()]  # Annotations/480p/NAME
    videos = [one for one in (*first, *deeper) if image_files(one)]
    chosen = [one for one in videos if one.name in (wanted, Path(wanted).stem)] or videos
    if len(chosen) != 1:
        names = ", ".join([*(str(one.relative_to(path)) for one in chosen[:5]), *["..."] * (len(chosen) > 5)])
        which = f"masks of {len(chosen)} videos ({names})" if chosen else "no masks"
        raise MaskError(f"{path}: holds {which}; give the folder of the masks of '{wanted or 'the video'}'")
    return chosen[0]


def _names(root: Path, video: str) -> dict[int, str]:
    """Object id -> category, as far as the data set says it."""
    found: Any = {}
    if (meta := root / "meta.json").is_file():
        found = _inner(json_in(meta), "videos", video, "objects")
    elif (meta := root / "davis_semantics.json").is_file():
        found = _inner(json_in(meta), video)
    pairs = found.items() if isinstance(found, dict) else ()
    named = {id: _inner(one, "category") if isinstance(one, dict) else one for id, one in pairs}
    return {int(id): name for id, name in named.items() if id.isdecimal() and len(id) < 4 and isinstance(name, str)}


def _inner(content: Any, *keys: str) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


VOS = Reader(lambda path, head: path.is_dir() and _root(path) is not None, _read, several=True)
