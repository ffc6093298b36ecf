"""Ids and channels, soft aggregation, the palette PNG, and segments.json."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools import mask as coco

from camn.errors import MaskError, OutputError
from camn.masks import (
    PALETTE,
    ObjectIds,
    SegmentsWriter,
    encode_palette_png,
    read_mask,
    read_masks,
    soft_aggregate,
    write_palette_png,
)
from camn.masks.ids import check_mask, ids_in
from camn.masks.rle import decode_rle, encode_rle

# pycocotools 2.0.11 has not followed numpy 2's protocol; its answers are right.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

masks = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 255))
binaries = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


@given(masks, st.randoms())
def test_channels_and_back(mask, random):
    shuffled = list(ObjectIds.of(mask))
    random.shuffle(shuffled)
    ids = ObjectIds(tuple(shuffled))
    one_hot = ids.one_hot(mask)
    assert one_hot.dtype == torch.float32 and one_hot.shape == (len(ids) + 1, *mask.shape)
    for id in ids:  # the slow twin
        assert np.array_equal(one_hot[ids.channel(id)].numpy(), mask == id)
    assert np.array_equal(one_hot[0].numpy(), mask == 0)
    assert np.array_equal(ids.channels(mask), one_hot.argmax(0).numpy())
    back = ids.ids_map(one_hot.argmax(0))
    assert back.dtype == np.uint8 and np.array_equal(back, mask)
    assert np.array_equal(ids.ids_map(one_hot.argmax(0).numpy()), mask)


def test_ids_keep_their_channels_when_others_come_and_go():
    ids = ObjectIds((7, 3))
    assert ids.with_ids([9, 3, 1]).ids == (7, 3, 9, 1)
    assert ids.with_ids(ObjectIds((255,))).ids == (7, 3, 255)
    assert ids.without(7).ids == (3,)
    assert [ids.channel(7), ids.channel(3)] == [1, 2] and 7 in ids and 1 not in ids and list(ids) == [7, 3]
    assert ObjectIds.of(np.array([[9, 0], [2, 9]], np.uint8)).ids == (2, 9)
    assert len(ObjectIds(tuple(range(1, 256)))) == 255 and len(ObjectIds()) == 0
    assert type(ObjectIds((np.uint8(4),)).ids[0]) is int


@pytest.mark.parametrize("ids", [(0,), (256,), (-1,), (1, 1), (1.5,), ("1",)])
def test_bad_ids(ids):
    with pytest.raises(MaskError, match=r"1\.\.255"):
        ObjectIds(ids)


def test_ids_refuse_what_they_do_not_know():
    ids = ObjectIds((3,))
    for call in (lambda: ids.channel(4), lambda: ids.without(4), lambda: ids.one_hot(np.full((2, 2), 4, np.uint8))):
        with pytest.raises(MaskError, match="4"):
            call()
    with pytest.raises(MaskError, match="channels"):
        ids.ids_map(np.array([[2]]))


@pytest.mark.parametrize("mask", [np.zeros((2, 2, 3), np.uint8), np.zeros((0, 4), np.uint8), np.ones((2, 2))])
def test_not_a_mask(mask):
    with pytest.raises(MaskError):
        encode_palette_png(mask)


@pytest.mark.parametrize("value", [-1, 256])
def test_mask_values_out_of_range(value):
    with pytest.raises(MaskError, match="1..255"):
        ObjectIds.of(np.full((2, 2), value, np.int64))


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(0, 4), st.integers(1, 3), st.integers(1, 3)), elements=st.floats(0, 1))
)
def test_soft_aggregation_is_the_ratio_of_odds(probabilities):
    joined = soft_aggregate(torch.from_numpy(probabilities)).numpy()
    everything = np.concatenate([np.prod(1 - probabilities, axis=0)[None], probabilities]).clip(1e-7, 1 - 1e-7)
    odds = everything / (1 - everything)
    assert np.allclose(joined, odds / odds.sum(0), atol=1e-9)
    assert np.allclose(joined.sum(0), 1)


def test_soft_aggregation_by_hand_in_half_precision_and_with_gradients():
    joined = soft_aggregate(torch.tensor([0.8, 0.5]).view(2, 1, 1)).flatten()  # odds 1/9, 4, 1
    assert torch.allclose(joined, torch.tensor([1 / 9, 4, 1]) / (1 / 9 + 5))
    certain = soft_aggregate(torch.tensor([1.0, 0.0], dtype=torch.float16).view(2, 1, 1))
    assert certain.isfinite().all() and certain[1] > 0.999
    inner = (torch.rand(3, 2, 2, dtype=torch.float64) * 0.8 + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(soft_aggregate, inner)


def test_palette_is_the_davis_palette():
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128), 7: (128, 128, 128)}
    known |= {8: (64, 0, 0), 15: (192, 128, 128), 16: (0, 64, 0), 64: (32, 0, 0), 255: (224, 224, 192)}
    assert {id: tuple(PALETTE[id].tolist()) for id in known} == known
    assert len({tuple(colour) for colour in PALETTE.tolist()}) == 256
    with pytest.raises(ValueError):
        PALETTE[0] = 1


@given(masks)
def test_palette_png_round_trip(tmp_path_factory, mask):
    path = tmp_path_factory.getbasetemp() / "round.png"
    write_palette_png(path, mask)
    with Image.open(path) as image:
        assert image.mode == "P" and np.array_equal(np.array(image), mask)
        assert np.array_equal(np.array(image.convert("RGB")), PALETTE[mask])


def test_writing_is_whole_or_not_at_all(tmp_path):
    path = tmp_path / "mask.png"
    with pytest.raises(OutputError, match="mask.png: .*choose another folder"):
        write_palette_png(tmp_path / "absent" / "mask.png", np.ones((2, 2), np.uint8))
    path.mkdir()  # a folder in the way: the last step fails
    with pytest.raises(OutputError, match="mask.png"):
        write_palette_png(path, np.ones((2, 2), np.uint8))
    assert list(tmp_path.iterdir()) == [path]


@given(binaries)
def test_rle_equals_pycocotools(binary):
    rle = encode_rle(binary)
    assert np.array_equal(coco.decode({"size": rle["size"], "counts": rle["counts"]}), binary)
    assert np.array_equal(decode_rle(rle["counts"], *binary.shape), binary)
    assert rle["area"] == binary.sum()


@pytest.mark.parametrize("counts", ["", "0", "zzzz", "é", " ", "o" * 10000, [3, 100], [-3, 19], [1.0, 15], [True, 15]])
def test_broken_rle(counts):
    with pytest.raises(MaskError):
        decode_rle(counts, 4, 4)


@given(st.lists(hnp.arrays(np.uint8, (7, 9), elements=st.sampled_from([0, 1, 7, 200])), min_size=1, max_size=4))
def test_segments_round_trip(tmp_path_factory, frames):
    path = tmp_path_factory.getbasetemp() / "segments.json"
    names = [f"shot.v{index}" for index in range(len(frames))]
    with SegmentsWriter(path) as writer:
        for index, (name, mask) in enumerate(zip(names, frames)):
            writer.add(index, name, mask)
    document = json.loads(path.read_text())
    assert [image["id"] for image in document["images"]] == list(range(len(frames)))
    for annotation in document["annotations"]:
        binary = coco.decode(annotation["segmentation"]).astype(bool)
        assert np.array_equal(binary, frames[annotation["image_id"]] == annotation["track_id"])
    filled = {index: mask for index, mask in enumerate(frames) if mask.any()}
    if not filled:
        with pytest.raises(MaskError, match="no annotations"):
            read_masks(path, names, (7, 9))
        return
    found = read_masks(path, names, (7, 9))
    assert list(found.masks) == list(filled)
    assert all(np.array_equal(found.masks[index], mask) for index, mask in filled.items())


def test_segments_that_cannot_be_written_hide_no_earlier_error(tmp_path):
    with pytest.raises(KeyError, match="first"), SegmentsWriter(tmp_path / "absent" / "s.json"):
        raise KeyError("first")
    with pytest.raises(OutputError, match="s.json"), SegmentsWriter(tmp_path / "absent" / "s.json"):
        pass


def test_segments_are_written_when_the_block_fails(tmp_path):
    with pytest.raises(KeyError), SegmentsWriter(tmp_path / "s.json") as writer:
        writer.add(0, "000000", np.ones((2, 2), np.uint8))
        raise KeyError
    assert len(json.loads((tmp_path / "s.json").read_text())["annotations"]) == 1


def test_import_needs_neither_torch_nor_pycocotools():
    code = "import sys, camn.masks; sys.exit(bool({'torch', 'pycocotools', 'av'} & set(sys.modules)))"
    source = Path(__file__).resolve().parents[2] / "src"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(source)}, check=False).returncode == 0


def test_real_annotations_are_read_as_they_are(shared):
    files = sorted((shared / "data" / "davis2017-multi").glob("Annotations/480p/*/*.png"))[:10]
    assert files
    for path in files:
        assert np.array_equal(read_mask(path), np.array(Image.open(path)))


ONE = np.zeros((6, 8), np.uint8)
ONE[1:3, 2:5] = 1


@pytest.mark.parametrize("mask", [ONE, ONE * 255, ONE > 0, ONE.astype(np.int64) * 255, ONE.astype(np.int32)])
def test_a_binary_array_shows_object_1(mask):
    assert np.array_equal(ids_in(mask), ONE) and ids_in(mask).dtype == np.uint8
    assert np.array_equal(ids_in(mask, [1]), ONE)


def test_255_is_an_id_where_it_is_known_or_beside_others():
    assert np.array_equal(ids_in(ONE * 255, [255]), ONE * 255) and np.array_equal(
        ids_in(ONE * 255, [1, 255]), ONE * 255
    )
    beside = ONE * 255
    beside[5, 5] = 3
    assert np.array_equal(ids_in(beside), beside) and not ids_in(ONE * 0, [2]).any()
    for known in ([2], [1, 2]):
        with pytest.raises(MaskError, match=r"0 and 255 alone, and the objects are \[.*2\]: which"):
            ids_in(ONE * 255, known)


def test_flags_are_no_ids_where_several_objects_are_known():
    with pytest.raises(MaskError, match=r"False and True alone, and the objects are \[1, 2\]: which"):
        ids_in(ONE > 0, [1, 2])
    assert not ids_in(ONE > 1, [1, 2]).any() and np.array_equal(ids_in(ONE, [1, 2]), ONE)


@pytest.mark.parametrize("options", [{}, {"mode": "P"}])
def test_a_mask_is_turned_as_its_exif_data_say(tmp_path, options):
    exif = Image.Exif()
    exif[0x0112] = 3
    image = Image.fromarray(ONE[::-1, ::-1].copy())
    image = image.convert("P") if options else image
    image.save(tmp_path / "m.png", exif=exif)
    assert np.array_equal(read_mask(tmp_path / "m.png"), ONE)
    image.save(tmp_path / "m.png", exif=b"Exif\0\0no data")
    assert np.array_equal(read_mask(tmp_path / "m.png"), ONE[::-1, ::-1])


@pytest.mark.parametrize(
    "mask, said",
    [
        (ONE[..., None], r"\(6, 8, 1\); give mask\[\.\.\., 0\]"),
        (ONE[None], r"\(1, 6, 8\); give mask\[0\]"),
        (np.stack([ONE] * 3, 2), r"\(6, 8, 3\), a picture; .*read_mask"),
        (np.stack([ONE] * 9), r"\(9, 6, 8\), a stack; number the masks"),
        (ONE[0], r"\(8,\)"),
        (ONE.astype(np.float32), r"float32; .*astype\('uint8'\).*mask > 0\.5"),
        (ONE.astype(np.uint16) * 300, r"1\.\.255.*0\.\.300"),
        (torch.from_numpy(ONE), r"Tensor; give mask\.cpu\(\)\.numpy\(\)"),
        (Image.fromarray(ONE), r"Image; give numpy\.array\(mask\)"),
        ("m.png", r"str \(files are read by camn\.masks\.read_mask\)"),
        (Path("m.png"), r"Path \(files are read"),
        (ONE.tolist(), r"list; give numpy\.array\(mask\)"),
        (np.ma.masked_array(ONE, ONE == 1), r"MaskedArray; give mask\.filled\(0\)"),
        (None, "this one is NoneType"),
    ],
)
def test_arrays_that_are_no_masks_say_what_to_give(mask, said):
    with pytest.raises(MaskError, match=said):
        check_mask(mask)
    with pytest.raises(MaskError, match=said):
        ids_in(mask, [1])
