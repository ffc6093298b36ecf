"""What a reader of masks says of itself, what it is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from camn.masks.frame_names import FrameNames


@dataclass(frozen=True)
class Frames:
    """What masks are read for: frames of these names, of size (H, W). most_pixels: bound on what a file unpacks to, all
    its frames together, where that can be much more than its bytes. video: what the video is called, for sources that
    hold masks of several. around: whether files beside the source, or above it, may tell more."""

    names: FrameNames
    size: tuple[int, int]
    most_pixels: int | None = None
    video: str = ""
    around: bool = True


@dataclass(frozen=True)
class Found:
    """What a source holds. masks: (H, W) uint8 by frame index, of any size. origin: where each was found, for messages.
    colours: RGB of ids, where they had some. notes: sentences to print. unplaced: there is one mask, and nothing says
    of which frame; it is under 0. names: what the source calls objects, by id, where it does. stated: where the masks
    say it, by frame, the ids that are just where they show them, or not on the frame."""

    masks: dict[int, np.ndarray]
    origin: dict[int, Path]
    colours: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unplaced: bool = False
    names: dict[int, str] = field(default_factory=dict)
    stated: dict[int, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reader:
    """One format of masks.

    recognises: (path, first bytes) -> whether a file or folder that is there is of this format; of a folder there are
    no bytes. read: raises MaskError, which says what is wrong with which file, and the remedy. suffixes: of files of
    which nobody recognises the content. accept: what the page's dialog shows, as suffixes or types ("image/*"); a
    folder cannot be chosen there. several: whether it may hold masks of frames that it names itself.
    """

    recognises: Callable[[Path, bytes], bool]
    read: Callable[[Path, Frames], Found]
    suffixes: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    several: bool = False
