"""What a run begins from: masks in files, and what clicks and boxes mark."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from camn.api.models.load import cpu_threads
from camn.api.options import SegmentOptions
from camn.api.segment.marking import Marked, mark_frame
from camn.api.segment.spans import Span
from camn.errors import MaskError
from camn.inference import AnySegmenter, Result, resolve_device
from camn.masks import Marks, MaskSet, ObjectIds, read_masks
from camn.masks.mask_set import ignore_note
from camn.masks.pictures import is_picture
from camn.media.source import FrameSource


def take_given(
    masks: str | Path | Sequence[str | Path] | None,
    marks: Marks | None,
    source: FrameSource,
    options: SegmentOptions,
    span: Span,
) -> tuple[MaskSet, Marked | None]:
    """All masks of the whole video, and what `marks` added to them. Raises MaskError, and what `mark_frame` raises."""
    if marks:
        marks.check(source.size)
    if marks and marks.at and source.once:
        raise MaskError(f"{source.place}: a stream is clicked on its first frame; leave the frame's number (--at) out")
    given = marked = None
    if masks is not None or marks is None:
        given = read_masks(
            masks,  # pyright: ignore[reportArgumentType], it tells who gives none
            source.names,
            source.size,
            options.resize_masks,
            count=source.count,
            first_frame=options.first_frame,
            # A part starts with what its own mask shows.
            whole=options.masks_are_whole or (False if span.whole else None),
            video=called(source),
        )
    check_frames(source, given)
    if marks:
        with cpu_threads(options.threads):
            marked = mark_frame(source, marks, resolve_device(options.device))
        given = with_marked(given, marked)
    assert given is not None
    return dataclasses.replace(given, notes=(*_still(source), *given.notes)), marked


def called(source: FrameSource) -> str:
    """What files that hold masks of several videos may call it."""
    return source.path.absolute().name if source.path else source.title


def check_frames(source: FrameSource, given: MaskSet | None, marks: Marks | None = None) -> None:
    """Raises MaskError for masks and marks of later frames, where nobody knows which these are."""
    late = max([*(given.masks if given else ()), marks.at if marks else 0])
    if source.drops and late:
        raise MaskError(
            f"{source.place}: has a mask for frame {late}, but which frames of it are taken nobody knows before; give "
            "one for its first frame alone, or record it to a file first"
        )


def with_marked(given: MaskSet | None, marked: Marked) -> MaskSet:
    """Masks with the marked objects on their frame, as if its mask showed them, too; what the mask shows there stays
    as it is. Raises MaskError for an object that it shows already."""
    at, ids = marked.marks.at, marked.ids
    if given is None:
        later = [f"Objects are followed from frame {at} on; masks of the frames before it are empty."] if at else []
        return MaskSet({at: ids}, ObjectIds.of(ids), notes=(*marked.notes(), *later, *ignore_note(ObjectIds.of(ids))))
    drawn = given.masks.get(at, np.zeros_like(ids))
    if twice := [id for id in marked.scores if id in ObjectIds.of(drawn)]:
        raise MaskError(
            f"object {twice[0]} is on the mask of frame {at}, and clicked there, too; give the clicks another id, "
            "ID:X,Y, or leave the object out of the mask"
        )
    both = np.where(drawn > 0, drawn, ids)
    if hidden := [id for id in marked.scores if id not in ObjectIds.of(both)]:
        raise MaskError(f"object {hidden[0]}: its clicks mark what other objects have on the mask of frame {at}")
    known = ObjectIds(tuple(sorted({*given.ids, *marked.scores})))
    absent = {index: gone - set(marked.scores) if index == at else gone for index, gone in given.absent.items()}
    for index in (index for index in given.masks if index > at and given.whole):  # such a mask ends what it lacks
        absent[index] = absent.get(index, frozenset()) | (set(marked.scores) - set(ObjectIds.of(given.masks[index])))
    masks = dict(sorted({**given.masks, at: both}.items()))
    notes = (*given.notes, *marked.notes(), *ignore_note(known))
    return dataclasses.replace(given, masks=masks, ids=known, absent=absent, notes=tuple(dict.fromkeys(notes)))


def _still(source: FrameSource) -> list[str]:
    """A note, if a single picture was given as a video."""
    if source.path and source.kind == "video" and source.count in (None, 1) and is_picture(source.path):
        return [f"{source.path}: a single picture, taken for a video of one frame; for more give a folder of them."]
    return []


def unused(given: MaskSet, frames: int) -> list[str]:
    """A warning, if there are masks for frames that never came."""
    late = [index for index in given.masks if index >= frames]
    if not late:
        return []
    return [f"{len(late)} masks are for frames behind the last one, {frames - 1} (such as {late[0]}): not used"]


def segment_frame(segmenter: AnySegmenter, frame: Any, given: MaskSet, index: int) -> Result | None:
    """The next frame, and what its mask says. None before the first mask with an object."""
    mask = given.masks.get(index)
    if segmenter.index < 0:
        return None if mask is None or not mask.any() else segmenter.start(frame, mask, ObjectIds.of(mask))
    result = segmenter.step(frame)
    if mask is None:
        return result
    absent = [id for id in segmenter.objects if id in given.absent.get(index, ())]
    if mask.any() or absent:
        result = segmenter.correct(mask, (*ObjectIds.of(mask), *absent))
    for id in absent if given.whole else ():
        segmenter.remove(id)
    return result
