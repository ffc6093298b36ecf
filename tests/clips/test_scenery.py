"""Look-alikes, parts, bars and smears: each of them changes what it says, and only that."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.clips.appearance import Appearance
from camn.clips.blur import MOST, smear, smear_objects, steps, streak
from camn.clips.halves import half
from camn.clips.lookalikes import heading, join_alike, timing, way_of
from camn.clips.occluders import bars, join_bars
from camn.clips.options import ClipOptions

SIZE = (64, 96)
PLAIN = Appearance(colour=0, tint=0, flicker=0, grey=0, blur=0, jpeg=0)
OPTIONS = ClipOptions(size=SIZE, frames=4, appearance=PLAIN)
RED, GREY = (220, 10, 10), (120, 120, 120)
seeds = st.integers(0, 100_000)


def film(length=4, speed=6, radius=(16, 9)):
    """A red ellipse, label 1, that moves on grey."""
    labels = [
        cv2.ellipse(np.zeros(SIZE, np.uint8), (30 + speed * t, 32), radius, 20, 0, 360, 1, -1) for t in range(length)
    ]
    return [np.where(ids[..., None] == 1, RED, GREY).astype(np.uint8) for ids in labels], labels


def eroded(mask, by=3):
    return cv2.erode(mask.astype(np.uint8), np.ones((by, by), np.uint8), borderValue=0) > 0


@given(seeds)
@settings(deadline=None, max_examples=60)
def test_a_look_alike_is_red_and_the_object_keeps_what_of_it_is_seen(seed):
    frames, labels = join_alike(np.random.default_rng(seed), film(), OPTIONS)
    again = join_alike(np.random.default_rng(seed), film(), OPTIONS)
    assert all((a == b).all() for a, b in zip((*frames, *labels), (*again[0], *again[1]), strict=True))
    for image, ids, (_, old) in zip(frames, labels, zip(*film(), strict=True), strict=True):
        assert set(np.unique(ids)) <= {0, 1, 2}
        assert (old[ids == 1] == 1).all()  # nothing of the copy is labelled as the object
        assert np.abs(image[eroded(ids > 0)].astype(int) - RED).max(initial=0) < 80  # soft edges that touch
        reach = (np.abs(image.astype(int) - GREY).max(axis=-1) > 100).sum()
        assert reach >= 0.9 * (old == 1).sum()
    assert not any((ids == 2).any() for ids in labels) or (labels[0] == 2).any()


def test_a_look_alike_comes_out_from_behind():
    """Of the ways half begin within the object, and end beside it; what is hidden is never labelled as a copy."""
    came = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        way = way_of(rng, 4)
        if way.behind and 0 <= way.first < 0.25:
            came += 1
            assert way.speed > 0 and way.first + 3 * way.speed > 0.3
    assert 15 <= came <= 45
    shown = []
    for seed in range(40):
        frames, _ = join_alike(np.random.default_rng(seed), film(), OPTIONS)
        old = film()[1]
        red = [((f == RED).all(-1) & (ids == 0)).sum() for f, ids in zip(frames, old, strict=True)]
        shown.append(red[0] < 120 and max(red[1:]) > 200)
    assert sum(shown) >= 8


@given(seeds, st.integers(1, 12))
def test_times_are_of_the_clip(seed, length):
    order = timing(np.random.default_rng(seed), length)
    assert len(order) == length and all(0 <= k < length for k in order)


def test_what_is_cut_off_goes_along_its_border():
    rng = np.random.default_rng(0)
    mask = np.zeros(SIZE, bool)
    mask[40:, 30:50] = True  # at the bottom
    assert {heading(rng, mask) for _ in range(9)} == {(0.0, True), (180.0, True)}
    assert {heading(rng, mask.T) for _ in range(9)} == {(90.0, True), (270.0, True)}
    mask[40:] = True
    assert heading(rng, mask) is None
    inside = heading(rng, eroded(np.ones(SIZE)))
    assert inside is not None and not inside[1]


@given(seeds)
@settings(deadline=None, max_examples=40)
def test_half_is_one_side_of_a_line_on_each_frame(seed):
    labels = film()[1]
    labels = [np.where(np.arange(SIZE[0])[:, None] < 4, 255, ids).astype(np.uint8) for ids in labels]
    halves = half(np.random.default_rng(seed), labels)
    assert halves is not None
    shares = [(part == 1).sum() / (ids == 1).sum() for part, ids in zip(halves, labels, strict=True)]
    assert min(shares) >= 0.25 and max(shares) <= 0.75 and np.ptp(shares) < 0.05
    for part, ids in zip(halves, labels, strict=True):
        assert (ids[part == 1] == 1).all() and ((part == 255) == (ids == 255)).all()
        one, rest = np.argwhere(part == 1), np.argwhere((ids == 1) & (part == 0))
        angles = np.deg2rad(np.arange(0, 360, 1))
        along = np.stack([np.sin(angles), np.cos(angles)])
        assert ((one @ along).max(axis=0) - (rest @ along).min(axis=0)).min() < 1.5  # some line has them apart


def test_half_of_what_changes_is_not_the_same_half():
    (first, *_), rng = film()[1], np.random.default_rng(0)
    turned = np.ascontiguousarray(np.rot90(first[:, :64]))
    assert half(rng, [first[:, :64], turned]) is None
    assert half(rng, [first, np.where(np.arange(SIZE[1]) < 26, first, 0)]) is None  # most of it hidden
    assert half(rng, [np.zeros(SIZE, np.uint8)]) is None
    assert half(rng, [first]) is not None


@given(seeds)
@settings(deadline=None, max_examples=40)
def test_bars_hide_and_label_nothing(seed):
    texture = np.random.default_rng(1).integers(0, 60, (50, 70, 3)).astype(np.uint8)  # darker than all of the film
    frames, labels = join_bars(np.random.default_rng(seed), film(), texture, OPTIONS)
    for image, ids, (_, old) in zip(frames, labels, zip(*film(), strict=True), strict=True):
        hidden = (old == 1) & (ids == 0)
        assert (ids[ids > 0] == old[ids > 0]).all()
        assert image[eroded(hidden)].max(initial=0) < 110
        clear = eroded((ids == 1) & (old == 1), 5)
        assert np.abs(image[clear].astype(int) - RED).max(initial=0) < 30


def test_bars_are_thin_and_reach_over_the_picture():
    for seed in range(30):
        piece = bars(np.random.default_rng(seed), np.full((40, 40, 3), 90, np.uint8), 96)
        assert piece.alpha.shape == (192, 192) and piece.image.shape == (192, 192, 3)
        assert (piece.alpha > 127).any(axis=1).all()  # from top to bottom
        assert 0.005 < (piece.alpha > 127).mean() < 0.5


def test_bars_pass_before_the_object():
    seen, dark = sum((ids == 1).sum() for ids in film()[1]), np.zeros((9, 9, 3), np.uint8)
    barred = [join_bars(np.random.default_rng(seed), film(), dark, OPTIONS)[1] for seed in range(20)]
    assert np.mean([sum((ids == 1).sum() for ids in labels) < seen for labels in barred]) > 0.7


@given(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), st.floats(0, 1), st.integers(32, 400))
def test_a_streak_is_bounded_and_keeps_the_light(shift, open_for, side):
    kernel = streak(np.array(shift), open_for, side)
    if kernel is None:
        assert min(open_for * np.hypot(*shift), MOST * side) < 2
    else:
        assert len(kernel) <= MOST * side + 3 and np.isclose(kernel.sum(), 1, atol=1e-5)


def test_steps_are_those_from_the_frame_before():
    np.testing.assert_array_equal(steps([(0, 0), (1, 2), (4, 2)]), [(1, 2), (1, 2), (3, 0)])
    np.testing.assert_array_equal(steps([(5, 5)]), [(0, 0)])
    assert not steps([(0, 0), (float("nan"), float("nan"))]).any()


@pytest.mark.parametrize("size", [1, 3])
def test_what_does_not_move_is_not_smeared(size):
    frames, labels = film(length=size, speed=0)
    rng = np.random.default_rng(0)
    for a, b in zip(frames, smear_objects(rng, frames, labels), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(frames, smear(rng, frames, [(3, 4)] * size), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_object_is_smeared_along_its_way_and_near_itself_alone():
    rng = np.random.default_rng(0)
    frames, labels = film(speed=20, radius=(9, 9))
    noise = rng.integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    frames = [np.where(ids[..., None] == 1, f, noise) for f, ids in zip(frames, labels, strict=True)]
    for before, after, ids in zip(frames, smear_objects(rng, frames, labels), labels, strict=True):
        changed = (before != after).any(-1)
        near = cv2.dilate(ids, np.ones((3, 9), np.uint8)) == 1  # sideways only
        assert changed.any() and not changed[~near].any()
