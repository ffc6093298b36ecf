"""Files of annotations in JSON: what the file holds says which format it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from camn.masks.coco import coco_document
from camn.masks.contents import json_in
from camn.masks.label_studio import is_label_studio, label_studio_document
from camn.masks.labelled import Document
from camn.masks.labelled_masks import masks_of
from camn.masks.labelme import is_labelme, labelme_document
from camn.masks.reader import Found, Frames, Reader
from camn.masks.youtube_vis import is_youtube_vis, youtube_vis_document

Format = tuple[Callable[[Any], bool], Callable[[Path, Any, Frames], Document]]
FORMATS: tuple[Format, ...] = (
    (is_youtube_vis, youtube_vis_document),
    (is_labelme, labelme_document),
    (is_label_studio, label_studio_document),
    (lambda content: True, coco_document),
)
"""(whether a document is of a format, how it is read), of which the first that says so reads it; COCO is the last."""


def read_json(path: Path, video: Frames) -> Found:
    """Masks by frame. Raises MaskError."""
    content = json_in(path)
    read = next(read for is_of, read in FORMATS if is_of(content))
    return masks_of(path, read(path, content, video), video)


def _recognises(path: Path, head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


JSON = Reader(_recognises, read_json, suffixes=(".json",), accept=(".json",), several=True)
