"""A frame's result as `supervision.Detections`, which its annotators draw and its tools count."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from camn.api import Result
from camn.errors import CamnError
from camn.masks import ObjectIds
from camn.masks.naming import category_ids, object_name

try:
    import supervision as sv
except ImportError as error:
    raise CamnError(
        f"camn.integrations.supervision needs more packages ({error}); pip install 'camn[supervision]'"
    ) from error


def detections(result: Result, names: Mapping[int, str] | None = None) -> sv.Detections:
    """One detection for each object with a pixel on the frame, in the order of their ids.

    tracker_id: the object's id. class_id: objects of one name have the lowest of their ids; each of the others has its
    own. data["class_name"]: the name, or "object ID". names: of objects, by id. xyxy: supervision's box of the mask, to
    its last pixel.
    """
    ids, names = ObjectIds.of(result.ids).ids, names or {}
    called, category = [object_name(id, names) for id in ids], category_ids(names)
    masks = np.stack([result.ids == id for id in ids]) if ids else np.zeros((0, *result.ids.shape), bool)
    return sv.Detections(
        xyxy=sv.mask_to_xyxy(masks).astype(np.float32),
        mask=masks,
        confidence=np.array([result.confidence[id] for id in ids], np.float32),
        class_id=np.array([category.get(name, id) for name, id in zip(called, ids)], int),
        tracker_id=np.array(ids, int),
        data={"class_name": np.array(called, str)},
    )
