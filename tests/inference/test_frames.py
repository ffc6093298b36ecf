"""Frames as callers have them."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

import camn
from camn.config import InferenceConfig, PostProcess
from camn.errors import VideoError
from camn.inference import Segmenter
from camn.inference.frames import as_frame

PLAIN = np.random.default_rng(3).integers(0, 256, (40, 60, 3), np.uint8)
MASK = np.zeros((40, 60), np.uint8)
MASK[10:30, 10:30] = 7
GREY = np.repeat(PLAIN[..., :1], 3, 2)


def locked(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.setflags(write=False)
    return array


SAME = {
    "Pillow": lambda: Image.fromarray(PLAIN),
    "tensor": lambda: torch.from_numpy(PLAIN.copy()),
    "tensor by strides": lambda: torch.from_numpy(PLAIN.transpose(2, 0, 1).copy()).permute(1, 2, 0),
    "tensor with inference mode": lambda: torch.inference_mode()(lambda: torch.from_numpy(PLAIN.copy()).clone())(),
    "BGR turned round": lambda: PLAIN[..., ::-1].copy()[..., ::-1],
    "mirrored twice": lambda: PLAIN[:, ::-1].copy()[:, ::-1],
    "upside down twice": lambda: PLAIN[::-1].copy()[::-1],
    "channels first in memory": lambda: PLAIN.transpose(2, 0, 1).copy().transpose(1, 2, 0),
    "Fortran": lambda: np.asfortranarray(PLAIN),
    "a part of another": lambda: np.pad(PLAIN, ((2, 3), (4, 5), (0, 2)))[2:-3, 4:-5, :3],
    "read only": lambda: locked(PLAIN),
    "a kind of array": lambda: PLAIN.view(np.recarray),
    "masked": lambda: np.ma.masked_array(PLAIN),
}


@pytest.mark.parametrize("side", [32, 40, 64])  # smaller than the frame, as it is, and larger
@pytest.mark.parametrize("name", SAME)
def test_what_is_a_frame_without_a_doubt(mobile, name, side):
    segmenter = Segmenter(mobile, InferenceConfig(short_side=side))
    wanted = segmenter.upload(PLAIN)
    found = segmenter.upload(SAME[name]())
    assert found.size == wanted.size and torch.equal(found.pixels, wanted.pixels)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "RGBA", "LA"])
def test_pillow_images_of_any_mode(mode):
    image = Image.fromarray(PLAIN).convert(mode)
    assert np.array_equal(
        as_frame(image), np.array(image.convert("RGBA").convert("RGB") if mode == "P" else image.convert("RGB"))
    )


REMEDIES = [
    (GREY[..., 0], lambda frame: np.repeat(frame[..., None], 3, 2)),
    (GREY[..., :1], lambda frame: np.repeat(frame, 3, 2)),
    (GREY.transpose(2, 0, 1), lambda frame: frame.transpose(1, 2, 0)),
    (np.dstack([GREY, GREY[..., 0]]), lambda frame: frame[..., :3]),
    (GREY / 255, lambda frame: (frame * 255).round().astype(np.uint8)),
    (GREY.astype(np.float32), lambda frame: frame.round().astype(np.uint8)),
    (GREY.astype(np.int64), lambda frame: frame.round().astype(np.uint8)),
    (GREY.astype(">u2"), lambda frame: frame.round().astype(np.uint8)),
    (GREY > 127, lambda frame: frame.astype(np.uint8) * 255),
]


@pytest.mark.parametrize(("given", "remedy"), REMEDIES)
def test_what_helps_is_said(given, remedy):
    """Also of tensors, and what is said is right."""
    with pytest.raises(VideoError) as caught:
        as_frame(given)
    text = str(caught.value).split("; ")[-1]
    code = text.split("give ")[-1].split(": ")[-1].split(", if")[0]
    assert np.array_equal(eval(code, {"np": np, "frame": given}), remedy(given))
    as_frame(remedy(given))
    if given.dtype.byteorder != ">" and given.dtype != np.uint16:
        with pytest.raises(VideoError, match="this one is Tensor of .*with array = frame.cpu"):
            as_frame(torch.from_numpy(given.copy()))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.rand(3, 40, 60), r"array.transpose\(1, 2, 0\), then give \(array \* 255\).round"),
        (torch.rand(2, 3, 40, 60), "one picture at a time"),
        (np.full((4, 5, 3), np.nan), "not finite"),
        (np.full((4, 5, 3), -3), r"its values are -3..-3: bring them to 0\.\.255"),
        (np.full((4, 5, 3), 4095, np.uint16), r"4095..4095"),
        (np.full((4, 5, 3), "x"), "give numbers"),
        (Image.new("I;16", (5, 4)), "mode I;16; bring its values"),
        (Image.new("F", (5, 4)), "mode F; bring its values"),
        ("frame.png", r"str; .*Image.open\(frame\)"),
        (np.zeros((4, 0, 3), np.uint8), "empty"),
        (torch.zeros(0, 4, 3), "empty"),
    ],
)
def test_what_is_no_frame(given, said):
    with pytest.raises(VideoError, match=said):
        as_frame(given)


@pytest.mark.parametrize("options", [{"post": PostProcess.off()}, {"flip": True}])
@pytest.mark.parametrize("side", [40, 64])
def test_the_memory_of_a_frame_is_free_at_once(options, side):
    """A reader that has one buffer for all frames: also between `upload` and its turn, and before `correct`."""
    segmenter = camn.load("camn-mobile", device="cpu", backend="eager", short_side=side, **options)
    other = copy.copy(segmenter)
    frames = [np.roll(PLAIN, shift, 1) for shift in (0, 2, 4)]
    wanted = [segmenter.start(frames[0], MASK)]
    wanted += [segmenter.step(frames[1]), segmenter.correct(MASK), segmenter.step(frames[2])]
    buffer, ahead = frames[0].copy(), []
    for frame in frames:
        buffer[:] = frame
        ahead.append(other.upload(buffer))
    buffer[:] = 0
    found = [other.start(ahead[0], MASK), other.step(ahead[1]), other.correct(MASK), other.step(ahead[2])]
    for ours, theirs in zip(found, wanted):
        assert np.array_equal(ours.probability(7), theirs.probability(7))
    before = wanted[-1].probability(7)
    wanted[-1].ids[:] = 99
    wanted[-1].probability(7)[:] = 5
    assert np.array_equal(wanted[-1].probability(7), before)
    again = [one.step(frames[0]).probability(7) for one in (segmenter, other)]
    assert np.array_equal(*again)


def test_an_image_whose_file_is_cut_off_or_closed_is_refused(tmp_path):
    path = tmp_path / "f.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)).save(path)
    closed = Image.open(path)
    closed.close()
    with pytest.raises(VideoError, match="leave it open"):
        as_frame(closed)
    path.write_bytes(path.read_bytes()[:-2000])
    with Image.open(path) as cut_off, pytest.raises(VideoError, match=r"f\.png: cannot be read"):
        as_frame(cut_off)
