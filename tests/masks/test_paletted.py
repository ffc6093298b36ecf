"""Palettes in any order: the background is black or transparent, and a colour is one object in all files."""

import numpy as np
import pytest
from PIL import Image

from camn.errors import MaskError
from camn.masks import PALETTE, read_mask, read_masks, write_palette_png
from camn.masks.paletted import ids_alone

SIZE = (48, 64)
NAMES = [f"{index:06d}" for index in range(8)]
BLACK, RED, GREEN, BLUE, WHITE = (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
YOUTUBE = [BLACK, (236, 95, 103), (249, 145, 87), (250, 200, 99), (153, 199, 148), (98, 179, 178)]


def draw(*ids: int) -> np.ndarray:
    """Boxes side by side, of these ids."""
    made = np.zeros(SIZE, np.uint8)
    for n, id in enumerate(ids):
        made[10 + n : 30, 4 + 12 * n : 14 + 12 * n] = id
    return made


def save(path, indices, colours, **options):
    """A picture of mode P with these indices and the palette `colours`."""
    image = Image.fromarray(np.asarray(indices, np.uint8))
    image.putpalette([value for colour in colours for value in colour])
    image.save(path, **options)
    return path


def reordered(mask, *order):
    """Indices by which ids are stored: id n as order[n]."""
    return np.array(order, np.uint8)[mask]


def only(source):
    found = read_masks(source, NAMES, SIZE)
    assert list(found.masks) == [0]
    return found.masks[0], found


@pytest.mark.parametrize("suffix", ["png", "gif", "tif", "bmp"])
@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_black_is_the_background_wherever_it_stands(tmp_path, order, suffix):
    colours = [BLACK, RED, GREEN]
    stored = [colours[order.index(n)] for n in range(3)]
    path = save(tmp_path / f"m.{suffix}", reordered(draw(1, 2), *order), stored)
    mask, found = only(path)
    assert np.array_equal(mask, draw(2, 1))  # as of the same picture in RGB: by value, green before red
    assert found.colours == {1: GREEN, 2: RED}
    assert f"{path}: Index 0 of the palette is not the background: objects are told by colour" in found.notes[0]
    Image.open(path).convert("RGB").save(tmp_path / "rgb.png")
    assert np.array_equal(read_mask(tmp_path / "rgb.png"), mask)


@pytest.mark.parametrize("make", ["quantize", "adaptive", "libpng"])
def test_as_common_programs_store_colours(tmp_path, make):
    rgb = np.zeros((*SIZE, 3), np.uint8)
    rgb[draw(1, 2) == 1], rgb[draw(1, 2) == 2] = RED, GREEN
    image = Image.fromarray(rgb)
    small = {
        "quantize": lambda: image.quantize(4),
        "adaptive": lambda: image.convert("P", palette=Image.Palette.ADAPTIVE, colors=16),
        "libpng": lambda: image.quantize(3, method=Image.Quantize.FASTOCTREE),
    }[make]()
    small.save(tmp_path / "m.png", optimize=True)
    assert np.array_equal(read_mask(tmp_path / "m.png") > 0, draw(1, 2) > 0)
    assert len(np.unique(read_mask(tmp_path / "m.png"))) == 3


def test_palettes_that_differ_by_file_are_read_by_colour(tmp_path):
    save(tmp_path / "000000.png", draw(1, 2), [BLACK, RED, GREEN])
    save(tmp_path / "000003.png", draw(1, 2), [BLACK, GREEN, RED])
    save(tmp_path / "000005.png", reordered(draw(1, 2), 2, 0, 1), [BLUE, RED, BLACK])
    found = read_masks(tmp_path, NAMES, SIZE)
    assert np.array_equal(found.masks[0], draw(1, 2))  # the first file's indices stay ids
    assert np.array_equal(found.masks[3], draw(2, 1)) and np.array_equal(found.masks[5], draw(3, 1))
    assert any("palettes differ by file" in note for note in found.notes)
    assert found.colours == {1: RED, 2: GREEN, 3: BLUE}


def test_black_at_two_indices_is_the_background_in_both(tmp_path):
    save(tmp_path / "000000.png", draw(2), [BLACK, BLUE, RED])
    save(tmp_path / "000003.png", np.where(draw(2) > 0, 2, 1), [BLUE, BLACK, RED])
    found = read_masks(tmp_path, NAMES, SIZE)
    assert np.array_equal(found.masks[0], draw(2)) and np.array_equal(found.masks[3], draw(2))


@pytest.mark.parametrize("later", [[BLACK, RED], [BLACK, RED, GREEN, BLUE]])
def test_palettes_that_agree_keep_their_indices(tmp_path, later):
    save(tmp_path / "000000.png", draw(2, 1), [BLACK, RED, GREEN])
    save(tmp_path / "000003.png", draw(1), later)
    found = read_masks(tmp_path, NAMES, SIZE)
    assert np.array_equal(found.masks[0], draw(2, 1)) and np.array_equal(found.masks[3], draw(1))
    assert not found.colours and not any("colour" in note for note in found.notes)


@pytest.mark.parametrize(
    "colours",
    [
        PALETTE.tolist(),
        YOUTUBE,
        [(n, n, n) for n in range(256)],
        [BLACK] * 256,
        [BLACK, WHITE, *[BLACK] * 254],  # the others have no colour of their own
        [(n, 255 - n, n) for n in range(256)],
        [WHITE, RED, GREEN, BLUE, (9, 9, 9), (90, 9, 9)],
        [BLACK, (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128), *[WHITE] * 9],
    ],
)
def test_palettes_of_ids_are_read_by_index(tmp_path, colours):
    mask, found = only(save(tmp_path / "m.png", draw(1, 4, 5), colours))
    assert np.array_equal(mask, draw(1, 4, 5)) and not found.notes and not found.colours


def test_colours_that_two_indices_share(tmp_path):
    mask = read_mask(save(tmp_path / "m.png", reordered(draw(1, 2, 3), 1, 0, 2, 3), [RED, BLACK, BLACK, GREEN]))
    assert np.array_equal(mask, draw(2, 0, 1))  # index 0 cannot be the background
    mask = read_mask(save(tmp_path / "w.png", draw(1, 2), [WHITE] * 256))
    assert np.array_equal(mask, draw(1, 2))


def test_one_object_in_any_colour(tmp_path):
    for colour in (RED, WHITE, (0, 128, 0), (128, 128, 128)):
        for indices, colours in ((draw(1), [BLACK, colour]), (1 - draw(1), [colour, BLACK])):
            mask = read_mask(save(tmp_path / "m.png", indices, colours))
            assert np.array_equal(mask > 0, draw(1) > 0)
    bits = Image.fromarray(1 - draw(1)).copy()
    bits.putpalette([*WHITE, *BLACK])
    bits.save(tmp_path / "bit.png", bits=1)
    assert np.array_equal(read_mask(tmp_path / "bit.png"), draw(1))


def test_davis_colours_in_another_order_keep_their_ids(tmp_path):
    known = [tuple(colour) for colour in PALETTE.tolist()]
    mask, found = only(save(tmp_path / "m.png", draw(1, 2), [known[0], known[3], known[1]]))
    assert np.array_equal(mask, draw(3, 1)) and "another order" in found.notes[0]
    folder = tmp_path / "folder"
    folder.mkdir()
    write_palette_png(folder / "000000.png", draw(1, 2, 3))
    save(folder / "000003.png", draw(1), [known[0], known[2]])  # made smaller: object 2 alone
    save(folder / "000004.png", 1 - draw(1), [known[3], known[0]])
    found = read_masks(folder, NAMES, SIZE)
    for frame, mask in {0: draw(1, 2, 3), 3: draw(2), 4: draw(3)}.items():
        assert np.array_equal(found.masks[frame], mask)


def test_transparent_is_background(tmp_path):
    mask, _ = only(save(tmp_path / "a.png", reordered(draw(1, 2), 1, 0, 2), [RED, BLUE, GREEN], transparency=1))
    assert np.array_equal(mask, draw(2, 1))
    mask, _ = only(save(tmp_path / "b.png", draw(1, 2), [WHITE, RED, GREEN], transparency=0))
    assert np.array_equal(mask, draw(1, 2))
    mask, _ = only(save(tmp_path / "c.png", draw(1, 2, 3), [BLACK, RED, GREEN, BLUE], transparency=2))
    assert np.array_equal(mask, draw(1, 0, 3))
    mask, _ = only(save(tmp_path / "d.png", 1 - draw(1), [BLACK, WHITE], transparency=1))  # a black object
    assert np.array_equal(mask, draw(1))
    mask, _ = only(save(tmp_path / "e.gif", reordered(draw(1, 2), 1, 0, 2), [RED, BLUE, GREEN], transparency=1))
    assert np.array_equal(mask, draw(2, 1))
    Image.fromarray(np.where(draw(1) > 0, 40, 255).astype(np.uint8)).save(tmp_path / "grey.png", transparency=255)
    assert np.array_equal(read_mask(tmp_path / "grey.png"), draw(1))


def test_ignore_stays_ignore(tmp_path):
    void = draw(1, 2)
    void[40:, 40:60] = 255
    colours = [BLACK, RED, GREEN, *[(n, 0, 9) for n in range(4, 256)], WHITE]
    mask, found = only(save(tmp_path / "a.png", void, colours))
    assert np.array_equal(mask, draw(1, 2)) and any("ignore" in note for note in found.notes)
    colours[:3] = [RED, BLACK, GREEN]
    indices = np.where(void == 255, 255, reordered(draw(1, 2), 1, 0, 2))
    mask, found = only(save(tmp_path / "b.png", indices, colours))
    assert np.array_equal(mask > 0, draw(1, 2) > 0) and any("ignore" in note for note in found.notes)
    known = [tuple(PALETTE[255].tolist()), BLACK, tuple(PALETTE[2].tolist()), tuple(PALETTE[1].tolist())]
    mask, found = only(save(tmp_path / "c.png", np.where(void == 255, 0, reordered(draw(1, 2), 1, 3, 2)), known))
    assert np.array_equal(mask, draw(1, 2)) and any("ignore" in note for note in found.notes)
    Image.fromarray(PALETTE[void]).save(tmp_path / "d.png")
    mask, found = only(tmp_path / "d.png")
    assert np.array_equal(mask, draw(1, 2)) and 255 not in found.colours


def test_a_white_ground(tmp_path):
    mask, found = only(save(tmp_path / "a.png", draw(1, 2), [WHITE, RED, BLACK]))
    assert np.array_equal(mask, draw(1, 2)) and "#ffffff, has all corners" in found.notes[0]
    with pytest.raises(MaskError, match=r"b.png: no colour is black .*#ff0000, would be .*#ffffff has all corners"):
        only(save(tmp_path / "b.png", reordered(draw(1, 2), 1, 0, 2), [RED, WHITE, GREEN]))
    folder = tmp_path / "folder"
    folder.mkdir()
    save(folder / "000000.png", draw(1, 2), [WHITE, RED, GREEN])
    save(folder / "000003.png", draw(1, 2), [WHITE, GREEN, RED])
    found = read_masks(folder, NAMES, SIZE)
    assert np.array_equal(found.masks[0], draw(1, 2)) and np.array_equal(found.masks[3], draw(2, 1))
    save(folder / "000004.png", reordered(draw(1, 2), 1, 0, 2), [RED, WHITE, GREEN])
    with pytest.raises(MaskError, match="000000.png: palettes that differ by file, none of them with black"):
        read_masks(folder, NAMES, SIZE)


@pytest.mark.parametrize(("colours", "colour"), [(4, False), (8, False), (8, True), (32, True), (128, False)])
def test_smeared_palettes_are_refused(tmp_path, colours, colour):
    large = np.kron(draw(1, 2), np.ones((4, 4), np.uint8))
    flat = np.array([BLACK, RED, GREEN], np.uint8)[large] if colour else np.where(large > 0, 255, 0).astype(np.uint8)
    image = Image.fromarray(flat).rotate(7).resize((64, 48), Image.Resampling.LANCZOS)
    image.convert("RGB").quantize(colours, method=Image.Quantize.FASTOCTREE).save(tmp_path / "m.png")
    with pytest.raises(MaskError, match="m.png: it holds .*antialias"):
        read_mask(tmp_path / "m.png")


def test_small_objects_of_a_palette_of_ids_are_objects(tmp_path):
    mask = draw(2)
    mask[10, 3], mask[9, 4] = 1, 1  # beside the other, in a colour between it and black
    assert np.array_equal(read_mask(save(tmp_path / "m.png", mask, YOUTUBE)), mask)


def test_palettes_and_colours_in_one_folder(tmp_path):
    """As programs leave it that make each file as small as it can be."""
    rgb = np.array([BLACK, RED, GREEN], np.uint8)
    Image.fromarray(rgb[draw(1, 2)]).save(tmp_path / "000000.png")
    save(tmp_path / "000002.png", reordered(draw(1), 1, 0), [RED, BLACK])
    Image.fromarray(draw(0)).convert("1").save(tmp_path / "000003.png")
    save(tmp_path / "000004.png", draw(1), [BLACK, GREEN])
    found = read_masks(tmp_path, NAMES, SIZE)
    red = found.masks[0][12, 6]
    assert (found.masks[2][draw(1) > 0] == red).all() and (found.masks[4][draw(1) > 0] == 3 - red).all()


def test_a_picture_by_itself(tmp_path):
    for colours, indices, wanted in (
        ([RED, BLACK, GREEN], reordered(draw(1, 2), 1, 0, 2), draw(2, 1)),
        ([*YOUTUBE, *[(n, 9, 9) for n in range(6, 256)]], draw(3, 255), draw(3, 255)),
    ):
        image = Image.open(save(tmp_path / "m.png", indices, colours))
        assert np.array_equal(ids_alone(image, np.array(image)), wanted)
