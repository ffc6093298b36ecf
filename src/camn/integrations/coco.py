"""A frame's result as COCO annotations, for an evaluation or a file of one's own."""

from collections.abc import Mapping
from typing import Any

from camn.api import Result
from camn.masks import ObjectIds
from camn.masks.naming import category_ids
from camn.masks.rle import encode_rle


def annotations(
    result: Result, image_id: int | str | None = None, names: Mapping[int, str] | None = None, first_id: int = 1
) -> list[dict[str, Any]]:
    """One annotation for each object with a pixel on the frame, in the order of their ids.

    Each has `segmentation` (compressed RLE), `bbox` [x, y, width, height], `area`, `iscrowd`, `score` (the confidence),
    and `track_id`, the object's id. category_id: objects of one name have the lowest of their ids; each of the others
    has its own. image_id: the result's index if not given. names: of objects, by id. first_id: `id` of the first one.
    """
    category = category_ids(names or {})
    made = []
    for number, id in enumerate(ObjectIds.of(result.ids), first_id):
        rle = encode_rle(result.ids == id)
        made.append(
            {
                "id": number,
                "image_id": result.index if image_id is None else image_id,
                "category_id": category.get(id, id),
                "track_id": id,
                "segmentation": {"size": rle["size"], "counts": rle["counts"]},
                "area": rle["area"],
                "bbox": rle["bbox"],
                "iscrowd": 0,
                "score": float(result.confidence[id]),
            }
        )
    return made
