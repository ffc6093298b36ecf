"""The tracking function for CVAT, by cvat-sdk's own classes, and by cvat-cli's own agent against a server made here."""

import itertools

import cv2
import numpy as np
import pytest
from cvat_server import FUNCTION, Server
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import camn
from camn.api import demo_files, open_source
from camn.errors import CamnError, ConfigError
from camn.masks import read_mask, write_palette_png
from camn.masks.rle import fill_polygons

pytest.importorskip("cvat_cli")
from cvat_cli.__main__ import main as cvat_cli  # noqa: E402
from cvat_sdk.auto_annotation import (  # noqa: E402
    BadFunctionError,
    TrackableShape,
    TrackingFunctionContext,
    TrackingFunctionShapeContext,
)
from cvat_sdk.masks import decode_mask, encode_mask  # noqa: E402

from camn.integrations.cvat import create, make_shape, outline  # noqa: E402, it needs the package

SIZE = (72, 128)
SMALL = {"device": "cpu", "short_side": 72, "backend": "eager"}


class Shapes(TrackingFunctionShapeContext):
    def __init__(self, kind: str):
        self.kind = kind

    @property
    def original_shape_type(self) -> str:
        return self.kind


class Context(TrackingFunctionContext): ...


@pytest.fixture(scope="module")
def clip() -> tuple[list[Image.Image], np.ndarray]:
    """Four frames of the demo, small, and the rabbit on the first one."""
    video, first = demo_files()
    frames = itertools.islice(open_source(video), 0, 16, 5)
    small = [Image.fromarray(cv2.resize(one.image, SIZE[::-1], interpolation=cv2.INTER_AREA)) for one in frames]
    mask = (read_mask(first) > 0).astype(np.uint8)
    return small, cv2.resize(mask, SIZE[::-1], interpolation=cv2.INTER_NEAREST) > 0


@pytest.fixture(scope="module")
def tracker():
    return create(**SMALL)


def as_mask(mask: np.ndarray) -> TrackableShape:
    return TrackableShape(type="mask", points=encode_mask(mask))


def pixels(shape: TrackableShape | None, size: tuple[int, int] = SIZE) -> np.ndarray:
    assert shape is not None
    if shape.type == "polygon":
        return fill_polygons([shape.points], *size)
    return decode_mask(shape.points, image_width=size[1], image_height=size[0])


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def followed(tracker, frames, shapes) -> list[list[TrackableShape | None]]:
    """Per frame after the first, each shape; called as the agent calls it."""
    seen = tracker.preprocess_image(Context(), frames[0])
    states = [(Shapes(one.type), tracker.init_tracking_state(Shapes(one.type), seen, one)) for one in shapes]
    found = []
    for frame in frames[1:]:
        seen = tracker.preprocess_image(Context(), frame)
        found.append([tracker.track(kind, seen, state) for kind, state in states])
    return found


def test_shapes_are_followed_as_videos_are(tracker, clip, tmp_path):
    """A mask, the same as a polygon, and another that overlaps it: each by itself, as `segment_video` follows it."""
    frames, mask = clip
    part = mask.copy()
    part[:40] = False
    (tmp_path / "clip").mkdir()
    for index, frame in enumerate(frames):
        frame.save(tmp_path / f"clip/{index}.png")
    expected = {}
    for name, one in (("whole", mask), ("part", part)):
        write_palette_png(tmp_path / f"{name}.png", one.astype(np.uint8))
        camn.segment_video(tmp_path / "clip", tmp_path / f"{name}.png", tmp_path / name, **SMALL, overlay=False)
        expected[name] = [read_mask(tmp_path / f"{name}/masks/{index}.png") > 0 for index in range(1, 4)]
    polygon = make_shape("polygon", mask)
    for index, shapes in enumerate(followed(tracker, frames, [as_mask(mask), polygon, as_mask(part)])):
        assert [shape and shape.type for shape in shapes] == ["mask", "polygon", "mask"]
        assert iou(pixels(shapes[0]), mask) < 0.98, "the rabbit moves"
        np.testing.assert_array_equal(pixels(shapes[0]), expected["whole"][index])
        assert iou(pixels(shapes[1]), expected["whole"][index]) > 0.85
        np.testing.assert_array_equal(pixels(shapes[2]), expected["part"][index])


def test_of_a_polygon_its_largest_piece_is_followed(clip):
    mask = np.zeros(SIZE, bool)
    mask[10:30, 10:40] = mask[50:54, 100:104] = True
    mask[15:20, 15:20] = False  # a hole
    filled = mask.copy()
    filled[50:, 100:], filled[15:20, 15:20] = False, True
    np.testing.assert_array_equal(pixels(make_shape("polygon", mask)), filled)


@settings(max_examples=40)
@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))).filter(np.any))
def test_outlines_lie_on_the_edges_of_pixels(mask):
    ring = outline(mask)
    assert len(ring) >= 3 and (ring >= 0).all() and (ring <= mask.shape[::-1]).all()
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    boxes = stats[1:, :4]
    (left, top), (right, bottom) = ring.min(0), ring.max(0)
    assert [left, top, right - left, bottom - top] in boxes.tolist(), "it is around a piece"


def test_frames_of_any_mode_are_taken(tracker, clip):
    (first, second, *_), mask = clip
    grey = followed(tracker, [first, second.convert("L")], [as_mask(mask)])[0][0]
    for mode in ("RGBA", "LA", "P", "CMYK"):
        seen = tracker.preprocess_image(Context(), second.convert(mode))
        assert seen.size == SIZE
    assert iou(pixels(grey), mask) > 0.5


def test_what_is_lost_is_none_and_may_come_back(tracker):
    rng = np.random.default_rng(0)
    ground = np.full((*SIZE, 3), 90, np.uint8) + rng.integers(0, 12, (*SIZE, 3), np.uint8)
    seen, mask = ground.copy(), np.zeros(SIZE, bool)
    mask[20:52, 40:72] = True
    seen[mask] = (230, 40, 30)
    with_it, without = Image.fromarray(seen), Image.fromarray(ground)
    shapes = [as_mask(mask), make_shape("polygon", mask)]
    found = followed(tracker, [with_it, with_it, without, without, with_it], shapes)
    assert [[shape is None for shape in one] for one in found] == [[False] * 2, [True] * 2, [True] * 2, [False] * 2]
    assert (pixels(found[-1][0]) & mask).any()


BAD = {
    "a shape of type 'rectangle' cannot be followed; draw a mask or a polygon": ("rectangle", [1, 1, 9, 9]),
    "the mask does not fit its 128x72 frame": ("mask", [0, 4, 127, 71, 128, 72]),
    "the mask does not fit its 128x72 frame (too few": ("mask", [0, 4]),
    "the mask does not fit its 128x72 frame (non-integer": ("mask", [0, 4.5, 1, 1, 2, 2]),
    "the mask covers no pixel": ("mask", [4, 1, 1, 2, 2]),
    "at least three points": ("polygon", [1, 1, 9, 9]),
    "no numbers or lie far outside": ("polygon", [1, 1, 9, float("nan"), 3, 4]),
    "the polygon covers no pixel": ("polygon", [200, 100, 220, 100, 220, 120]),
}


@pytest.mark.parametrize("says", BAD)
def test_shapes_that_cannot_be_followed_are_their_kind_of_error(tracker, clip, says):
    kind, points = BAD[says]
    seen = tracker.preprocess_image(Context(), clip[0][0])
    with pytest.raises(BadFunctionError) as caught:
        tracker.init_tracking_state(Shapes(kind), seen, TrackableShape(type=kind, points=points))
    assert says in str(caught.value)


def test_a_frame_that_cannot_be_read_is_their_kind_of_error(tracker):
    with pytest.raises(BadFunctionError, match="an image of mode I;16; bring its values to 0..255 first"):
        tracker.preprocess_image(Context(), Image.new("I;16", (128, 72)))


def test_no_more_shapes_are_remembered_than_asked_for(clip):
    frames, mask = clip
    tracker = create(**SMALL, shapes=2)
    seen, kind = tracker.preprocess_image(Context(), frames[0]), Shapes("mask")
    first, second = (tracker.init_tracking_state(kind, seen, as_mask(mask)) for _ in range(2))
    tracker.track(kind, seen, first)
    third = tracker.init_tracking_state(kind, seen, as_mask(mask))
    assert tracker.track(kind, seen, first) and tracker.track(kind, seen, third)
    with pytest.raises(BadFunctionError, match=r"at most 2 shapes are remembered \(parameter shapes\)"):
        tracker.track(kind, seen, second)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"short_side": "480"}, "give it as -p short_side=int:VALUE"),
        ({"model": 3}, "give it as -p model=str:VALUE"),
        ({"shapes": 0}, "shapes is 0"),
        ({"backend": "fast"}, "unknown backend 'fast'"),
        ({"model": "camn-best"}, "camn-best"),
        ({"device": "tpu"}, "device 'tpu' cannot be used"),
    ],
)
def test_parameters_are_checked(parameters, says):
    with pytest.raises((ConfigError, CamnError), match=says):
        create(**parameters)


def test_the_commands_of_cvat_work(tracker, clip, monkeypatch, capsys):
    """Both commands as in docs/reference/cvat.md; the agent loads the function in a process of its own."""
    frames, mask = clip
    corner = {"type": "polygon", "points": [100.0, 0.0, 128.0, 0.0, 128.0, 30.0]}
    shapes = [{"type": "mask", "points": encode_mask(mask)}, corner]
    asked = [
        {"type": "init_tracking", "frame": 0, "shapes": shapes},
        {"type": "track", "frame": 1, "states": "asked"},
        {"type": "track", "frame": 2, "states": "asked"},
        {"type": "init_tracking", "frame": 2, "shapes": [{"type": "mask", "points": [4.0, 1.0, 1.0, 2.0, 2.0]}]},
    ]
    server = Server(frames, asked)
    monkeypatch.setenv("CVAT_ACCESS_TOKEN", "any")
    function = ["--function-module", "camn.integrations.cvat", "-p", "device=str:cpu", "-p", "short_side=int:72"]
    with server.serving() as address:
        assert cvat_cli(["--server-host", address, "function", "create-native", "CAMN", *function]) == 0
        assert capsys.readouterr().out.split() == [str(FUNCTION)]
        assert cvat_cli(["--server-host", address, "function", "run-agent", str(FUNCTION), "--burst", *function]) == 0
    created = server.function
    assert (created["kind"], created["supported_shape_types"]) == ("tracker", ["mask", "polygon"])
    begun, first, second, refused = server.answers
    assert len(set(begun["states"])) == 2 and first["states"] == second["states"] == begun["states"]
    ours = followed(tracker, frames[:3], [TrackableShape(**shape) for shape in shapes])
    for answer, found in zip((first, second), ours, strict=True):
        for said, shape in zip(answer["shapes"], found, strict=True):
            assert (said is None) == (shape is None)
            if shape is not None:
                np.testing.assert_array_equal(pixels(TrackableShape(**said)), pixels(shape))
    assert "the mask covers no pixel of its 128x72 frame; draw it anew" in refused
