"""What masks do not show, and masks that do not fit their frames: turned, stretched, inverted."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from camn.errors import MaskError, MaskSizeError, MaskTurnedError
from camn.masks import MaskSet, encode_palette_png, read_masks, write_palette_png
from camn.masks.ids import surrounding
from camn.masks.sizes import is_turned, same_shape

SIZE = (24, 40)
NAMES = [f"{index:06d}" for index in range(12)]


def draw(*ids: int, size=SIZE) -> np.ndarray:
    made = np.zeros(size, np.uint8)
    for n, id in enumerate(ids):
        made[4:14, 2 + 8 * n : 8 + 8 * n] = id
    return made


def folder(path, shown):
    """Masks by frame."""
    path.mkdir(exist_ok=True)
    for frame, mask in shown.items():
        write_palette_png(path / f"{frame:06d}.png", mask)
    return path


def read(source, **options) -> MaskSet:
    return read_masks(source, NAMES, SIZE, **options)


def test_what_masks_do_not_show_goes_on_and_is_told(tmp_path):
    found = read(folder(tmp_path, {0: draw(1, 2), 3: draw(1), 5: draw(), 7: draw(1, 2), 9: draw(5)}))
    assert list(found.masks) == [0, 3, 7, 9] and not found.absent and not found.whole
    assert [note.removeprefix(str(tmp_path)) for note in found.notes] == [
        "/000003.png does not show object 2, which goes on; give --masks-are-whole if what a mask lacks is gone.",
        "/000005.png states no object; objects 1, 2 go on; give --masks-are-whole if what a mask lacks is gone.",
        "/000009.png does not show objects 1, 2, which go on; give --masks-are-whole if what a mask lacks is gone.",
    ]
    assert not read(tmp_path, whole=None).notes  # the page, which says itself what is not there


def test_whole_masks_say_what_is_gone(tmp_path):
    shown = {0: draw(), 1: draw(1, 2), 3: draw(1), 5: draw(), 6: draw(), 7: draw(2, 4), 9: draw(1, 2, 4)}
    found = read(folder(tmp_path, shown), whole=True)
    assert list(found.masks) == [1, 3, 5, 6, 7, 9] and found.whole
    assert found.absent == {3: {2}, 5: {1}}  # 2 was gone already
    notes = [note.removeprefix(str(tmp_path)) for note in found.notes]
    assert notes[0].startswith("1 of 7 masks hold no object and are left out")
    assert notes[1:] == ["/000003.png: object 2 is gone from there on.", "/000005.png: object 1 is gone from there on."]


def test_many_masks_that_lack_objects_are_counted(tmp_path):
    found = read(folder(tmp_path, {0: draw(1, 2), **dict.fromkeys(range(1, 9), draw(1))}))
    assert len(found.notes) == 4 and found.notes[-1] == "So with 5 more masks."


def test_masks_that_all_show_all_objects_have_no_note(tmp_path):
    found = read(folder(tmp_path, {0: draw(1), 2: draw(1, 2), 4: draw(2, 1)}))
    assert not found.notes and not found.absent


def test_coco_of_several_frames(tmp_path):
    square = [[2, 2, 9, 2, 9, 9, 2, 9]]
    tracks = [(0, 1), (0, 2), (4, 1)]
    document = [{"image_id": frame, "track_id": id, "segmentation": square} for frame, id in tracks]
    document[1]["segmentation"] = [[12, 2, 19, 2, 19, 9, 12, 9]]
    (tmp_path / "c.json").write_text(json.dumps(document))
    found = read(tmp_path / "c.json")
    assert any("c.json, frame 4 (0 is the first) does not show object 2" in note for note in found.notes)
    assert read(tmp_path / "c.json", whole=True).absent == {4: {2}}


def test_a_mask_that_says_itself_what_is_not_there(tmp_path):
    folder(tmp_path, {0: draw(1, 2)})
    for frame, stated in {3: [2], 5: [1, 2], 7: None, 8: "nonsense"}.items():
        note = {"camn": json.dumps({"stated": stated})}
        (tmp_path / f"{frame:06d}.png").write_bytes(encode_palette_png(draw(1) if frame > 5 else draw(), note))
    found = read(tmp_path)
    assert found.absent == {3: {2}, 5: {1, 2}} and list(found.masks) == [0, 3, 5, 7, 8] and not found.whole
    assert [re.findall(r"\d{6}", note)[-1] for note in found.notes] == ["000007", "000008"]


@pytest.mark.parametrize("size", [SIZE[::-1], (80, 48), (80, 49), (40, 25)])
@pytest.mark.parametrize("resize", [False, True])
def test_a_turned_mask_is_never_scaled(tmp_path, size, resize):
    folder(tmp_path, {0: draw(1, size=size)})
    for source in (tmp_path / "000000.png", tmp_path):
        with pytest.raises(MaskTurnedError, match=r"000000.png: .*40x24.*turned by 90 degrees") as error:
            read(source, resize=resize)
        assert "--resize-masks" not in str(error.value)
    annotation = {"segmentation": {"size": list(size), "counts": [0, 50, size[0] * size[1] - 50]}, "id": 1}
    (tmp_path / "c.json").write_text(json.dumps([annotation]))
    with pytest.raises(MaskTurnedError, match=r"c.json: .*turned by 90 degrees"):
        read(tmp_path / "c.json", resize=resize)


@pytest.mark.parametrize(
    ("size", "stretched"), [((48, 80), False), ((13, 21), False), ((40, 40), True), ((26, 40), True)]
)
def test_a_stretched_mask_is_told_with_numbers(tmp_path, size, stretched):
    path = folder(tmp_path, {0: draw(1, size=size)}) / "000000.png"
    with pytest.raises(MaskSizeError, match="--resize-masks") as error:
        read(path)
    assert not isinstance(error.value, MaskTurnedError)
    notes = read(path, resize=True).notes
    assert len(notes) == stretched
    if stretched:
        assert (
            f"{size[1]}x{size[0]} is scaled to 40x24, by {40 / size[1]:.3g} across and {24 / size[0]:.3g}" in notes[0]
        )


def test_shapes():
    assert same_shape((480, 854), (1080, 1920)) and same_shape((240, 427), (480, 854)) and same_shape((7, 7), (7, 7))
    assert not same_shape((512, 512), (1080, 1920)) and not same_shape((480, 864), (1080, 1920))
    assert is_turned((1920, 1080), (1080, 1920)) and is_turned((1920, 1088), (1080, 1920))
    assert is_turned((100, 99), (99, 100)) and not is_turned((64, 64), (64, 64)) and not is_turned((64, 64), (48, 64))


@pytest.mark.parametrize("colour", [False, True])
def test_an_inverted_mask_is_asked_about(tmp_path, colour):
    inverted = np.where(draw(1) > 0, 0, 255).astype(np.uint8)
    Image.fromarray(inverted).convert("RGB" if colour else "L").save(tmp_path / "m.png")
    found = read(tmp_path / "m.png")
    assert any(
        "m.png: object 1 has 94% of the frame and all its corners. Is the mask inverted?" in n for n in found.notes
    )
    Image.fromarray(255 - inverted).save(tmp_path / "m.png")
    assert not read(tmp_path / "m.png").notes
    write_palette_png(tmp_path / "m.png", np.where(draw(1) > 0, 2, 1).astype(np.uint8))  # background 1, object 2
    assert "object 1 has 94%" in read(tmp_path / "m.png").notes[0]


def test_a_large_object_is_not_taken_for_inverted():
    large = np.ones(SIZE, np.uint8)
    large[0, 0] = 0
    assert surrounding(large) == 0 and surrounding(draw(1)) == 0
    framed = np.zeros(SIZE, np.uint8)
    framed[:3], framed[-3:] = 1, 1  # an object at all corners, but not of most of the frame
    assert surrounding(framed) == 0 and surrounding(1 - framed) == 0 and surrounding(np.ones(SIZE, np.uint8)) == 1


@pytest.mark.parametrize(
    "source", [None, "", b"m.png", np.zeros(SIZE), [np.zeros(SIZE)], iter(["m.png"]), {"0": "m.png"}]
)
def test_what_is_no_path_is_told(source):
    with pytest.raises(MaskError, match=r"no path; .*camn\.follow\(frames, mask\)"):
        read(source)


def test_a_video_given_as_mask(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0 ftypisom")
    with pytest.raises(MaskError, match="clip.mp4: a video.*exchanged"):
        read(tmp_path / "clip.mp4")
