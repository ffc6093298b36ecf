"""Every accepted format of masks, from real files, and every refusal."""

import io
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter
from pycocotools import mask as coco

from camn.errors import MaskError, MaskSizeError
from camn.masks import PALETTE, read_mask, read_masks, write_palette_png

SIZE = (48, 64)
NAMES = [f"{index:06d}" for index in range(12)]


def draw(*ids: int) -> np.ndarray:
    """Blobs side by side, with slanted and round edges, of these ids."""
    image = Image.new("L", (SIZE[1], SIZE[0]))
    pen = ImageDraw.Draw(image)
    step = SIZE[1] // len(ids)
    for n, id in enumerate(ids):
        left = n * step
        pen.ellipse((left + 1, 4, left + step - 3, 24), fill=id)
        pen.polygon([(left + 1, 28), (left + step - 3, 30), (left + step // 2, 46)], fill=id)
    return np.array(image)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def only(source, **options):
    """The mask and set of a source that has the first frame's mask alone."""
    found = read_masks(source, NAMES, SIZE, **options)
    assert list(found.masks) == [0] and found.masks[0].dtype == np.uint8
    return found.masks[0], found


def test_palette_indices(tmp_path):
    mask = draw(1, 7, 200)
    write_palette_png(tmp_path / "m.png", mask)
    got, found = only(tmp_path / "m.png")
    assert np.array_equal(got, mask) and found.ids.ids == (1, 7, 200) and not found.notes and not found.colours
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask)


def test_palette_255_is_ignored_beside_others_only(tmp_path):
    write_palette_png(tmp_path / "m.png", draw(2, 255))
    got, found = only(tmp_path / "m.png")
    assert np.array_equal(got, np.where(draw(2, 255) == 255, 0, draw(2, 255))) and "ignore" in found.notes[0]
    write_palette_png(tmp_path / "m.png", draw(255))
    assert np.array_equal(read_mask(tmp_path / "m.png"), draw(255))


@pytest.mark.parametrize("ids", [(1, 2, 3), (3, 9), (5,), (85, 170, 255), (1, 255)])
@pytest.mark.parametrize("extension", ["png", "bmp", "tif"])
def test_grey_ids(tmp_path, ids, extension):
    assert np.array_equal(only(save(tmp_path / f"m.{extension}", draw(*ids)))[0], draw(*ids))


@pytest.mark.parametrize("convert", [lambda m: m, lambda m: m // 255 * 128, lambda m: m.astype(np.uint16) * 257])
def test_grey_binary(tmp_path, convert):
    assert np.array_equal(only(save(tmp_path / "m.png", convert(draw(255))))[0], draw(1))


def test_one_bit_and_16_bit(tmp_path):
    Image.fromarray(draw(255)).convert("1").save(tmp_path / "bit.png")
    assert np.array_equal(only(tmp_path / "bit.png")[0], draw(1))
    assert np.array_equal(only(save(tmp_path / "deep.png", draw(3, 250).astype(np.uint16)))[0], draw(3, 250))
    got, found = only(save(tmp_path / "deep.png", draw(3, 250).astype(np.uint16) * 10))
    assert np.array_equal(got, draw(1, 2)) and {"Object 1 is 30 in the masks.", "Object 2 is 2500 in the masks."} <= {
        *found.notes
    }


def test_rgb_colours(tmp_path):
    table = np.zeros((256, 3), np.uint8)
    table[1], table[2] = (10, 200, 30), (255, 0, 0)
    got, found = only(save(tmp_path / "m.png", table[draw(1, 2)]))
    assert np.array_equal(got, draw(1, 2)) and found.colours == {1: (10, 200, 30), 2: (255, 0, 0)}
    assert any("#ff0000" in note for note in found.notes)


def test_rgb_of_the_palette_and_of_greys(tmp_path):
    got, found = only(save(tmp_path / "m.png", PALETTE[draw(3, 9)]))
    assert np.array_equal(got, draw(3, 9)) and found.colours[3] == (128, 128, 0)
    grey = np.repeat(draw(255)[..., None], 3, axis=2)
    assert np.array_equal(only(save(tmp_path / "g.png", grey))[0], draw(1))


def test_rgba(tmp_path):
    alpha = draw(255)
    white = np.dstack([np.full((*SIZE, 3), 255, np.uint8), alpha])
    black = np.dstack([np.zeros((*SIZE, 3), np.uint8), alpha])
    table = np.zeros((256, 4), np.uint8)
    table[1], table[2] = (0, 0, 255, 255), (255, 0, 0, 255)
    assert np.array_equal(only(save(tmp_path / "w.png", white))[0], draw(1))
    assert np.array_equal(only(save(tmp_path / "b.png", black))[0], draw(1))
    assert np.array_equal(only(save(tmp_path / "c.png", table[draw(1, 2)]))[0], draw(1, 2))


def test_folder_named_like_frames(tmp_path):
    save(tmp_path / "000000.png", draw(1, 2))
    save(tmp_path / "000003.png", draw(2))  # one value: still object 2, as the other mask says
    save(tmp_path / "000005.png", draw(4, 1))
    save(tmp_path / "000007.png", np.zeros(SIZE, np.uint8))
    save(tmp_path / "other.png", draw(9))
    (tmp_path / "notes.txt").write_text("not a mask")
    found = read_masks(tmp_path, NAMES, SIZE)
    assert list(found.masks) == [0, 3, 5] and found.ids.ids == (1, 2, 4)
    assert np.array_equal(found.masks[3], draw(2)) and np.array_equal(found.masks[5], draw(4, 1))
    assert any("other.png" in note for note in found.notes) and any("no object" in note for note in found.notes)


def test_folder_of_colours_keeps_one_id_a_colour(tmp_path):
    table = np.zeros((256, 3), np.uint8)
    table[1], table[2], table[3] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    save(tmp_path / "000001.png", table[draw(1)])
    save(tmp_path / "000004.png", table[draw(1, 2, 3)])
    found = read_masks(tmp_path, NAMES, SIZE)
    assert np.array_equal(found.masks[1], draw(1)) and np.array_equal(found.masks[4], draw(1, 3, 2))
    assert found.colours == {1: (250, 0, 0), 2: (0, 0, 250), 3: (0, 250, 0)}


def test_names_match_by_name_and_by_padded_number(tmp_path):
    save(tmp_path / "00003.png", draw(255))
    assert list(read_masks(tmp_path, NAMES, SIZE).masks) == [3]
    save(tmp_path / "00007.png", draw(255))
    files = sorted(tmp_path.iterdir())
    assert list(read_masks(files, NAMES, SIZE).masks) == [3, 7]
    assert list(read_masks(tmp_path, ["a.b", "00007", "00003.jpg"], SIZE).masks) == [1, 2]
    found = read_masks(files[0], NAMES, SIZE)
    assert list(found.masks) == [0] and "frame 3" in found.notes[0]


def test_a_file_per_object(tmp_path):
    whole = draw(1, 2, 3)
    for name, id in (("cat", 1), ("dog", 2), ("emu", 3)):
        save(tmp_path / f"{name}.png", np.where(whole == id, 255, 0).astype(np.uint8))
    got, found = only(tmp_path)
    assert np.array_equal(got, whole) and "Object 2 is dog.png." in found.notes
    listed, _ = only([tmp_path / "emu.png", tmp_path / "cat.png", str(tmp_path / "dog.png")])
    assert np.array_equal(listed, np.array([0, 2, 3, 1], np.uint8)[whole])


def test_a_file_per_object_numbered_and_overlapping(tmp_path):
    save(tmp_path / "object_10.png", draw(255))
    save(tmp_path / "object_2.png", np.where(np.arange(SIZE[1]) < 32, draw(255), 0).astype(np.uint8))
    got, found = only(tmp_path)
    assert found.ids.ids == (10,) and any("covered" in note for note in found.notes)  # 2 comes first, 10 covers it
    assert any("overlap" in note for note in found.notes) and np.array_equal(got, draw(10))


def coco_file(path, document):
    path.write_text(json.dumps(document))
    return path


def rle(binary):
    found = coco.encode(np.asfortranarray(binary, dtype=np.uint8))
    return {"size": list(binary.shape), "counts": found["counts"].decode()}


def test_coco_instances(tmp_path):
    mask = draw(1, 2)
    image = {"id": 90, "file_name": "val/000004.jpg", "height": SIZE[0], "width": SIZE[1]}
    plain = [int(n) for n in np.diff(np.flatnonzero(np.diff(np.r_[2, (mask == 2).T.ravel(), 2])))]
    plain = plain if mask[0, 0] != 2 else [0, *plain]
    annotations = [
        {"id": 1768, "image_id": 90, "category_id": 18, "segmentation": rle(mask == 1)},
        {"id": 1769, "image_id": 90, "category_id": 18, "segmentation": {"size": list(SIZE), "counts": plain}},
    ]
    categories = [{"id": 18, "name": "dog"}]
    path = coco_file(tmp_path / "c.json", {"images": [image], "annotations": annotations, "categories": categories})
    found = read_masks(path, NAMES, SIZE)
    assert list(found.masks) == [4] and np.array_equal(found.masks[4], mask)
    assert any("1769" in note for note in found.notes) and "Object 1 is 'dog'." in found.notes


def test_coco_polygons_in_a_plain_list(tmp_path):
    square = [[10, 5, 20, 5, 20, 15, 10, 15]]
    got, _ = only(coco_file(tmp_path / "c.json", [{"id": 4, "segmentation": square}]))
    expected = np.zeros(SIZE, np.uint8)
    expected[5:15, 10:20] = 4
    assert np.array_equal(got, expected)
    got, _ = only(coco_file(tmp_path / "c.json", {"segmentation": square[0], "object_id": 9}))
    assert set(np.unique(got)) == {0, 9}


def test_coco_over_several_frames(tmp_path):
    def annotation(image, **more):
        return {"image_id": image, "segmentation": rle(draw(1) > 0), "category_id": 6, **more}

    tracks = [annotation(0, track_id=8), annotation(5, track_id=8)]
    found = read_masks(coco_file(tmp_path / "c.json", tracks), NAMES, SIZE)
    assert list(found.masks) == [0, 5] and found.ids.ids == (8,) and any("by their id" in note for note in found.notes)
    found = read_masks(coco_file(tmp_path / "c.json", [annotation(0), annotation(5)]), NAMES, SIZE)
    assert found.ids.ids == (6,) and any("category" in note for note in found.notes)
    with pytest.raises(MaskError, match="track_id"):
        read_masks(coco_file(tmp_path / "c.json", [annotation(0), annotation(0), annotation(5)]), NAMES, SIZE)
    with pytest.raises(MaskError, match="belongs to a frame"):
        read_masks(coco_file(tmp_path / "c.json", [annotation(70), annotation(71)]), NAMES, SIZE)


GOOD = {"id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]]}


@pytest.mark.parametrize(
    "document",
    [
        None,
        3,
        [],
        [3],
        {},
        {"annotations": {}},
        {"annotations": [GOOD], "images": 4},
        {"annotations": [{**GOOD, "image_id": 3}], "images": [{"id": 2}]},
        [{**GOOD, "image_id": [1]}],
        [{"id": 1}],
        [{**GOOD, "segmentation": [[1, 1, 9, 1]]}],
        [{**GOOD, "segmentation": [[1, 1, 9, 1, 9, float("nan")]]}],
        [{**GOOD, "segmentation": [[1, 1, 9, 1, 9, 1e12]]}],
        [{**GOOD, "segmentation": [["1", 1, 9, 1, 9, 9]]}],
        [{**GOOD, "segmentation": []}],
        [{**GOOD, "segmentation": {"size": [4, 4], "counts": "zz"}}],
        [{**GOOD, "segmentation": {"size": [10**6, 10**6], "counts": [10**12]}}],
        [{**GOOD, "segmentation": {"size": "44", "counts": [16]}}],
        [{**GOOD, "id": n} for n in range(256)],
    ],
)
def test_coco_refused(tmp_path, document):
    with pytest.raises(MaskError, match="c.json"):
        read_masks(coco_file(tmp_path / "c.json", document), NAMES, SIZE)


@given(st.binary(max_size=40))
def test_no_bytes_crash_the_readers(tmp_path_factory, data):
    for name in ("noise.json", "noise.png"):
        path = tmp_path_factory.getbasetemp() / name
        path.write_bytes(data)
        with pytest.raises(MaskError, match=name):
            read_masks(path, NAMES, SIZE)


def smear(image, how):
    if how.startswith("jpeg"):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(how[4:]))
        return Image.open(buffer)
    if how.startswith("blur"):
        return image.filter(ImageFilter.GaussianBlur(float(how[4:])))
    return image.resize((SIZE[1] * 3, SIZE[0] * 3), Image.Resampling[how])


@pytest.mark.parametrize("how", ["jpeg50", "jpeg90", "jpeg95", "blur0.5", "blur3", "BILINEAR", "LANCZOS"])
@pytest.mark.parametrize("colour", [False, True])
def test_smeared_masks_are_refused(tmp_path, how, colour):
    image = Image.fromarray(PALETTE[draw(1, 2)] if colour else draw(255)).resize((256, 192), Image.Resampling.NEAREST)
    smear(image, how).save(tmp_path / "m.png")
    with pytest.raises(MaskError, match="m.png: it holds .* values .*PNG"):
        read_mask(tmp_path / "m.png")


def test_smeared_alpha_jpeg_files_and_photographs_are_refused(tmp_path, rng):
    soft = Image.fromarray(draw(255)).filter(ImageFilter.GaussianBlur(1))
    Image.merge("RGBA", [*Image.new("RGB", soft.size, (255, 0, 0)).split(), soft]).save(tmp_path / "a.png")
    Image.fromarray(draw(255)).save(tmp_path / "j.jpg", quality=95)
    photo = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(
        (64, 48), Image.Resampling.BICUBIC
    )
    photo.save(tmp_path / "p.png")
    photo.convert("L").save(tmp_path / "l.png")
    photo.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "q.png")
    for name in ("a.png", "j.jpg", "p.png", "l.png", "q.png"):
        with pytest.raises(MaskError, match=f"{name}: .*antialiasing"):
            read_mask(tmp_path / name)


def test_the_dust_of_the_best_jpegs_is_refused(tmp_path):
    mask = np.kron(draw(255), np.ones((3, 3), np.uint8))
    ink, paper = np.flatnonzero(mask), np.flatnonzero(mask == 0)
    mask.flat[ink[: len(ink) // 40]] = 254
    mask.flat[paper[: len(paper) // 80]] = 1
    with pytest.raises(MaskError, match="m.png: it holds 3 values .*nearly white"):
        read_mask(save(tmp_path / "m.png", mask))
    mask[mask == 254] = 255  # a small object 1 beside a large 255: two ids
    assert set(np.unique(read_mask(save(tmp_path / "m.png", mask)))) == {0, 1, 255}


def test_small_and_thin_objects_are_objects(tmp_path):
    mask = draw(1, 2)
    mask[0, 0], mask[47, :], mask[30, 10] = 3, 4, 5
    assert np.array_equal(read_mask(save(tmp_path / "m.png", mask)), mask)
    assert np.array_equal(read_mask(save(tmp_path / "c.png", PALETTE[mask])), mask)


def test_broken_files_are_refused(tmp_path, monkeypatch):
    whole = save(tmp_path / "whole.png", draw(1, 2)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "void.png").touch()
    Image.new("1", (10000, 9000)).save(tmp_path / "huge.png")
    Image.new("1", (20000, 10000)).save(tmp_path / "bomb.png")
    Image.new("CMYK", (4, 4)).save(tmp_path / "ink.tif")
    reasons = {"cut": "truncated", "text": "not an image", "void": "is empty", "absent": "no such"}
    reasons |= {"huge": "more than .* pixels", "bomb": "more than .* pixels"}
    for name, reason in reasons.items():
        with pytest.raises(MaskError, match=f"{name}.png: .*{reason}"):
            read_masks(tmp_path / f"{name}.png", NAMES, SIZE)
    with pytest.raises(MaskError, match="CMYK"):
        read_mask(tmp_path / "ink.tif")
    with pytest.raises(MaskError, match="no such"):
        read_masks(tmp_path / "absent.json", NAMES, SIZE)
    with pytest.raises(MaskError, match="not a file"):
        read_mask(tmp_path)


@pytest.mark.parametrize(
    "array", [np.zeros(SIZE, np.uint8), np.zeros((*SIZE, 3), np.uint8), np.zeros((*SIZE, 4), np.uint8)]
)
def test_empty_masks_are_refused(tmp_path, array):
    path = save(tmp_path / "m.png", array)
    for read in (read_mask, only):
        with pytest.raises(MaskError, match="m.png: .*no object"):
            read(path)


def test_more_than_255_objects(tmp_path):
    colours = np.arange(1, 301)
    image = np.stack([colours % 200 + 50, colours // 200 * 90, colours * 0], 1).astype(np.uint8).reshape(15, 20, 3)
    with pytest.raises(MaskError, match="300 values"):
        read_mask(save(tmp_path / "m.png", np.kron(image, np.ones((4, 4, 1), np.uint8))))
    folder = tmp_path / "folder"
    folder.mkdir()
    for n in range(256):
        save(folder / f"x{n}.png", np.ones((2, 2), np.uint8))
    with pytest.raises(MaskError, match="256 files"):
        read_masks(folder, NAMES, (2, 2))


def test_sizes(tmp_path):
    path = save(tmp_path / "m.png", draw(1, 2))
    with pytest.raises(MaskSizeError, match=re.escape("64x48") + ".*" + re.escape("128x96") + ".*--resize-masks"):
        read_masks(path, NAMES, (96, 128))
    found = read_masks(path, NAMES, (96, 128), resize=True)
    assert np.array_equal(found.masks[0], np.kron(draw(1, 2), np.ones((2, 2), np.uint8)))
    dot = draw(1)
    dot[47, 62] = 2
    found = read_masks(save(tmp_path / "d.png", dot), NAMES, (12, 16), resize=True)
    assert found.ids.ids == (1,) and any("vanish" in note for note in found.notes)


def test_folders_that_fit_no_format(tmp_path):
    with pytest.raises(MaskError, match="no mask images"):
        read_masks(tmp_path, NAMES, SIZE)
    save(tmp_path / "a.png", draw(1, 2))
    with pytest.raises(MaskError, match="a.png: its name is no frame's.*2 objects"):
        read_masks(tmp_path, NAMES, SIZE)
    save(tmp_path / "000001.png", draw(1, 2))
    save(tmp_path / "000001.bmp", draw(1, 2))
    with pytest.raises(MaskError, match="two"):
        read_masks(tmp_path, NAMES, SIZE)
    (tmp_path / "000001.bmp").unlink()
    write_palette_png(tmp_path / "000002.png", draw(1, 2))
    with pytest.raises(MaskError, match="different kinds"):
        read_masks(tmp_path, NAMES, SIZE)
    with pytest.raises(MaskError, match="empty list"):
        read_masks([], NAMES, SIZE)


def test_ids_over_255_are_numbered_over_all_files(tmp_path):
    """KITTI-MOTS: class x 1000 + number, and 10000 is to be ignored."""
    first, second = draw(1, 2).astype(np.uint16) * 1000, draw(3, 2).astype(np.uint16) * 1000
    first[0], second[0] = 10_000, 10_000
    save(tmp_path / "000000.png", first)
    save(tmp_path / "000002.png", second)
    found = read_masks(tmp_path, None, SIZE, count=3)
    assert np.array_equal(found.masks[0], first // 1000 % 10) and found.ids.ids == (1, 2, 3)
    assert np.array_equal(found.masks[2] > 0, (second > 0) & (second < 10_000))
    assert "Object 3 is 3000 in the masks." in found.notes and any("10000 means 'ignore'" in n for n in found.notes)
    one = read_masks(tmp_path / "000000.png", None, SIZE)
    assert one.ids.ids == (1, 2)
    many = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE)
    with pytest.raises(MaskError, match=r"many\.png: 3071 different values, 1 to 3071; at most 255"):
        read_mask(save(tmp_path / "many.png", many))
    for n in (0, 2):
        blocks = np.kron(np.arange(1, 193, dtype=np.uint16).reshape(12, 16), np.ones((4, 4), np.uint16))
        save(tmp_path / f"00000{n}.png", blocks + n * 500)
    with pytest.raises(MaskError, match=r"000000\.png: 384 different values"):
        read_masks(tmp_path, None, SIZE, count=3)


def test_a_cut_out_is_the_mask_of_its_alpha(tmp_path, rng):
    photo = np.repeat(np.repeat(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8), 2, 0), 2, 1)
    photo = photo[: SIZE[0], : SIZE[1]] + rng.integers(0, 20, (*SIZE, 3), dtype=np.uint8)
    for n in range(2):
        alpha = np.array(Image.fromarray(np.roll(draw(255), n, 1)).filter(ImageFilter.GaussianBlur(1)))
        save(tmp_path / f"00000{n}.png", np.dstack([photo, alpha]))
    save(tmp_path / "000002.png", np.dstack([photo, np.zeros(SIZE, np.uint8)]))
    found = read_masks(tmp_path, None, SIZE, count=3)
    assert list(found.masks) == [0, 1] and np.count_nonzero(found.masks[1] != np.roll(draw(1), 1, 1)) < 12
    assert any("000000.png and 1 more: cut out along alpha" in note for note in found.notes)
    got, _ = only(tmp_path / "000000.png")
    assert set(np.unique(got)) == {0, 1}


def test_the_overlay_that_camn_mark_draws_beside_a_mask_is_none(tmp_path):
    ids = np.zeros((8, 12), np.uint8)
    ids[2:5, 3:7] = 1
    write_palette_png(tmp_path / "000001.png", ids)
    Image.new("RGB", (12, 8), "red").save(tmp_path / "000001-overlay.png")
    assert list(read_masks(tmp_path, ["000000", "000001"], (8, 12)).masks) == [1]


@pytest.mark.parametrize(("side", "gap"), [(1, 1), (2, 0), (2, 1), (3, 0)])
def test_many_tiny_objects_are_no_smear(tmp_path, side, gap):
    step = side + gap
    mask = np.zeros((16 * step + gap, 16 * step + gap), np.uint8)
    for id in range(1, 255):
        top, left = (gap + step * place for place in divmod(id - 1, 16))
        mask[top : top + side, left : left + side] = id
    write_palette_png(tmp_path / "m.png", mask)
    assert (read_masks(tmp_path / "m.png", NAMES, mask.shape).masks[0] == mask).all()


def test_a_photograph_in_the_colours_of_masks_is_refused(tmp_path, rng):
    noise = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize((64, 48), Image.Resampling.BICUBIC)
    palette = Image.new("P", (1, 1))
    palette.putpalette(PALETTE.tobytes())
    noise.quantize(palette=palette, dither=Image.Dither.NONE).save(tmp_path / "m.png")
    with pytest.raises(MaskError, match="values beside the background"):
        read_masks(tmp_path / "m.png", NAMES, SIZE)
