"""How parts of pictures move, where shots are cut, and what objects look like."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.inference.looks import Looks
from camn.inference.motion import FAR, SIDE, Motion, moved, small

NOISE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


def patch(top: int = 30, left: int = 40, height: int = 20, width: int = 24) -> np.ndarray:
    mask = np.zeros(NOISE.shape[:2], bool)
    mask[top : top + height, left : left + width] = True
    return mask


@given(st.integers(-FAR, FAR), st.integers(-FAR, FAR))
@settings(max_examples=20, deadline=None)
def test_a_part_is_found_where_it_went_whatever_is_around_it(x, y):
    other = np.random.default_rng(1).integers(0, 256, NOISE.shape, np.uint8)
    mask = patch()
    there = moved(mask, np.array([x, y]))
    other[there] = NOISE[mask]
    motion = Motion(NOISE, other)
    assert motion.of(mask).tolist() == [x, y]


def test_what_is_plain_or_nowhere_stands_still():
    plain = np.full_like(NOISE, 100)
    assert not Motion(plain, plain).of(patch()).any()
    assert not Motion(NOISE, NOISE).of(np.zeros(NOISE.shape[:2], bool)).any()


def test_what_leaves_the_picture_is_gone():
    assert np.array_equal(moved(patch(), np.array([3, -5])), patch(25, 43))
    assert not moved(patch(), np.array([0, -60])).any()
    assert moved(patch(0, 0), np.array([-20, 0])).sum() == 4 * 20


@pytest.mark.parametrize("size", [(480, 854), (1080, 607), (100, 80), (1, 3)])
def test_pictures_are_small_and_never_enlarged(size):
    made = small(np.zeros((*size, 3), np.uint8))
    assert min(made.shape[:2]) == min(SIDE, *size)


def test_another_shot_is_told_from_motion_and_light():
    scene = cv2.GaussianBlur(NOISE, (0, 0), 6)
    scene = cv2.normalize(scene, None, 60, 200, cv2.NORM_MINMAX)  # pyright: ignore
    assert not Motion(scene, np.roll(scene, 15, 1)).cut
    assert not Motion(scene, cv2.add(scene, np.full_like(scene, 3))).cut
    assert Motion(scene, 255 - scene // 2).cut


def test_looks_tell_an_object_from_what_is_around_it():
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[:] = (200, 30, 30)
    mask = np.zeros((60, 60), bool)
    mask[20:30, 20:30] = True
    picture[mask] = (30, 30, 200)
    looks = Looks.of(picture, mask)
    assert looks.likeness(picture)[mask].min() > 0.99 and looks.likeness(picture)[~mask].max() < 0.01
    assert looks.likeness(np.full((2, 2, 3), 130, np.uint8)) == pytest.approx(0.5)
    green = np.where(mask[..., None], np.uint8([30, 200, 30]), picture)  # pyright: ignore
    both = looks.with_more(Looks.of(green, mask))
    assert both.likeness(picture)[mask].min() > 0.98 and both.likeness(green)[mask].min() > 0.98


def test_what_is_far_from_an_object_does_not_count_as_around_it():
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[:, 50:] = 255
    mask = np.zeros((60, 60), bool)
    mask[20:30, 20:30] = True
    assert Looks.of(picture, mask).likeness(picture)[0, 55] == pytest.approx(0.5)


@settings(max_examples=20, deadline=None)
@given(st.integers(-6, 6), st.integers(-6, 6))
def test_what_was_seen_before_is_told_from_what_appears(x, y):
    chance = np.random.default_rng(7)
    old = chance.integers(0, 256, (80, 120, 3), np.uint8)
    new, there, appeared = np.roll(old, (y, x), (0, 1)), np.zeros((80, 120), bool), np.zeros((80, 120), bool)
    there[20:40, 20:40], appeared[50:70, 60:90] = True, True
    new[50:70, 60:90] = chance.integers(0, 256, (20, 30, 3), np.uint8)
    motion, ways = Motion(old, new), [np.zeros(2, int), np.array([x, y])]
    assert motion.seen(there, ways) and not motion.seen(appeared, ways)
    assert motion.seen(there, ways[:1]) or max(abs(x), abs(y)) > 0
    assert not motion.seen(there, ways[:1]) or max(abs(x), abs(y)) < 3
    assert not motion.seen(np.zeros_like(there), ways)


@pytest.mark.parametrize("grey", [31, 63, 127, 191])
def test_light_that_changes_a_little_is_no_cut_whatever_bins_its_colours_are_in(grey):
    old, new = (np.full((60, 90, 3), level, np.uint8) for level in (grey, grey + 1))
    assert not Motion(old, new).cut
    assert Motion(old, np.full_like(old, (grey + 90) % 256)).cut
