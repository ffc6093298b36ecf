"""Exports of annotations as files: their names, what of the video is in them, and what an error leaves. What others
read in them is in tests/readers."""

import json
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.api.segment.exporters import exporter
from camn.api.segment.exporters.exporter import About, Shown
from camn.api.segment.exporters.vos import sequence_name
from camn.errors import CamnError
from camn.masks.naming import object_name
from camn.media.source import Frame

SIZE = (32, 48)
NAMES = ("yolo", "youtube-vis", "cvat-video", "cvat-images", "davis", "youtube-vos")


def mask(index: int) -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[4:12, 4 + index : 20] = 3
    ids[20:28, 10:30] = 9
    return ids


@pytest.fixture
def source(tmp_path) -> api.FrameSource:
    """Four frames, of which the second is a JPEG."""
    folder = tmp_path / ".clip  one"
    folder.mkdir()
    for index in range(4):
        image = Image.fromarray(np.full((*SIZE, 3), 40 * index, np.uint8))
        image.save(folder / f"f{index}.{'jpg' if index == 1 else 'png'}", quality=30)
    return api.open_source(folder)


@pytest.mark.parametrize("name", NAMES)
def test_its_files_are_those_it_tells_of(name, source, tmp_path):
    """So that they make way for the next run; and they are the same in a zip."""
    one = exporter(name)
    path = tmp_path / "out" / one.path
    path.parent.mkdir()
    api.export_masks(name, mask, path, size=SIZE, source=source)
    found = {file for file in path.parent.rglob("*") if file.is_file()}
    assert found == {file for pattern in one.patterns for file in path.parent.glob(pattern)} != set()
    if one.files:
        api.export_masks(name, mask, tmp_path / "a.zip", size=SIZE, source=source)
        with zipfile.ZipFile(tmp_path / "a.zip") as archive:
            assert {path / entry for entry in archive.namelist()} == found
        (own,) = (file for file in source.path.glob("*.jpg"))
        assert own.read_bytes() in [file.read_bytes() for file in path.rglob("*.jpg")]  # not encoded anew


def test_chosen_objects_and_frames(source, tmp_path):
    """Frames keep their numbers, so that the files fit the whole video."""
    more = {"size": SIZE, "source": source, "names": {3: "cat", 9: "dog"}, "ids": (3, 9)}
    for name in ("cvat-video", "cvat-images", "youtube-vis", "davis"):
        api.export_masks(name, mask, tmp_path / name, objects=(9,), frames=(2, 3), **more)
    video, images = (ElementTree.parse(tmp_path / f"cvat-{kind}").getroot() for kind in ("video", "images"))
    assert [one.get("frame") for one in video.iter("mask")] == ["2", "3", "3"]  # the first track's end is its second
    for root in (video, images):
        task = root.find("meta/task")
        assert task is not None and [task.findtext(key) for key in ("start_frame", "stop_frame")] == ["2", "3"]
        assert [one.text for one in root.findall("meta/task/labels/label/name")] == ["dog"]
    assert [(one.get("id"), one.get("name")) for one in images.iter("image")] == [("2", "f2.png"), ("3", "f3.png")]
    read = json.loads((tmp_path / "youtube-vis").read_bytes())
    assert read["videos"][0]["file_names"] == ["clip one/00002.jpg", "clip one/00003.jpg"]
    assert [one["name"] for one in read["categories"]] == ["dog"]
    frames = sorted((tmp_path / "davis" / "Annotations" / "480p" / "clip one").iterdir())
    assert [frame.name for frame in frames] == ["00002.png", "00003.png"]


@pytest.mark.parametrize("name", NAMES)
def test_an_error_elsewhere_leaves_what_was_written_whole(name, tmp_path):
    one = exporter(name)
    path, image = tmp_path / one.path, np.zeros((*SIZE, 3), np.uint8)
    with pytest.raises(KeyboardInterrupt), one.open(path, About(SIZE, 24)) as write:
        write(Shown(0, "000000", mask(0), Frame(0, "000000", image)))
        raise KeyboardInterrupt
    assert not list(path.parent.rglob("*.part*"))
    if name.startswith("cvat"):
        assert len(list(ElementTree.parse(path).getroot().iter("mask"))) == 2
    elif name == "youtube-vis":
        assert len(json.loads(path.read_bytes())["annotations"]) == 2
    elif name == "yolo":
        assert '"object 9"' in (path / "data.yaml").read_text()
    elif name == "davis":
        assert json.loads((path / "davis_semantics.json").read_bytes()) == {"video": {"3": "object 3", "9": "object 9"}}
    else:
        assert json.loads((path / "meta.json").read_bytes())["videos"]["video"]["objects"]["9"]["frames"] == ["00000"]


def test_names_of_all_kinds(source, tmp_path):
    """Files are what their formats take, whatever objects and the video are called."""
    names = {3: 'a"b<&>/\\\x01\n\udce9 😀'}
    more = {"size": SIZE, "source": source, "names": names, "video": "c\x02<&>\udce9"}
    for name in NAMES:
        api.export_masks(name, mask, tmp_path / name, **more)
    text = (tmp_path / "yolo" / "data.yaml").read_bytes()
    assert text.isascii() and b'- "a\\"b<&>/\\\\\\U00000001\\U0000000a\\U0000dce9 \\U0001f600"' in text
    written = 'a"b<&>/\\\\x01\n\\udce9 😀'
    for name in ("cvat-video", "cvat-images"):
        root = ElementTree.parse(tmp_path / name).getroot()
        assert root.findtext("meta/task/labels/label/name") == written
        assert root.findtext("meta/task/name") == "c\\x02<&>\\udce9"
    assert json.loads((tmp_path / "youtube-vis").read_bytes())["categories"][0]["name"] == names[3]
    lists = (tmp_path / "davis" / "ImageSets" / "2017" / "val.txt").read_text("utf-8")
    assert (tmp_path / "davis" / "JPEGImages" / "480p" / lists.strip()).is_dir()


def test_names_of_sequences():
    said = ("clip", " my  clip\n2 ", ".hidden", "...", "", "dc\udce9", "a.b")
    assert [sequence_name(one) for one in said] == ["clip", "my clip 2", "hidden", "video", "video", "dc\\udce9", "a.b"]
    assert sequence_name("../../x/\\y\0") == "-..-x--y-" and sequence_name("/") == "-"
    assert sequence_name("漢" * 120) == "漢" * 66


def test_an_object_without_a_name_and_ids_of_numpy(source, tmp_path):
    """As in segments.json. And JSON can hold the ids."""
    about = About(SIZE, 24, ids=(1,), names={1: " ", 2: " a "})
    assert [object_name(id, about.names) for id in (1, 2, 3)] == ["object 1", "a", "object 3"]
    found = np.unique(np.array([[7, 9]], np.uint8))
    api.export_masks(
        "masks", lambda index: np.full(SIZE, 7), tmp_path / "m.zip", size=SIZE, count=1, ids=found, objects=found[:1]
    )
    with zipfile.ZipFile(tmp_path / "m.zip") as made:
        assert [one["id"] for one in json.loads(made.read("objects.json"))] == [7]


def no_mask(index: int) -> np.ndarray:
    return np.zeros((3, 3), np.uint8)


@pytest.mark.parametrize(("wrong", "said"), [
    ({"opacity": 2}, "opacity is 2: it must be between 0 and 1"),
    ({"opacity": float("nan")}, "opacity is nan"),
    ({"fps": 0, "source": None, "count": 1}, "fps is 0: it must be more than 0"),
    ({"background": None}, "background is None: it must be text"),
    ({"ids": (0, 300)}, "object 0: ids are whole numbers, 1..255"),
    ({"names": {"1": "a"}}, "object '1': ids are whole numbers"),
    ({"names": {1: None}}, "None is no name of an object"),
    ({"colours": {1: (300, 0, 0)}}, r"\(300, 0, 0\) is no colour of an object"),
    ({"colours": {1: 3}}, "3 is no colour of an object"),
    ({"objects": ["1"]}, "object '1' to be exported: ids are whole numbers"),
    ({"objects": [True]}, "object True to be exported"),
    ({"objects": 1}, "objects to be exported are 1: give a list of ids"),
    ({"frames": (1,)}, r"frames to be exported are \(1,\): give the numbers of the first and the last"),
    ({"frames": (0.5, 1)}, "give the numbers of the first"),
    ({"source": None, "count": 0}, "there is no frame to export"),
    ({"masks": no_mask}, f"the mask of frame 0 is 3x3, and the frames are {SIZE[1]}x{SIZE[0]}"),
    ({"masks": lambda index: np.full(SIZE, 300)}, "this mask holds 300..300"),
    ({"path": "."}, "is a folder; give the name of a file"),
])  # fmt: skip
def test_what_cannot_be_is_said(wrong, said, source, tmp_path):
    (tmp_path / "there").mkdir()
    how = {"masks": lambda index: np.ones(SIZE, np.uint8), "size": SIZE, "source": source} | wrong
    path = tmp_path / "there" / how.pop("path", "segments.json")
    with pytest.raises(CamnError, match=said):
        api.export_masks("coco", path=path, **how)
    assert not any((tmp_path / "there").iterdir())
