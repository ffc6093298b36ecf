"""A frame's result as COCO annotations, for an evaluation or a file of one's own."""

from collections.abc import Mapping
from typing import Any

from camn.api import Result
from camn.masks.segments import annotations_of


def annotations(
    result: Result, image_id: int | str | None = None, names: Mapping[int, str] | None = None, first_id: int = 1
) -> list[dict[str, Any]]:
    """One annotation for each object with a pixel on the frame, in the order of their ids.

    Each has `segmentation` (compressed RLE), `bbox` [x, y, width, height], `area`, `iscrowd`, `score` (the confidence),
    and `track_id`, the object's id. category_id: objects of one name have the lowest of their ids; each of the others
    has its own. image_id: the result's index if not given. names: of objects, by id. first_id: `id` of the first one.
    """
    image = result.index if image_id is None else image_id
    made = annotations_of(result.ids, image, names or {}, first_id)
    return [one | {"score": float(result.confidence[one["track_id"]])} for one in made]
