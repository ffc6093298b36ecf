"""Labelled shapes on images -> masks by frame, with the ids and names of objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from camn.errors import MaskError
from camn.masks.frame_names import FrameNames, stem
from camn.masks.ids import MAX_ID, ObjectIds
from camn.masks.labelled import Annotation, Document, Key, called
from camn.masks.numbers import SAID, find_numbers
from camn.masks.reader import Found, Frames


def masks_of(path: Path, document: Document, video: Frames) -> Found:
    """Masks by frame, each at its image's size; MaskError for anything malformed.

    Images are tied to frames by their names: by the same one, or the number in it; else by `id`, as a frame's name or
    a place. A single image of which nothing says the frame is that of frame 0. Where annotations overlap the later one
    is on top. More than `most_pixels` in all frames together are refused.
    """
    frames, notes, unplaced = _frames(path, document, video.names)
    kept = [annotation for annotation in document.annotations if annotation.image in frames]
    ids, more = _object_ids(path, kept, document)
    masks: dict[int, np.ndarray] = {}
    overlap = pixels = 0
    for annotation, id in sorted(zip(kept, ids, strict=True), key=lambda pair: pair[0].order):
        try:
            binary = annotation.draw(video.size)
        except MaskError as error:
            raise MaskError(f"{path}: {annotation.what}: {error}") from error
        frame = frames[annotation.image]
        pixels += 0 if frame in masks else binary.size
        if video.most_pixels is not None and pixels > video.most_pixels:
            raise MaskError(f"{path}: masks of too many frames ({len(masks)} fit); split it into files of fewer frames")
        mask = masks.setdefault(frame, np.zeros(binary.shape, dtype=np.uint8))
        if mask.shape != binary.shape:
            raise MaskError(f"{path}: {annotation.what}: its size is not that of its image's others")
        overlap += np.count_nonzero(binary & (mask != 0) & (mask != id))
        mask[binary] = id
    if overlap:
        notes.append(f"{path}: annotations overlap on {overlap} pixels; the later ones are on top.")
    if gone := sorted(set(ids) - {id for mask in masks.values() for id in ObjectIds.of(mask)}):
        notes.append(f"{path}: objects {gone} cover no pixel: left out.")
    names = {id: document.categories.get(one.category, "") for one, id in reversed(list(zip(kept, ids)))}
    names = {id: name for id, name in sorted(names.items()) if name and id not in gone}
    notes = [*document.notes, *notes, *more, *called(names)]
    return Found(masks, dict.fromkeys(masks, path), {}, notes, unplaced, names)


def _frames(path: Path, document: Document, names: FrameNames) -> tuple[dict[Key, int], list[str], bool]:
    """Frame index by image id, for the annotated images that belong to a frame; notes; whether that is a guess, as
    there is one image and nothing says of which frame."""
    used = list(dict.fromkeys(annotation.image for annotation in document.annotations))
    if document.counted:
        counted = names.counted_from({f"frame {id}": id for id in used if isinstance(id, int)}, names.first or 0, path)
        frames, notes = {id: frame for id in used if (frame := counted[f"frame {id}"]) is not None}, []
    else:
        frames, notes = _by_name(path, document, names)
    if not frames and len(document.images) > 1:
        frames, notes = _by_id(path, document, names)
    tied = {id: frames[id] for id in used if id in frames}
    if not tied and len(used) == 1:
        name = document.images[used[0]].name
        said = [f"{path}: {name} is named like no frame, so its mask is used for the first one."] if name else []
        return {used[0]: 0}, said, True
    if not tied:
        raise MaskError(
            f"{path}: none of its {len(used)} annotated images belongs to a frame; an image's name ('file_name') or id "
            "must be a frame's (a video's frames are 000000, 000001, ...)"
        )
    if len(set(tied.values())) < len(tied):
        raise MaskError(f"{path}: several images belong to the same frame")
    if len(tied) < len(used):
        notes.append(f"{path}: {len(used) - len(tied)} of {len(used)} annotated images belong to no frame: left out.")
    return tied, notes, False


def _by_name(path: Path, document: Document, names: FrameNames) -> tuple[dict[Key, int], list[str]]:
    """Frames of images by their `file_name`; notes. The list of all images tells how they are numbered."""
    named = {id: image.name for id, image in document.images.items() if image.name}
    exact = {id: index for id, name in named.items() if (index := names.exact(name)) is not None}
    found = find_numbers([stem(name) for name in named.values()], names.fit)
    if found is None or len(exact) == len(named):
        return exact, []
    numbers = {name: number for name, number in zip(named.values(), found.numbers) if number is not None}
    if len(named) == 1 and names.first is None and not (found.says in SAID and names.fit(numbers.values())):
        return exact, []  # a picture of some name
    placed = names.place(numbers, path, matched=bool(exact))
    notes = list(placed.notes)
    if len(named) == 1 and not notes and not exact:
        (name, frame), *_ = placed.frames.items()
        notes.append(f"{path}: {name} is taken for frame {frame} (0 is the first), as its name says.")
    by_number = {id: index for id, name in named.items() if (index := placed.frames.get(name)) is not None}
    return by_number | exact, notes


def _by_id(path: Path, document: Document, names: FrameNames) -> tuple[dict[Key, int], list[str]]:
    """Frames of images by their `id`; notes."""
    exact = {id: index for id in document.images if (index := names.exact(str(id))) is not None}
    numbers = {f"image {id}": id for id in document.images if isinstance(id, int) and id >= 0}
    if exact or not numbers or not any(number < names.end for number in numbers.values()):
        return exact, []
    placed = names.place(numbers, path, counted=True)
    frames = {id: index for id in document.images if (index := placed.frames.get(f"image {id}")) is not None}
    return frames, [f"{path}: images are tied to frames by their id.", *placed.notes]


def _object_ids(path: Path, annotations: Sequence[Annotation], document: Document) -> tuple[list[int], list[str]]:
    """The object id of each annotation, and notes.

    That of its track where all have one. Else, on one image, each annotation or group is an object; on several, each
    group, where all are in groups of one category, or each category, provided that no image has two of one. Numbers
    outside 1..255 are replaced by 1, 2, ...
    """
    if document.track:
        return _numbered(path, [annotation.track for annotation in annotations], document.track)
    grouped = [n if one.group is None else f"group {one.group}" for n, one in enumerate(annotations)]
    parts = [(one.image, one.category, group) for one, group in zip(annotations, grouped, strict=True)]
    objects = list(dict.fromkeys(parts))
    if len({image for image, *_ in objects}) == 1:
        first = {part: one.id for part, one in reversed(list(zip(parts, annotations, strict=True)))}
        named = {str(id) for id in first.values() if id is not None}
        given = first if len(named) == len(first) else {part: n for n, part in enumerate(objects, start=1)}
        return _numbered(path, [given[part] for part in parts], "annotation")
    groups = {(one.group, one.category) for one in annotations}
    if len({group for group, _ in groups}) == len(groups) and None not in {group for group, _ in groups}:
        return _numbered(path, [one.group for one in annotations], "group")
    if len({part[:2] for part in objects}) < len(objects):
        raise MaskError(
            f"{path}: several images, and nothing says which annotations are the same object: {document.remedy}"
        )
    ids, notes = _numbered(path, [annotation.category for annotation in annotations], "category")
    notes = [] if all(one.category in document.categories for one in annotations) else notes
    return ids, [f"{path}: no tracks: annotations of one category are one object.", *notes]


def _numbered(path: Path, given: Sequence[Key], key: str) -> tuple[list[int], list[str]]:
    """Identities as ids: themselves when all are whole numbers in 1..255, else 1, 2, ... in order of appearance."""
    distinct = list(dict.fromkeys(given))
    if len(distinct) > MAX_ID:
        raise MaskError(f"{path}: {len(distinct)} objects; at most {MAX_ID} can be told apart")
    good = [i for i in given if isinstance(i, int) and 1 <= i <= MAX_ID]
    if len(good) == len(given):
        return good, []
    ids = {identity: n for n, identity in enumerate(distinct, start=1)}
    return [ids[i] for i in given], [f"Object {n} is {key} {identity}." for identity, n in ids.items()]
