"""Geometry against slow oracles: where a pixel comes from, what a cut-out covers, how far things drift."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.clips.appearance import Appearance, colour_matrix, dress, motion_kernel
from camn.clips.motion import Motion, Piece, Pose, cut, drift, fill, paste, ripple, tilting, warp, zooming

poses = st.builds(
    Pose,
    anchor=st.tuples(st.floats(0, 60), st.floats(0, 40)),
    at=st.tuples(st.floats(0, 32), st.floats(0, 48)),
    zoom=st.floats(0.4, 2.5),
    angle=st.floats(-180, 180),
    shear=st.floats(-0.3, 0.3),
    stretch=st.floats(0.7, 1.4),
    flip=st.booleans(),
)


def mirrored(index, length):
    """Index into a picture that is continued by its mirror image, the border pixel not doubled."""
    index = index % (2 * length - 2)
    return np.minimum(index, 2 * length - 2 - index)


@given(poses)
def test_a_pose_shows_its_anchor_where_it_says(pose):
    np.testing.assert_allclose(pose.matrix() @ (*pose.anchor, 1), pose.at, atol=1e-6)
    turned = np.linalg.det(pose.matrix()[:, :2])
    assert np.isclose(turned, (-1 if pose.flip else 1) * pose.zoom**2)


@pytest.mark.parametrize("rippled", [False, True])
@given(pose=poses, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_warp_takes_picture_and_labels_from_the_same_place(rippled, pose, seed):
    rng = np.random.default_rng(seed)
    h, w, size = 40, 60, (48, 32)
    ramp = np.stack(np.meshgrid(np.arange(w) * 4, np.arange(h) * 4), axis=-1)  # a picture that tells where it is
    image = np.dstack([ramp, np.full((h, w), 7)]).astype(np.uint8)
    labels = rng.integers(0, 256, (h, w)).astype(np.uint8)
    field = ripple(rng, 1, size, 0.03)[0] if rippled else None
    frame, ids = warp(image, labels, pose, size, field)
    assert frame.shape == (*size, 3) and ids.shape == size and (frame[..., 2] == 7).all()

    x, y = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    shown = np.stack([x, y], axis=-1) + (0 if field is None else field)
    matrix = pose.matrix()
    source = (shown - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    inside = ((source >= 0) & (source <= (w - 1, h - 1))).all(axis=-1)
    np.testing.assert_allclose(frame[inside][:, :2], 4 * source[inside], atol=1.0)
    sure = np.abs(source - np.floor(source) - 0.5).min(axis=-1) > 0.05  # not half-way between two pixels
    column, row = (mirrored(np.round(source[..., k]).astype(int), n) for k, n in ((0, w), (1, h)))
    np.testing.assert_array_equal(ids[sure], labels[row, column][sure])


@given(st.integers(-12, 30), st.integers(-12, 30), st.integers(0, 9))
@settings(deadline=None)
def test_paste_by_whole_pixels_is_a_copy_under_the_mask(x, y, seed):
    rng = np.random.default_rng(seed)
    image, labels = rng.integers(0, 256, (24, 26, 3)).astype(np.uint8), rng.integers(0, 4, (24, 26)).astype(np.uint8)
    kept = image.copy(), labels.copy()
    piece = Piece(np.full((9, 8, 3), 200, np.uint8), np.full((9, 8), 255, np.uint8))
    frame, ids = paste(image, labels, piece, Pose(anchor=(0, 0), at=(x, y)), 9)
    wanted = labels.copy()
    wanted[max(y, 0) : max(y + 9, 0), max(x, 0) : max(x + 8, 0)] = 9
    # the soft edge takes the corners off
    corners = [(y + dy, x + dx) for dy in (0, 8) for dx in (0, 7)]
    differ = {tuple(p) for p in np.argwhere(ids != wanted).tolist()}
    assert differ <= set(corners)
    core = np.zeros_like(labels, bool)
    core[max(y + 1, 0) : max(y + 8, 0), max(x + 1, 0) : max(x + 7, 0)] = True
    far = ~cv2.dilate((wanted == 9).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert (frame[core] == 200).all()
    np.testing.assert_array_equal(frame[far], image[far])
    np.testing.assert_array_equal(image, kept[0])
    np.testing.assert_array_equal(labels, kept[1])


@given(poses, st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_paste_equals_warping_the_whole_mask(pose, seed):
    rng = np.random.default_rng(seed)
    size = (48, 32)
    piece = Piece(np.full((21, 15, 3), 90, np.uint8), np.full((21, 15), 255, np.uint8))
    field = ripple(rng, 1, size, 0.03)[0]
    _, ids = paste(np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8), piece, pose, 1, field)
    border = 300  # so wide that no mirror image of the piece comes into view
    padded = cv2.copyMakeBorder(piece.alpha, *[border] * 4, cv2.BORDER_CONSTANT, value=0)
    shifted = Pose(
        (pose.anchor[0] + border, pose.anchor[1] + border), pose.at, pose.zoom, pose.angle, pose.shear, pose.stretch,
        pose.flip,
    )  # fmt: skip
    alpha, _ = warp(padded, padded, shifted, size, field)
    surely = cv2.erode((alpha > 250).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    never = cv2.erode((alpha < 5).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    assert (ids[surely > 0] == 1).all() and (ids[never > 0] == 0).all()


def test_cut_takes_the_box_of_the_mask():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    mask = np.zeros((20, 30), bool)
    mask[5:9, 7:20] = True
    mask[5, 7] = False
    piece = cut(image, mask)
    assert piece.corner == (7, 5) and piece.centre == (6, 1.5)
    np.testing.assert_array_equal(piece.image, image[5:9, 7:20])
    np.testing.assert_array_equal(piece.alpha > 0, mask[5:9, 7:20])
    assert np.isclose(piece.side**2, mask.sum())
    assert piece.shrunk(0.5).alpha.shape == (2, 6)


@given(st.integers(1, 60), st.integers(0, 999))
def test_drift_starts_at_the_start_and_stays_near_it(length, seed):
    start = Pose((5, 6), (10, 20), zoom=1.5, angle=4)
    path = drift(np.random.default_rng(seed), start, length, 100, Motion(0.1, 8, 0.05, 0.04))
    assert len(path) == length and path[0] == start
    for pose in path:
        assert np.abs(np.subtract(pose.at, start.at)).max() <= 3 * 0.1 * 100 + 1e-9
        assert abs(pose.angle - 4) <= 3 * 8 + 1e-9 and abs(np.log(pose.zoom / 1.5)) <= 3 * 0.05 + 1e-9


def test_drift_without_motion_follows_the_velocity():
    path = drift(np.random.default_rng(0), Pose((0, 0), (1, 2)), 4, 100, Motion().times(0), (3, -1))
    np.testing.assert_allclose([p.at for p in path], [(1 + 3 * t, 2 - t) for t in range(4)])


@given(poses, st.integers(1, 12), st.floats(0.2, 3), st.integers(0, 999))
def test_zooming_begins_at_the_pose_and_keeps_its_bounds(pose, length, least, seed):
    path = zooming(np.random.default_rng(seed), [pose] * length, least)
    assert len(path) == length and path[0] == pose
    zooms = np.array([p.zoom for p in path])
    steps = np.diff(zooms)
    assert (steps >= 0).all() or (steps <= 0).all()
    assert 0.5 <= zooms.min() / pose.zoom <= zooms.max() / pose.zoom <= 2
    assert zooms.min() >= min(pose.zoom, least)
    assert all(replace(p, zoom=1.0) == replace(pose, zoom=1.0) for p in path)


def test_ripple_is_bounded_smooth_and_slow():
    fields = ripple(np.random.default_rng(1), 8, (64, 96), 0.02)
    assert all(f.shape == (64, 96, 2) for f in fields)
    most = 2.5 * 0.02 * 64
    assert max(np.abs(f).max() for f in fields) <= 1.3 * most  # cubic enlargement may overshoot
    assert max(np.abs(np.diff(f, axis=0)).max() for f in fields) < 0.9  # never folds over
    assert max(np.abs(a - b).max() for a, b in zip(fields, fields[1:], strict=False)) <= 0.7 * 1.3 * most


@given(st.integers(0, 10_000), st.floats(0.01, 0.2), st.tuples(st.integers(32, 60), st.integers(32, 60)))
@settings(max_examples=40)
def test_tilting_is_a_perspective_of_the_reach_asked_for(seed, amount, size):
    """Straight lines stay straight, corners move by no more than said, and nothing is turned inside out."""
    fields = tilting(np.random.default_rng(seed), 4, size, amount)
    y, x = np.mgrid[: size[0], : size[1]]
    for field in fields:
        assert field.shape == (*size, 2) and field.dtype == np.float32
        corners = field[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert np.abs(corners).max() <= amount * min(size) + 1e-3
        shown = np.dstack([x, y]) + field.astype(float)
        down, across = np.diff(shown, axis=0)[:, :-1], np.diff(shown, axis=1)[:-1]
        assert (across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0] > 0).all()
        for line in (shown[5], shown[:, 7], shown[np.arange(32), np.arange(32)]):
            along = line[-1] - line[0]
            off = (line - line[0]) @ np.array([-along[1], along[0]]) / np.hypot(*along)
            assert np.abs(off).max() < 1e-2
    assert np.abs(np.diff(fields, axis=0)).max() <= 0.3 * 2 * amount * min(size)


def test_fill_keeps_the_rest_and_takes_its_colour():
    image = np.full((80, 120, 3), (40, 90, 200), np.uint8)
    mask = np.zeros((80, 120), bool)
    mask[20:60, 30:90] = True
    image[mask] = 255
    filled = fill(image, mask)
    away = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    np.testing.assert_array_equal(filled[away], image[away])
    assert np.abs(filled[mask].astype(int) - (40, 90, 200)).max() <= 3
    assert fill(image, np.ones_like(mask)).shape == image.shape  # nothing left to take it from


PLAIN = Appearance(colour=0, tint=0, flicker=0, grey=0, blur=0, jpeg=0)


def test_a_plain_look_changes_nothing():
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (32, 40, 3)).astype(np.uint8) for _ in range(2)]
    for before, after in zip(frames, dress(rng, frames, PLAIN), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_look_keeps_shape_type_and_the_frames_it_was_given():
    frames = [np.random.default_rng(k).integers(0, 256, (32, 40, 3)).astype(np.uint8) for k in range(3)]
    kept = [f.copy() for f in frames]
    for seed in range(20):
        dressed = dress(np.random.default_rng(seed), frames, Appearance(blur=1, jpeg=1, grey=0.5))
        assert all(f.shape == (32, 40, 3) and f.dtype == np.uint8 for f in dressed)
    for before, after in zip(kept, frames, strict=True):
        np.testing.assert_array_equal(before, after)


GREY = [np.full((40, 50, 3), 100, np.uint8)] * 5


def test_a_ramp_goes_one_way_from_the_exposure_there_was():
    ways = set()
    for seed in range(10):
        light = [f.mean() for f in dress(np.random.default_rng(seed), GREY, replace(PLAIN, ramp=1.0))]
        steps = np.diff(light)
        assert light[0] == 100 and 50 <= min(light) <= max(light) <= 200
        assert (steps >= 0).all() or (steps <= 0).all()
        ways.add(bool(steps.sum() > 0))
    assert ways == {True, False}


@pytest.mark.parametrize("look", [replace(PLAIN, noise=1.0), replace(PLAIN, dark=1.0)])
def test_noise_is_new_on_each_frame_and_keeps_the_mean(look):
    frames = dress(np.random.default_rng(1), GREY, look)
    assert all(f.dtype == np.uint8 and f.shape == (40, 50, 3) for f in frames)
    means = np.array([f.mean() for f in frames])
    assert np.ptp(means) < 1 and (means >= 29).all() and (means <= (71 if look.dark else 101)).all()
    assert all(1 < f.std() < 12 for f in frames)
    assert not any(np.array_equal(a, b) for a, b in zip(frames, frames[1:], strict=False))


def test_grey_has_one_value_in_all_channels():
    matrix = colour_matrix(np.random.default_rng(0), Appearance(colour=0, tint=0, grey=1))
    np.testing.assert_allclose(matrix @ (10, 20, 30, 1), np.full(3, 0.299 * 10 + 0.587 * 20 + 0.114 * 30), rtol=1e-5)


@given(st.integers(1, 15), st.floats(0, np.pi))
def test_motion_blur_keeps_the_light(length, angle):
    kernel = motion_kernel(length, angle)
    assert kernel.shape[0] == kernel.shape[1] and kernel.shape[0] % 2 == 1 and kernel.min() >= 0
    assert np.isclose(kernel.sum(), 1, atol=1e-5)
