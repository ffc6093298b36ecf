"""Masks of data sets whose palettes are in any order."""

import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.datasets.labels import LabelFiles
from camn.datasets.layouts import open_videos
from camn.datasets.pairs import read_labels
from camn.datasets.stills import StillsFolder
from camn.errors import DataError
from camn.masks import PALETTE, write_palette_png

SHAPE = (40, 48)
BLACK, RED, GREEN, WHITE = (0, 0, 0), (255, 0, 0), (0, 255, 0), (255, 255, 255)


def boxes(*ids):
    labels = np.zeros(SHAPE, np.uint8)
    for k, number in enumerate(ids):
        labels[8:24, 2 + 11 * k : 12 + 11 * k] = number
    return labels


def save(path, indices, colours, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(indices, np.uint8))
    image.putpalette([value for colour in colours for value in colour])
    image.save(path, **options)
    return path


def clip(top, masks):
    """masks: (indices, colours) of each frame."""
    for k, mask in enumerate(masks):
        (top / "frames").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*SHAPE, 3), 10 * k, np.uint8)).save(top / f"frames/{k}.jpg")
        save(top / f"masks/{k}.png", *mask)
    return top


def order(labels, *at):
    return np.array(at, np.uint8)[labels]


DIFFERS = [
    (boxes(1, 2), [BLACK, RED, GREEN]),
    (boxes(1, 2), [BLACK, GREEN, RED]),
    (order(boxes(1, 2), 1, 2, 0), [GREEN, BLACK, RED]),
]
WANTED = [boxes(1, 2), boxes(2, 1), boxes(1, 2)]


def test_one_object_has_one_id_whatever_the_palettes(tmp_path):
    clip(tmp_path / "kit", DIFFERS)
    (kit,) = open_videos(tmp_path).sequences
    for index, wanted in enumerate(WANTED):
        assert np.array_equal(kit.labels(index), wanted) and np.array_equal(kit.read(index)[1], wanted)
    assert "palettes differ by file" in kit.files.note and kit.files.colours() == {0xFF0000: 1, 0x00FF00: 2}
    report = api.check_data(tmp_path)
    assert not report.problems and report.parts[0].sequences[0].ids == (1, 2)
    assert any("kit/masks: The palettes differ by file: objects are told by colour" in note for note in report.notes)


def test_palettes_that_say_ids_are_read_as_they_are(tmp_path):
    youtube = [BLACK, (236, 95, 103), (249, 145, 87), (250, 200, 99)]
    for name, colours in {
        "davis": PALETTE.tolist(),
        "youtube": youtube,
        "short": None,
        "white": [WHITE, RED, GREEN],
    }.items():
        short = [(boxes(1, 2), youtube), (boxes(1), youtube[:2])]
        clip(tmp_path / name, [(boxes(1, 2), colours), (boxes(2, 1), colours)] if colours else short)
        (found,) = open_videos(tmp_path / name).sequences
        assert np.array_equal(found.labels(0), boxes(1, 2)) and not found.files.note
        assert np.array_equal(found.labels(1), boxes(2, 1) if colours else boxes(1))
    void = clip(tmp_path / "void", [(boxes(1, 255), PALETTE.tolist())])
    assert np.array_equal(read_labels(void / "masks" / "0.png"), boxes(1, 255))
    binary = clip(tmp_path / "binary", [(order(boxes(1), 1, 0), [WHITE, BLACK]), (boxes(1), [BLACK, WHITE])])
    (found,) = open_videos(binary).sequences
    assert all(np.array_equal(found.labels(index), boxes(1)) for index in (0, 1))


def test_a_transparent_ground_and_davis_colours_in_another_order(tmp_path):
    clear = save(tmp_path / "a.png", order(boxes(1, 2), 1, 0, 2), [RED, WHITE, GREEN], transparency=1)
    assert np.array_equal(read_labels(clear), boxes(2, 1))
    known = [tuple(PALETTE[n].tolist()) for n in (2, 0, 5)]
    assert np.array_equal(read_labels(save(tmp_path / "b.png", order(boxes(1, 2), 1, 0, 2), known)), boxes(2, 5))


def test_stills_each_by_itself(tmp_path):
    (tmp_path / "cups/images").mkdir(parents=True)
    Image.fromarray(np.zeros((*SHAPE, 3), np.uint8)).save(tmp_path / "cups/images/1.jpg")
    save(tmp_path / "cups/masks/1.png", order(boxes(1), 1, 0), [RED, BLACK])
    (still,) = StillsFolder(tmp_path).stills
    assert np.array_equal(still.read()[1], boxes(1))


def test_what_cannot_be_known_is_a_problem(tmp_path):
    clip(tmp_path / "kit", [(boxes(1, 2), [WHITE, RED, GREEN]), (order(boxes(1, 2), 1, 0, 2), [RED, WHITE, GREEN])])
    with pytest.raises(DataError, match="kit/masks: palettes that differ by file, none of them with black"):
        open_videos(tmp_path).sequences[0].labels(0)
    assert any("none of them with black" in problem for problem in api.check_data(tmp_path).problems)


def test_masks_that_look_inverted_or_turned_are_told(tmp_path):
    clip(tmp_path / "kit", [(1 - boxes(1), [BLACK, RED])])
    report = api.check_data(tmp_path)
    assert any("as if inverted: 1" in note for note in report.notes)
    write_palette_png(tmp_path / "kit/masks/0.png", boxes(1).T.copy())
    (problem,) = api.check_data(tmp_path).problems
    assert "0.png: 40x48, but its frame is 48x40" in problem and "turned by 90 degrees" in problem


def test_ids_of_other_masks_of_the_same_colours(tmp_path):
    path = save(tmp_path / "a.png", boxes(1, 2), [BLACK, GREEN, RED])
    assert np.array_equal(LabelFiles((path,), {0xFF0000: 7, 0x00FF00: 3}).read(path), boxes(3, 7))
    assert np.array_equal(LabelFiles((path,), {0xFF0000: 2, 0x00FF00: 1}).read(path), boxes(1, 2))
    assert np.array_equal(LabelFiles((path,), {0xFF0000: 7}).read(path), boxes(1, 2))


def test_masks_are_turned_as_frames_are(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    path = save(tmp_path / "m.png", boxes(1, 2)[::-1, ::-1], PALETTE, exif=exif.tobytes())
    assert np.array_equal(read_labels(path), boxes(1, 2))


def test_a_jpeg_called_png_is_refused(tmp_path):
    Image.fromarray(boxes(1, 2)).save(tmp_path / "m.png", "JPEG")
    with pytest.raises(DataError, match="m.png: a JPEG by its content, which blurs ids"):
        read_labels(tmp_path / "m.png")


@pytest.mark.parametrize("values", [(1, 255), (255, 1)])
def test_1_in_some_masks_and_255_in_others_is_a_problem(tmp_path, values):
    clip(tmp_path / "kit", [(boxes(1) * value, np.stack([np.arange(256)] * 3, 1).tolist()) for value in values])
    assert "is 255 an object or void?" in "".join(api.check_data(tmp_path).problems)
