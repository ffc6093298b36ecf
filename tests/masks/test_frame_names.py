"""Which frames masks are of, by their names: what tools call them, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camn.errors import MaskError
from camn.masks import read_masks
from camn.masks.frame_names import FrameNames
from camn.masks.numbers import find_numbers

SIZE = (40, 60)
SIX = range(6)


def disc(x: int, y: int = 20, radius: int = 9) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return (((columns - x) ** 2 + (rows - y) ** 2) < radius**2).astype(np.uint8) * 255


MOVING = [disc(14 + 3 * n) for n in range(7)]  # one object on frames that follow each other
APART = [disc(x, y, 6) for y in (8, 30) for x in (8, 28, 50)]  # six objects of one frame


def save(folder: Path, names, pictures) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name, picture in zip(names, pictures):
        Image.fromarray(picture).save(folder / name)
    return [folder / name for name in names]


def read(folder: Path, names, pictures, frames=None, count: int | None = 6, **options):
    """Masks of a folder for a video of six frames, or for a folder of frames of these names."""
    save(folder, names, pictures)
    return read_masks(folder, frames, SIZE, count=None if frames else count, **options)


@pytest.mark.parametrize(
    "pattern",
    [
        "%06d.png",
        "%05d.png",
        "mask_%05d.png",
        "%05d_mask.png",
        "frame_%06d.PNG",
        "%d.png",
        "img (%d).png",
        "clip-%04d-mask.png",
        "frame_%d_v2.png",
        "take2_frame%d.png",
        "t%02d.png",
        "seg.%04d.png",
        "Comp 1_%05d.png",
        "1a2b3c4d-frame_%06d.png",
        "frame_%d_jpg.rf.9f86d081884c7d659a2feaa0c55ad015.png",
        "2024-01-01_%04d.bmp",
    ],
)
def test_numbers_that_run_are_frames(tmp_path, pattern):
    found = read(tmp_path / "0", [pattern % n for n in SIX], MOVING)
    assert list(found.masks) == [*SIX] and found.ids.ids == (1,)
    assert bool(found.notes) is (pattern not in ("%06d.png", "%05d.png"))  # what is more than a number is told
    for n in SIX:
        assert np.array_equal(found.masks[n] > 0, MOVING[n] > 0)
    found = read(tmp_path / "1", [pattern % (n + 1) for n in SIX], MOVING)
    assert list(found.masks) == [*SIX] and np.array_equal(found.masks[0] > 0, MOVING[0] > 0)
    assert "is taken for the first frame" in found.notes[0] and "--first-frame" in found.notes[0]
    found = read(tmp_path / "k", [pattern % n for n in (0, 4)], [MOVING[0], MOVING[4]])
    assert list(found.masks) == [0, 4]
    files = save(tmp_path / "list", [pattern % n for n in SIX], MOVING)
    assert list(read_masks(files, None, SIZE, count=6).masks) == [*SIX]


def test_masks_that_begin_at_frame_1_are_asked_about(tmp_path):
    for n, names in enumerate((["000001.png"], ["000001.png", "000004.png"], ["frame_1.png"])):
        found = read(tmp_path / str(n), names, MOVING)
        assert list(found.masks) == [1, 4][: len(names)]
        assert "Masks begin at frame 1" in found.notes[-1] and "--first-frame 1" in found.notes[-1]
        assert "frame 0 stays empty" in found.notes[-1]
    assert not read(tmp_path / "late", ["000002.png", "000004.png"], MOVING).notes  # nothing to ask
    assert not read(tmp_path / "own", ["000001.png"], MOVING, frames=[f"{n:06d}" for n in SIX]).notes


@pytest.mark.parametrize("name", ["%06d.png", "mask_%d.png", "object_%d.png"])
def test_the_first_frames_number_can_be_said(tmp_path, name):
    found = read(tmp_path / "a", [name % 1, name % 4], MOVING, first_frame=1)
    assert list(found.masks) == [0, 3] and not any("begin" in note for note in found.notes)
    assert list(read(tmp_path / "a", [], [], first_frame=0).masks) == [1, 4]
    assert list(read(tmp_path / "a", [], [], frames=[f"{n:06d}" for n in SIX], first_frame=1).masks) == [0, 3]
    with pytest.raises(MaskError, match=r"bears the number 9, none has that of"):
        read(tmp_path / "a", [], [], first_frame=9)
    (file,) = save(tmp_path / "one", [name % 4], MOVING)
    found = read_masks(file, None, SIZE, count=6, first_frame=1)
    assert list(found.masks) == [3] and not found.unplaced
    with pytest.raises(MaskError, match="no number in the names.*--first-frame"):
        read(tmp_path / "words", ["cat.png", "dog.png"], APART, first_frame=1)


def test_a_folders_frames_have_numbers_of_their_own(tmp_path):
    ones = [f"{n:05d}" for n in range(1, 7)]
    exact = read(tmp_path / "a", [f"{name}.png" for name in ones], MOVING, frames=ones)
    assert list(exact.masks) == [*SIX] and not exact.notes
    assert list(read(tmp_path / "b", ["mask_00001.png", "mask_00003.png"], MOVING, frames=ones).masks) == [0, 2]
    assert list(read(tmp_path / "c", ["1.png", "3.png"], MOVING, frames=ones).masks) == [0, 2]
    fives = [f"{n:05d}" for n in range(0, 30, 5)]
    assert list(read(tmp_path / "d", ["m_00005.png", "m_00020.png"], MOVING, frames=fives).masks) == [1, 4]
    found = read(tmp_path / "e", [f"m_{n:04d}.png" for n in SIX], MOVING, frames=[str(n) for n in range(100, 106)])
    assert list(found.masks) == [*SIX] and "m_0000.png is taken for the first frame" in found.notes[0]
    assert list(read(tmp_path / "f", ["0.25.png", "0.5.png"], MOVING, frames=["0.0", "0.25", "0.5"]).masks) == [1, 2]
    assert list(read(tmp_path / "g", ["m_0000.png", "m_0002.png"], MOVING, frames=["x", "y", "z"]).masks) == [0, 2]
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert list(read(tmp_path / "h", [f"{decomposed}.png"], MOVING, frames=["a", composed]).masks) == [1]


@pytest.mark.parametrize(
    ("names", "frames"),
    [
        ([f"{n:05d}.png" for n in range(6)], [f"{n:05d}" for n in range(1, 7)]),
        ([f"{n:05d}.png" for n in range(1, 7)], [f"{n:05d}" for n in range(6)]),
        ([f"{n:05d}.png" for n in range(3, 9)], None),
        ([f"mask_{n:05d}.png" for n in range(100, 106)], None),
        (["00002.png", "00006.png"], None),
        (["mask_0002.png", "mask_0004.png"], [str(n) for n in range(100, 106)]),
    ],
)
def test_numbers_that_do_not_tell_are_refused(tmp_path, names, frames):
    with pytest.raises(MaskError, match=rf"{tmp_path.name}.*{names[0]} .*with --first-frame 0 .*with --first-frame \d"):
        read(tmp_path, names, MOVING, frames=frames)


def test_masks_behind_the_last_frame_stay(tmp_path):
    """How long a video is may be known roughly; those that are not used are told at the end."""
    assert list(read(tmp_path / "a", [f"{n:05d}.png" for n in range(7)], MOVING).masks) == [*range(7)]
    assert list(read(tmp_path / "b", ["00003.png", "00900.png"], MOVING, count=None).masks) == [3, 900]


@pytest.mark.parametrize(
    "names",
    [
        ["cat.png", "dog.png"],
        ["object_1.png", "object_2.png"],
        ["object_0001.png", "object_0002.png"],
        ["person01.png", "person02.png"],
        ["1.png", "2.png"],
        ["mask_3.png", "mask_7.png"],
        ["img (1).png", "img (2).png"],
        ["cat_1.png", "cat_2.png", "dog_1.png", "dog_2.png"],
    ],
)
def test_files_apart_are_objects_of_one_frame(tmp_path, names):
    found = read(tmp_path, names, APART)
    assert list(found.masks) == [0] and len(found.ids) == len(names) and found.unplaced
    assert "each file is one object of the first frame" in found.notes[0]


def test_an_object_within_another_is_one(tmp_path):
    found = read(tmp_path, ["1.png", "2.png", "9.png"], [disc(15, 20, 14), disc(15, 20, 4), disc(45)], count=100)
    assert found.ids.ids == (1, 2, 9) and list(found.masks) == [0]


@pytest.mark.parametrize(
    ("names", "pictures", "said"),
    [
        (["cat.png", "dog.png"], MOVING, "nearly the same pixels"),
        (["object_00000.png", "object_00001.png", "object_00002.png"], MOVING, "nearly the same pixels"),
        (["mask_0001.png", "mask_0002.png"], APART, "two frames, or of two objects"),
        ([f"{n}.png" for n in range(1, 7)], APART, "two frames, or of two objects"),
        (["0.png", "4.png"], APART, "two frames, or of two objects"),
        (["1.png", "4.png"], [MOVING[0], MOVING[3]], "two frames, or of two objects"),
        (["cat_00000.png", "cat_00001.png", "dog_00000.png", "dog_00001.png"], MOVING, "two masks of one frame"),
    ],
)
def test_what_may_be_either_is_refused(tmp_path, names, pictures, said):
    with pytest.raises(MaskError, match=said) as error:
        read(tmp_path, names, pictures)
    assert "object_1" in str(error.value) or "keep one of them" in str(error.value)


def test_numbers_of_no_frame_are_refused_where_names_say_nothing(tmp_path):
    with pytest.raises(MaskError, match=r"2 of 3 files have numbers of no frame \(x80.png\)"):
        read(tmp_path, ["x3.png", "x80.png", "x90.png"], MOVING[:1] * 3, frames=[f"{n:06d}" for n in SIX])


def test_a_file_of_several_objects_or_none_is_a_frames(tmp_path):
    both = np.where(APART[0] > 0, 1, np.where(APART[2] > 0, 2, 0)).astype(np.uint8)
    found = read(tmp_path / "a", ["1.png", "2.png"], [both, both])
    assert list(found.masks) == [1, 2] and found.ids.ids == (1, 2)
    found = read(tmp_path / "b", ["0.png", "1.png"], [APART[0], APART[0] * 0])
    assert list(found.masks) == [0] and any("no object" in note for note in found.notes)


def test_one_file(tmp_path):
    for name, frame in (("000004.png", 4), ("mask_00004.png", 4), ("frame_4.png", 4), ("img_4.png", None)):
        (file,) = save(tmp_path / "files", [name], MOVING)
        found = read_masks(file, None, SIZE, count=6)
        assert list(found.masks) == [0] and found.unplaced
        assert bool(found.notes) is bool(frame) and all(f"frame {frame} " in note for note in found.notes)
        alone = read(tmp_path / name.partition(".")[0], [name], MOVING)
        assert list(alone.masks) == [frame or 0] and alone.unplaced is (frame is None)
    (file,) = save(tmp_path / "files", ["IMG_20240101.png"], MOVING)
    assert not read_masks(file, None, SIZE, count=6).notes  # a number of no frame


def test_a_file_of_a_list_that_is_not_there_is_named(tmp_path):
    files = save(tmp_path, ["cat.png"], [disc(9) // 255 + 2 * (disc(40) // 255)])
    with pytest.raises(MaskError, match=r"dog\.png: no such mask file"):
        read_masks([*files, tmp_path / "dog.png"], None, SIZE, count=6)


def test_folders_of_folders_are_told(tmp_path):
    save(tmp_path / "001", ["00000.png"], MOVING)
    with pytest.raises(MaskError, match="no mask images in this folder, but the folders 001"):
        read_masks(tmp_path, None, SIZE)


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["a", "b"], None),
        (["x_10_2", "x_20_2"], (10, 20)),
        (["x_1_10", "x_2_20"], None),  # both differ
        (["frame_1_10", "frame_2_20"], (1, 2)),
        (["a1", "b2"], None),
        (["a1", "a2", "b"], (1, 2, None)),
        (["00012"], (12,)),
        (["take2_00012"], (12,)),
        (["take2_12"], None),
        ([".load-0012"], None),
        (["9" * 30 + "_1", "9" * 30 + "_2"], (1, 2)),
        (["00000001-file", "00000002-file"], (1, 2)),
        (["3f2a1b4c-x_7", "9912ab34-x_8"], (7, 8)),
        ([], None),
    ],
)
def test_the_number_that_runs(names, numbers):
    found = find_numbers(names)
    assert (found.numbers if found else None) == numbers


@pytest.mark.parametrize(
    ("frames", "masks", "right"),
    [
        (["0.0", "0.25", "0.5", "1.05"], ["1.05.png", "0.25.png", "0.5"], [3, 1, 2]),
        (["-0.5", "0.5"], ["0.5.png", "-0.5.png"], [1, 0]),
        (["00000.jpg", "00001.jpg"], ["00001.jpg.png", "00000.png"], [1, 0]),
        (["00000", "00001"], ["00001.jpg.png", "00000.jpg"], [1, 0]),
        (["caf\u00e9"], ["cafe\u0301.png"], [0]),
    ],
)
def test_names_with_dots_and_accents(frames, masks, right):
    names = FrameNames(frames)
    assert [names.exact(mask) for mask in masks] == right and names.same(masks) == right
