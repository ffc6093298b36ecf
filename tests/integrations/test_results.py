"""A frame's result in the hands of supervision and of pycocotools."""

import importlib
import json
import sys

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO

from camn.errors import CamnError
from camn.inference import Result
from camn.integrations.coco import annotations
from camn.masks import ObjectIds, SegmentsWriter

sv = pytest.importorskip("supervision")
from camn.integrations.supervision import detections  # noqa: E402

SIZE = (32, 48)
NAMES = {3: "hare", 9: "fox", 200: "hare", 7: "not on this frame"}


def result(*ids: int, index: int = 5) -> Result:
    """Bars side by side; object 7 is followed, and not to be seen."""
    labels = np.zeros(SIZE, np.uint8)
    for place, id in enumerate(ids):
        labels[4 : 20 + place, 3 + 12 * place : 11 + 12 * place] = id
    objects = ObjectIds((*ids, 7))
    probabilities = torch.full((len(objects) + 1, *SIZE), 0.02)
    probabilities.scatter_(0, torch.from_numpy(objects.channels(labels)).long()[None], 0.75)
    return Result.of(index, objects, probabilities, SIZE)


def test_supervision_has_all_that_is_known_and_draws_it():
    found = detections(result(9, 3, 200), NAMES)
    assert isinstance(found, sv.Detections)
    assert found.tracker_id is not None and found.class_id is not None and found.confidence is not None
    assert found.tracker_id.tolist() == [3, 9, 200] and found.class_id.tolist() == [3, 9, 3]
    assert found["class_name"].tolist() == ["hare", "fox", "hare"]
    np.testing.assert_allclose(found.confidence, 0.75)
    np.testing.assert_array_equal(found.mask, [result(9, 3, 200).ids == id for id in (3, 9, 200)])
    np.testing.assert_array_equal(found.xyxy, [[15, 4, 22, 20], [3, 4, 10, 19], [27, 4, 34, 21]])
    scene = np.zeros((*SIZE, 3), np.uint8)
    drawn = sv.MaskAnnotator(opacity=1, color_lookup=sv.ColorLookup.TRACK).annotate(scene.copy(), found)
    np.testing.assert_array_equal(drawn.any(2), result(9, 3, 200).ids > 0)
    assert sv.LabelAnnotator().annotate(scene.copy(), found).any()
    assert found[found.class_id == 3].tracker_id.tolist() == [3, 200]


def test_supervision_takes_frames_without_objects():
    found = detections(result())
    assert len(found) == 0 and found.mask is not None and found.mask.shape == (0, *SIZE)
    assert len(sv.Detections.merge([found, detections(result(9))])) == 1
    assert detections(result(9))["class_name"].tolist() == ["object 9"]


def test_pycocotools_reads_annotations_with_the_same_masks(tmp_path):
    """As results of a data set, and as the annotations of one."""
    one, two = result(9, 3, index=0), result(200, index=1)
    made = annotations(one, names=NAMES)
    made += annotations(two, names=NAMES, first_id=len(made) + 1)
    assert annotations(one, image_id="a") == [
        entry | {"image_id": "a", "category_id": id} for entry, id in zip(made, (3, 9))
    ]
    assert annotations(result()) == []
    images = [{"id": index, "width": SIZE[1], "height": SIZE[0], "file_name": f"{index}.png"} for index in (0, 1)]
    categories = [{"id": 3, "name": "hare"}, {"id": 9, "name": "fox"}]
    (tmp_path / "all.json").write_text(json.dumps({"images": images, "annotations": made, "categories": categories}))
    truth = COCO(tmp_path / "all.json")
    for read in (truth, truth.loadRes(made)):
        for frame in (one, two):
            entries = read.loadAnns(read.getAnnIds(imgIds=[frame.index]))
            assert [entry["score"] for entry in entries] == pytest.approx([0.75] * len(entries))
            assert sum(entry["area"] for entry in entries) == np.count_nonzero(frame.ids)
            together = sum(read.annToMask(entry) * entry["track_id"] for entry in entries)
            np.testing.assert_array_equal(together, frame.ids)
    assert [len(truth.getAnnIds(catIds=[id])) for id in (3, 9)] == [2, 1]


def test_annotations_are_those_of_the_file_of_a_run(tmp_path):
    with SegmentsWriter(tmp_path / "segments.json", NAMES) as writer:
        writer.add(5, "000005", result(9, 3, 200).ids)
    written = json.loads((tmp_path / "segments.json").read_text())["annotations"]
    ours = annotations(result(9, 3, 200), names=NAMES)
    assert [{key: value for key, value in one.items() if key != "score"} for one in ours] == written


@pytest.mark.parametrize(("module", "package"), [("supervision", "supervision"), ("cvat", "cvat_sdk")])
def test_who_lacks_a_package_is_told_how_to_get_it(monkeypatch, module, package):
    monkeypatch.delitem(sys.modules, f"camn.integrations.{module}", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == package] or [package]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CamnError, match=f"pip install 'camn\\[{module}\\]'"):
        importlib.import_module(f"camn.integrations.{module}")
