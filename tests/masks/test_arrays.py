"""Masks that NumPy saved: one, one for each frame, one for each object; and what is none."""

import io

import numpy as np
import pytest

from camn.errors import MaskError
from camn.masks import read_masks

SIZE = (24, 32)


def box(left, value=1, width=8):
    mask = np.zeros(SIZE, np.uint8)
    mask[6:18, left : left + width] = value
    return mask


def read(path, count=6, **options):
    return read_masks(path, None, SIZE, count=count, **options)


def saved(path, array):
    np.save(path, array)
    return path


@pytest.mark.parametrize(
    "made", [box(4) > 0, box(4), box(4, 255), box(4).astype(np.int64), box(4)[None] * np.int32(1000)]
)
def test_one_mask(tmp_path, made):
    found = read(saved(tmp_path / "m.npy", made))
    assert found.unplaced and (found.masks[0] == box(4)).all()
    np.savez_compressed(tmp_path / "m.npz", mask=made)
    assert (read(tmp_path / "m.npz").masks[0] == box(4)).all()


def test_ids_and_names(tmp_path):
    found = read(saved(tmp_path / "frame_000004.npy", box(4, 3) + box(20, 9)), first_frame=0)
    assert list(found.masks) == [4] and found.ids.ids == (3, 9)
    frames = np.stack([box(4 + n, 3) + box(20, 9) for n in range(4)])
    found = read(saved(tmp_path / "m.npy", frames))
    assert all((found.masks[n] == frames[n]).all() for n in range(4)) and not found.unplaced
    assert any("its 4 masks are taken for those of the first 4 frames" in note for note in found.notes)


def test_masks_of_one_object_or_of_several(tmp_path):
    moving = np.stack([box(4 + n) > 0 for n in range(6)])
    assert list(read(saved(tmp_path / "m.npy", moving)).masks) == [*range(6)]
    apart = np.stack([box(1) > 0, box(12) > 0, box(22) > 0])
    found = read(saved(tmp_path / "m.npy", apart))
    assert (found.masks[0] == box(1) + box(12, 2) + box(22, 3)).all() and list(found.masks) == [0]
    own = np.stack([box(1, 7), box(12, 4)])
    assert read(saved(tmp_path / "m.npy", own)).ids.ids == (4, 7)
    for count, masks in ((3, apart), (6, np.stack([box(4), box(8)]))):
        with pytest.raises(MaskError, match=r"m\.npy: are its . masks of frames, or of objects of one frame\? Give"):
            read(saved(tmp_path / "m.npy", masks), count=count)


def test_several_arrays_are_called_like_files(tmp_path):
    np.savez_compressed(tmp_path / "m.npz", **{"000001": box(4), "000003": box(6) + box(20, 2)})
    assert list(read(tmp_path / "m.npz").masks) == [1, 3]
    np.savez(tmp_path / "m.npz", object_2=box(4), object_5=box(20))
    found = read(tmp_path / "m.npz")
    assert found.ids.ids == (2, 5) and found.unplaced


def test_what_is_no_mask_is_refused(tmp_path):
    for array, said in (
        (np.array([{"a": 1}]), "Python objects .pickles. are not read"),
        (np.array(["a"]), "not numbers"),
        (box(4).astype(np.float32), "a mask holds whole numbers, this one is float32"),
        (box(4).astype(np.int16) * -1, "values from -1 to 0"),
        (np.zeros(SIZE, bool), "no object"),
        (np.zeros((3, *SIZE), bool), "masks of frames, or|no object"),
        (np.zeros((*SIZE, 3), np.uint8), "numpy.moveaxis"),
        (np.zeros((2, 2, *SIZE), np.uint8), r"a mask is an array \(H, W\)"),
        (np.zeros(0), r"a mask is an array \(H, W\)"),
        (np.arange(24 * 32, dtype=np.uint16).reshape(SIZE), "767 different values"),
    ):
        np.save(tmp_path / "m.npy", array, allow_pickle=True)
        with pytest.raises(MaskError, match=rf"m\.npy.*: .*({said})"):
            read(tmp_path / "m.npy")


def test_damaged_and_lying_files(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, box(4))
    whole = buffer.getvalue()
    large = whole.replace(b"(24, 32)", b"(90000, 90000)".ljust(8))
    np.savez_compressed(tmp_path / "whole.npz", a=box(4), b=box(9))
    for name, data in (
        ("a.npy", whole[:-9]),
        ("b.npy", whole[:20]),
        ("c.npy", b""),
        ("d.npy", large),
        ("e.npz", (tmp_path / "whole.npz").read_bytes()[:-40]),
        ("f.npz", b"PK\x03\x04"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(MaskError, match=rf"{name}: .*(cut short|damaged)"):
            read(tmp_path / name)
    with pytest.raises(MaskError, match="too many pixels"):
        read(saved(tmp_path / "m.npy", np.stack([box(4)] * 5)), most_pixels=4 * 24 * 32)


def test_a_folder_of_arrays(tmp_path):
    saved(tmp_path / "mask_00001.npy", box(4) + box(20, 2))
    saved(tmp_path / "mask_00003.npy", box(6) + box(22, 2))
    found = read(tmp_path)
    assert list(found.masks) == [1, 3] and found.ids.ids == (1, 2)
    saved(tmp_path / "mask_00003.npy", np.zeros((3, *SIZE), np.uint8))
    with pytest.raises(MaskError, match=r"mask_00003\.npy: a mask is an array \(H, W\)"):
        read(tmp_path)
