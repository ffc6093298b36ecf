"""Every export of annotations, opened by readers that others wrote: the same masks, the same names."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO

from camn import api
from camn.datasets.davis import DavisFolder
from camn.datasets.layouts import open_videos
from camn.evaluation.davis import evaluate_davis
from camn.masks import ObjectIds, read_masks

from .conftest import NAMES, SIZE, called, hard

READERS = Path(os.environ.get("CAMN_READERS") or Path(__file__).parents[2] / ".venv-readers/bin/python")
FRAMES = range(4)
Found = dict[tuple[int, int], np.ndarray]  # (frame, id) -> (H, W) bool


def wanted() -> Found:
    return {(frame, id): hard(frame) == id for frame in FRAMES for id in ObjectIds.of(hard(frame))}


def assert_same(found: Found) -> None:
    assert found.keys() == wanted().keys()
    for key, mask in wanted().items():
        assert (found[key] == mask).all(), key


def test_coco_by_pycocotools(exported, exported_empty):
    read = COCO(exported["coco"])
    assert [one["file_name"] for one in read.loadImgs(read.getImgIds())] == [f"{frame:05d}.png" for frame in FRAMES]
    found: list[Any] = list(read.loadAnns(read.getAnnIds(iscrowd=False)))
    assert_same({(one["image_id"], one["track_id"]): read.annToMask(one).astype(bool) for one in found})
    assert all(read.loadCats(one["category_id"])[0]["name"] == called(one["track_id"]) for one in found)
    assert len({one["name"] for one in read.loadCats(read.getCatIds())}) == len(read.getCatIds()) == 253  # two dogs
    assert len(COCO(exported_empty["coco"]).getImgIds()) == 4


def test_youtube_vis_by_pycocotools(exported, exported_empty):
    read = json.loads(exported["youtube-vis"].read_bytes())
    (video,) = read["videos"]
    assert video["file_names"] == [f"a clip/{frame:05d}.jpg" for frame in FRAMES]
    assert (video["height"], video["width"], video["length"]) == (*SIZE, 4)
    names = {one["id"]: one["name"] for one in read["categories"]}
    found = {}
    for one in read["annotations"]:
        assert names[one["category_id"]] == called(one["id"]) and one["video_id"] == video["id"]
        assert len(one["segmentations"]) == len(one["bboxes"]) == len(one["areas"]) == 4
        for frame, (rle, box, area) in enumerate(zip(one["segmentations"], one["bboxes"], one["areas"])):
            assert (rle is None) == (box is None) == (area is None)
            if rle is not None:
                found[frame, one["id"]] = mask = coco_masks.decode(rle).astype(bool)
                assert area == mask.sum() and box == coco_masks.toBbox(rle).tolist()
    assert_same(found)
    empty = json.loads(exported_empty["youtube-vis"].read_bytes())
    assert empty["annotations"] == [] and empty["videos"][0]["length"] == 4


def test_cvat_for_video_by_its_own_package(exported, exported_empty):
    """Read as CVAT's server does: of each track of masks the first mask, in its own form, which the SDK decodes."""
    root = ElementTree.parse(exported["cvat-video"]).getroot()
    assert {one.findtext("name") for one in root.iter("label")} == {called(id) for _, id in wanted()}
    assert root.findtext("meta/task/size") == "4" and root.findtext("meta/task/mode") == "interpolation"
    found = {}
    for track in root.iter("track"):
        first, *later = track.iter("mask")
        id, frame = int(first.findtext("attribute[@name='track_id']", "")), int(first.get("frame", ""))
        assert track.get("label") == called(id) and track.get("group_id") == str(id)
        assert (first.get("keyframe"), first.get("outside"), first.get("occluded")) == ("1", "0", "0")
        assert [(one.get("frame"), one.get("outside")) for one in later] == [(str(frame + 1), "1")] * (frame < 3)
        found[frame, id] = cvat_mask(first)
    assert_same(found)
    assert [one.get("id") for one in root.iter("track")] == [str(number) for number in range(len(found))]
    assert list(ElementTree.parse(exported_empty["cvat-video"]).getroot().iter("track")) == []


def cvat_mask(element: ElementTree.Element) -> np.ndarray:
    masks = pytest.importorskip("cvat_sdk.masks", reason="needs the package cvat-sdk")
    left, top, width, height = (int(element.get(key, "")) for key in ("left", "top", "width", "height"))
    points = [*map(int, element.get("rle", "").split(",")), left, top, left + width - 1, top + height - 1]
    return masks.decode_mask(points, image_width=SIZE[1], image_height=SIZE[0])


def test_cvat_for_images_by_its_own_package(exported):
    root = ElementTree.parse(exported["cvat-images"]).getroot()
    found = {}
    for image in root.iter("image"):
        frame = image.get("id", "")
        assert (image.get("name"), image.get("height"), image.get("width")) == (f"0000{frame}.png", "31", "47")
        for one in image.iter("mask"):
            id = int(one.get("group_id", ""))
            assert one.get("label") == called(id)
            found[int(frame), id] = cvat_mask(one)
    assert_same(found)


def test_yolo_by_supervision(exported, exported_empty):
    """Ids are not in the files: told by the order of lines. It rounds, so a mask may have a pixel more to the right and
    below, and joins pieces by lines of pixels."""
    supervision = pytest.importorskip("supervision", reason="needs the package supervision")

    def read(folder: Path):
        parts = (folder / part / "train" for part in ("images", "labels"))
        return supervision.DetectionDataset.from_yolo(*map(str, parts), str(folder / "data.yaml"), force_masks=True)

    found = read(exported["yolo"])
    assert len(found) == 4 and len(found.classes) == 253
    for path, _, detections in found:
        ids = list(ObjectIds.of(hard(int(Path(path).stem))))
        assert [found.classes[number] for number in detections.class_id] == [called(id) for id in ids]
        for id, mask in zip(ids, detections.mask if ids else ()):
            own = hard(int(Path(path).stem)) == id
            wider = cv2.dilate(own.astype(np.uint8), np.ones((2, 2)), anchor=(1, 1)) > 0
            several = cv2.connectedComponents(own.astype(np.uint8))[0] > 2
            assert mask[own].all() and (several or not mask[~wider].any()), (path, id)
    assert [len(detections) for _, _, detections in read(exported_empty["yolo"])] == [0] * 4


def test_yolo_by_the_rule_of_ultralytics(exported):
    """It cuts coordinates off, and draws what is within and the border: the mask, and the seams between its pieces."""
    for frame in FRAMES:
        ids = ObjectIds.of(hard(frame))
        lines = (exported["yolo"] / "labels" / "train" / f"{frame:05d}.txt").read_text().splitlines()
        assert len(lines) == len(ids)
        for id, line in zip(ids, lines):
            points = np.array(line.split()[1:], float).reshape(-1, 2) * SIZE[::-1]
            mask = cv2.fillPoly(np.zeros(SIZE, np.uint8), [points.astype(np.int32)], 1) > 0
            own = hard(frame) == id
            seams, several = np.count_nonzero(mask & ~own), (frame, id) in ((0, 3), (3, 3))
            assert mask[own].all() and (0 < seams < 40 if several else seams == 0), (frame, id)


def test_our_import_of_our_yolo(exported):
    """Exactly, pieces and all. A file of a frame numbers its objects by lines."""
    folder = exported["yolo"] / "labels" / "train"
    for frame, ids in ((0, (3, 5, 7, 9)), (3, (3, 9))):
        read = read_masks(folder / f"{frame:05d}.txt", [f"{frame:05d}" for frame in FRAMES], SIZE)
        assert read.names == {number: called(id) for number, id in enumerate(ids, 1)}
        for number, id in enumerate(ids, 1):
            assert ((read.masks[frame] == number) == (hard(frame) == id)).all()


@pytest.fixture(scope="module")
def by_datumaro(clip, exported, exported_empty, tmp_path_factory) -> Path:
    """A folder in which datumaro has read, and written again, what it can: COCO and CVAT for images."""
    if not READERS.is_file():
        pytest.skip(f"datumaro has an environment of its own, {READERS}: make it, or set CAMN_READERS to its python")
    folder = tmp_path_factory.mktemp("datumaro")
    for source, more in ((exported, ""), (exported_empty, "-empty")):
        for name in ("coco_instances", "cvat"):
            shutil.copytree(clip, folder / f"{name}{more}" / "images")
        (folder / f"coco_instances{more}" / "annotations").mkdir()
        shutil.copy(source["coco"], folder / f"coco_instances{more}" / "annotations" / "instances_default.json")
        shutil.copy(source["cvat-images"], folder / f"cvat{more}")
    script = Path(__file__).with_name("datumaro_masks.py")
    done = subprocess.run([READERS, script, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_coco_and_cvat_for_images_by_datumaro(exported, by_datumaro):
    tracks = {one["id"]: one["track_id"] for one in json.loads(exported["coco"].read_bytes())["annotations"]}
    for name in ("coco_instances", "cvat"):
        masks = np.load(by_datumaro / f"{name}.npz")
        found = {}
        for said in json.loads((by_datumaro / f"{name}.json").read_text()):
            for number, (annotation, attributes, label) in enumerate(said["masks"]):
                id = tracks[annotation] if name == "coco_instances" else int(attributes["track_id"])
                found[int(said["item"]), id] = masks[f"{said['item']} {number}"]
                assert label == called(id)
        assert_same(found)
        empty = json.loads((by_datumaro / f"{name}-empty.json").read_text())
        assert sorted((int(said["item"]), said["masks"]) for said in empty) == [(frame, []) for frame in FRAMES]


def test_what_datumaro_writes_of_them_comes_back(by_datumaro):
    """Our export, its reader, its writer, our import."""
    (path,) = (by_datumaro / "cvat-again").glob("*.xml")
    read = read_masks(path, [f"{frame:05d}" for frame in FRAMES], SIZE)
    assert_back(read.masks)
    assert {id: read.names[id] for id in NAMES} == NAMES


def assert_back(masks: Mapping[int, np.ndarray]) -> None:
    """Frame 1 shows nothing, which some formats cannot say."""
    assert set(masks) - {1} == {0, 2, 3} and not masks.get(1, np.zeros(1)).any()
    for frame in (0, 2, 3):
        assert (masks[frame] == hard(frame)).all(), frame


@pytest.mark.parametrize("form", ["coco", "youtube-vis", "cvat-video", "cvat-images"])
def test_our_import_of_our_export(form, exported):
    read = read_masks(exported[form], [f"{frame:05d}" for frame in FRAMES], SIZE)
    assert_back(read.masks)
    assert {id: read.names[id] for id in NAMES} == NAMES


def test_davis_by_our_data_sets_and_evaluation(exported, exported_empty):
    folder = DavisFolder(exported["davis"], "2017", "val")
    (sequence,) = folder.sequences
    assert sequence.name == "a clip" and [frame.stem for frame in sequence.frames] == [f"{n:05d}" for n in FRAMES]
    assert all((sequence.labels(frame) == hard(frame)).all() for frame in FRAMES)
    names = json.loads((exported["davis"] / "davis_semantics.json").read_bytes())
    assert names == {"a clip": {str(id): called(id) for id in range(1, 255)}}
    assert open_videos(exported_empty["davis"], "train").sequences[0].annotated == (0, 1, 2, 3)
    assert sequence.name in (exported["davis"] / "ImageSets" / "2017" / "val.txt").read_text()


def test_davis_by_our_evaluation_and_folders_by_our_import(clip):
    """By the rule of DAVIS the objects are those of the first frame."""
    choice = {"ids": range(1, 255), "objects": (3, 5, 7, 9), "source": api.open_source(clip), "names": NAMES}
    for form in ("davis", "youtube-vos"):
        folder = clip.with_name(f"of four, {form}")
        api.export_masks(form, hard, folder, size=SIZE, **choice)
        read = read_masks(folder, None, SIZE, count=4)
        assert read.names == NAMES
        for frame in (0, 2, 3):
            assert (read.masks[frame] == np.where(np.isin(hard(frame), list(NAMES)), hard(frame), 0)).all()
    folder = clip.with_name("of four, davis")
    scores = evaluate_davis(folder / "Annotations" / "480p", folder, "2017", "val")
    assert scores.jf == 1 and [len(one.objects) for one in scores.sequences] == [4]


def test_youtube_vos_by_our_data_sets(exported, exported_empty):
    folder = open_videos(exported["youtube-vos"])
    (sequence,) = folder.sequences
    assert all((sequence.labels(frame) == hard(frame)).all() for frame in FRAMES)
    assert folder.categories == {"a clip": {id: called(id) for id in range(1, 255)}}
    meta = json.loads((exported["youtube-vos"] / "meta.json").read_bytes())
    assert meta["videos"]["a clip"]["objects"]["3"]["frames"] == ["00000", "00002", "00003"]
    assert len(open_videos(exported_empty["youtube-vos"]).sequences[0]) == 4
