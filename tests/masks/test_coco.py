"""COCO JSON: which frame, which object and which name it says, and that nothing in a file is a traceback."""

import copy
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.errors import MaskError
from camn.masks import SegmentsWriter, read_masks
from camn.masks.rle import encode_rle

SIZE = (24, 32)
SIX = range(6)
NAMES = [f"{index:06d}" for index in SIX]


def blob(left: int) -> np.ndarray:
    binary = np.zeros(SIZE, bool)
    binary[4:14, left : left + 9] = True
    return binary


def annotation(image, left=2, category=1, **more) -> dict:
    return {"image_id": image, "category_id": category, "segmentation": encode_rle(blob(left)), **more}


def document(names, annotations, first=1, labels=("ball", "box")):
    """Images of these names with ids from `first` on, as CVAT numbers them."""
    return {
        "images": [
            {"id": n, "file_name": name, "height": SIZE[0], "width": SIZE[1]} for n, name in enumerate(names, first)
        ],
        "annotations": annotations,
        "categories": [{"id": n, "name": name} for n, name in enumerate(labels, 1)],
    }


def read(tmp_path, content, frames=None, count=6, **options):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(content))
    return read_masks(path, frames, SIZE, count=None if frames else count, **options)


@pytest.mark.parametrize(
    "pattern",
    [
        "frame_%06d.PNG",
        "%06d.jpg",
        "video/frame_%d.png",
        "images\\img%d.jpg",
        "1a2b3c4d-frame_%06d.png",
        "frame_%03d_jpg.rf.9f86d081884c7d659a2feaa0c55ad015.jpg",
    ],
)
def test_file_names_tell_the_frames(tmp_path, pattern):
    tracks = [annotation(1, track_id=1), annotation(5, track_id=1)]
    names = [pattern % n for n in SIX]
    assert list(read(tmp_path, document(names, tracks)).masks) == [0, 4]
    assert list(read(tmp_path, document(names, tracks), frames=NAMES).masks) == [0, 4]
    one = read(tmp_path, document(names, [annotation(5)]))  # the list of all images tells which number runs
    assert list(one.masks) == [4] and not one.unplaced
    from_one = read(tmp_path, document([pattern % n for n in range(1, 7)], tracks))
    assert list(from_one.masks) == [0, 4] and any("for the first frame" in note for note in from_one.notes)
    own = read(tmp_path, document([pattern % n for n in range(1, 7)], tracks), frames=[f"{n:04d}" for n in range(1, 7)])
    assert list(own.masks) == [0, 4]
    said = read(tmp_path, document(names[1:3], [annotation(1, track_id=1), annotation(2, track_id=1)]), first_frame=1)
    assert list(said.masks) == [0, 1]


def test_ids_tell_the_frames_where_names_do_not(tmp_path):
    def ids(*images, **more):
        return read(tmp_path, [annotation(image, track_id=3) for image in images], **more)

    assert list(ids(0, 5).masks) == [0, 5] and "tied to frames by their id" in ids(0, 5).notes[0]
    assert list(ids(0, 5, count=None).masks) == [0, 5]
    assert list(ids(*range(1, 7)).masks) == [*SIX] and list(ids("1", 6).masks) == [0, 5]
    assert list(ids("000001", "000004", frames=NAMES).masks) == [1, 4]
    for count in (6, None):
        with pytest.raises(MaskError, match=r"image 1 to image 5 .*--first-frame 0 .*--first-frame 1"):
            ids(1, 5, count=count)
    assert list(ids(1, 5, first_frame=1).masks) == [0, 4] and list(ids(1, 5, first_frame=0).masks) == [1, 5]
    unnamed = document(["", *[""] * 5], [annotation(5)])
    assert list(read(tmp_path, unnamed).masks) == [4]  # six images of a video of six frames, from 1
    with pytest.raises(MaskError, match="belongs to a frame"):
        ids(39713, 37777, frames=NAMES)


def test_a_single_image(tmp_path):
    found = read(tmp_path, document(["frame_000004.PNG"], [annotation(1)]))
    assert list(found.masks) == [4] and "frame_000004.PNG is taken for frame 4" in found.notes[0]
    found = read(tmp_path, document(["frame_000001.PNG"], [annotation(1)]))
    assert list(found.masks) == [1] and "numbered from 1?" in found.notes[0]
    for name in ("IMG_20240101.jpg", "shot.png", "000000397133.jpg", "img_3.png"):
        found = read(tmp_path, document([name], [annotation(1)]))
        assert list(found.masks) == [0] and found.unplaced and f"{name} is named like no frame" in found.notes[0]


@pytest.mark.parametrize(
    ("key", "inner"), [("track_id", False), ("instance_id", False), ("track_id", True), ("object_id", True)]
)
def test_tracks_are_objects(tmp_path, key, inner):
    def track(image, number, left):
        said = {key: number}
        return annotation(image, left) | ({"attributes": {"occluded": False, **said}} if inner else said)

    shown = [track(1, 0, 2), track(1, 1, 18), track(5, 1, 18), track(5, 0, 2)]
    found = read(tmp_path, document([f"frame_{n:06d}.PNG" for n in SIX], shown))
    assert list(found.masks) == [0, 4] and found.ids.ids == (1, 2) and found.names == {1: "ball", 2: "ball"}
    assert (found.masks[4] == np.where(blob(2), 1, np.where(blob(18), 2, 0))).all()
    assert any(f"{key} 0" in note for note in found.notes)
    kept = [track(1, 7, 2), track(5, "9", 18)]
    assert read(tmp_path, document([f"{n:06d}.png" for n in SIX], kept)).ids.ids == (7, 9)
    lacking = [*shown, annotation(5, 10)]
    with pytest.raises(MaskError, match=rf"c.json: annotation 5 has no '.*{key}'"):
        read(tmp_path, document([f"{n:06d}.png" for n in SIX], lacking))


def test_categories_name_objects_there_and_back(tmp_path):
    names = [f"frame_{n:06d}.PNG" for n in SIX]
    found = read(tmp_path, document(names, [annotation(1, 2, 2), annotation(5, 2, 2), annotation(5, 18, 1)]))
    assert found.names == {1: "ball", 2: "box"} and "Object 2 is 'box'." in found.notes
    assert read(tmp_path, document(names, [annotation(1, 2, 8)])).names == {}
    path = tmp_path / "segments.json"
    with SegmentsWriter(path, {2: "ball", 3: "ball", 9: "box"}) as writer:
        writer.add(0, "000000", np.where(blob(2), 3, np.where(blob(18), 9, 0)).astype(np.uint8))
        writer.add(1, "000001", np.where(blob(2), 4, 0).astype(np.uint8))
    written = json.loads(path.read_text())
    assert Counter(item["name"] for item in written["categories"]) == Counter(["ball", "box", "object 4"])
    labels = {item["id"]: item["name"] for item in written["categories"]}
    assert [(a["track_id"], labels[a["category_id"]]) for a in written["annotations"]] == [
        (3, "ball"), (9, "box"), (4, "object 4"),
    ]  # fmt: skip
    again = read_masks(path, None, SIZE, count=2)
    assert again.names == {3: "ball", 4: "object 4", 9: "box"} and not any("object 4" in note for note in again.notes)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe"])
def test_byte_order_marks(tmp_path, mark):
    text = json.dumps(document(["000000.png"], [annotation(1)]))
    path = tmp_path / "c.json"
    path.write_bytes(mark + text.encode("utf-8" if len(mark) == 3 else "utf-16-le"))
    assert list(read_masks(path, None, SIZE, count=6).masks) == [0]


WHOLE = document(
    [f"frame_{n:06d}.PNG" for n in SIX],
    [
        annotation(1, 2, 1, id=1, attributes={"track_id": 0}),
        annotation(5, 18, 2, id=2, attributes={"track_id": 1}, segmentation=[[1.5, 1, 9, 1, 9, 9]]),
    ],
)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("annotations", 0, "category_id"), [1], "annotation 1: 'category_id'"),
        (("annotations", 0, "image_id"), {}, "annotation 1: 'image_id'"),
        (("annotations", 0, "id"), [], "annotation 1: 'id'"),
        (("annotations", 0, "id"), True, "annotation 1: 'id'"),
        (("annotations", 1, "attributes", "track_id"), [2], "annotation 2: 'track_id'"),
        (("annotations", 1, "attributes"), 4, "annotation 2 has no 'attributes.track_id'"),
        (("images", 2, "id"), {"a": 1}, "image 3: 'id'"),
        (("images", 0, "file_name"), ["a.png"], "image 1: 'file_name'"),
        (("images", 0, "height"), [24], "image 1: 'height'"),
        (("images", 4, "height"), 10**12, "'height' and 'width'"),
        (("images", 4, "width"), "wide", "'height' and 'width'"),
        (("images", 4, "width"), float("nan"), "image 5: 'width'"),
        (("categories", 0, "id"), [], "category 1: 'id'"),
        (("categories", 0, "name"), {"en": "ball"}, "category 1: 'name'"),
        (("annotations", 0, "segmentation", "size"), [10**9, 10**9], "'size'"),
        (("annotations", 0, "segmentation", "counts"), [[1]], "RLE"),
        (("annotations", 1, "segmentation"), [[float("inf")] * 6], "no numbers"),
    ],
)
def test_values_of_other_types_are_named(tmp_path, place, value, said):
    content = copy.deepcopy(WHOLE)
    *way, key = place
    inside = content
    for step in way:
        inside = inside[step]
    inside[key] = value
    with pytest.raises(MaskError, match=rf"c\.json: .*{said}"):
        read(tmp_path, content)


def test_numbers_as_text_and_as_floats_are_numbers(tmp_path):
    content = json.loads(json.dumps(WHOLE).replace('"image_id": 1,', '"image_id": "1",').replace(": 5,", ": 5.0,"))
    assert list(read(tmp_path, content).masks) == [0, 4]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([0, -1, 1e30, 2**70]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "size", "counts", "x"]), inner),
    max_leaves=6,
)


def places(value, way=()):
    """All ways into a document."""
    yield way
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*way, key))


@settings(max_examples=150)
@given(st.data())
def test_no_value_anywhere_is_a_traceback(tmp_path_factory, data):
    content = {"": copy.deepcopy(WHOLE)}
    for _ in range(data.draw(st.integers(1, 3))):
        *way, key = data.draw(st.sampled_from([way for way in places(content) if way]))
        inside = content
        for step in way:
            inside = inside[step]
        inside[key] = data.draw(JSON)
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    path.write_text(json.dumps(content[""]))
    try:
        found = read_masks(path, None, SIZE, resize=True, count=6)
    except MaskError as error:
        assert "fuzz.json" in str(error) and len(str(error)) < 2000
    else:
        assert found.masks and all(mask.shape == SIZE and mask.any() for mask in found.masks.values())


def test_boxes_are_no_masks(tmp_path):
    box = {"image_id": 1, "category_id": 1, "bbox": [2, 4, 9, 9], "segmentation": []}
    with pytest.raises(MaskError, match=r"c\.json: holds no masks or polygons, but 2 x box; .*--box"):
        read(tmp_path, document(["000000.png"], [box, box]))
    found = read(tmp_path, document(["000000.png"], [box, annotation(1)]))
    assert found.ids.ids == (1,) and any("left out: 1 x box" in note for note in found.notes)


def test_two_images_of_one_id_are_refused(tmp_path):
    joined = document(["000000.png", "000003.png"], [annotation(1)])
    joined["images"][1]["id"] = 1  # as of two files, joined: it was taken for frame 3
    with pytest.raises(MaskError, match=r"'000000\.png' and '000003\.png' have one id, 1; give each its own"):
        read(tmp_path, joined)
    joined["images"][1] = joined["images"][0]  # the same one, listed twice
    assert list(read(tmp_path, joined).masks) == [0]
