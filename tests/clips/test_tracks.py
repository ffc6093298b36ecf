"""Pasted tracks: labelled where they are seen, never over what is before them, in colours near those around."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from camn.clips.blur import centre
from camn.clips.motion import Piece, Pose, cut
from camn.clips.options import ClipOptions
from camn.clips.tracks import Track, clean, cut_off, fitting, follow, join_track, lay, settle, surroundings
from camn.datasets.sequence import VideoSequence

SIZE = (64, 72)
poses = st.builds(
    Pose,
    anchor=st.tuples(st.floats(10, 50), st.floats(10, 50)),
    at=st.tuples(st.floats(0, 72), st.floats(0, 64)),
    zoom=st.floats(0.3, 1.6),
    angle=st.floats(-30, 30),
    flip=st.booleans(),
)


def disc(x, y, radius, size=SIZE):
    return cv2.circle(np.zeros(size, np.uint8), (x, y), radius, 1, -1) > 0


def moving(length=3, gone=()):
    """A blue disc that grows and moves in a picture of 60x60 -> (its masks, the track)."""
    masks = [disc(20 + 5 * t, 30, 9 + t, (60, 60)) for t in range(length)]
    blue = np.full((60, 60, 3), (10, 20, 230), np.uint8)
    pieces = tuple(None if t in gone else cut(blue, mask) for t, mask in enumerate(masks))
    return masks, Track(pieces, centre(masks[0].astype(np.uint8)))


def film(length=3):
    """A red disc, label 1, on grey, and a strip of 255."""
    labels = disc(36, 32, 14).astype(np.uint8)
    labels[:4] = 255
    image = np.full((*SIZE, 3), 120, np.uint8)
    image[labels == 1] = (220, 10, 10)
    return [image] * length, [labels] * length


def eroded(mask, by=3):
    return cv2.erode(mask.astype(np.uint8), np.ones((by, by), np.uint8), borderValue=0) > 0


@given(poses, st.booleans())
@settings(deadline=None, max_examples=60)
def test_labels_are_the_warped_masks_where_the_track_is_before_all_else(pose, behind):
    masks, track = moving(gone=(1,))
    frames, labels = film()
    kept = [a.copy() for a in (*frames, *labels)]
    new_frames, new_labels = lay((frames, labels), track, [pose] * 3, 2, behind)
    for t, mask in enumerate(masks):
        wanted = cv2.warpAffine(mask.astype(np.float32), pose.matrix(), SIZE[::-1]) * (t != 1)
        border = 5 if pose.zoom >= 0.6 else 7  # edges are soft, and what is shrunk first is rounded to whole pixels
        sure, never = eroded(wanted > 0.95, border), eroded(wanted < 0.05, border)
        before = labels[t] > 0
        if behind:
            assert (new_labels[t][before] == labels[t][before]).all()
            assert (np.abs(new_frames[t].astype(int) - frames[t])[eroded(before)] == 0).all()
            sure &= ~before
        assert (new_labels[t][sure] == 2).all()
        assert (new_labels[t][never] == labels[t][never]).all()
        assert (new_frames[t][eroded(sure)] == (10, 20, 230)).all()
        assert (new_frames[t][never] == frames[t][never]).all()
    assert all((a == b).all() for a, b in zip((*frames, *labels), kept, strict=True))


@given(st.integers(0, 10_000), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_a_joined_track_is_a_new_object_or_background(seed, most):
    options = ClipOptions(size=SIZE, max_objects=most)
    frames, labels = join_track(np.random.default_rng(seed), film(), moving()[1], options)
    again = join_track(np.random.default_rng(seed), film(), moving()[1], options)
    assert all((a == b).all() for a, b in zip((*frames, *labels), (*again[0], *again[1]), strict=True))
    assert all(set(np.unique(ids)) <= {0, 1, 2, 255} for ids in labels)
    assert most > 1 or not any((ids == 2).any() for ids in labels)
    assert not any((ids == 2).any() for ids in labels) or (labels[0] == 2).any()


def test_what_is_not_seen_at_first_is_background_all_through():
    first, later = np.array([[0, 1, 255]], np.uint8), np.array([[2, 1, 3]], np.uint8)
    frames, labels = settle(([np.zeros((1, 3, 3), np.uint8)] * 2, [first, later]))
    assert labels[0].tolist() == [[0, 1, 255]] and labels[1].tolist() == [[0, 1, 0]] and len(frames) == 2


def test_a_clean_edge_has_the_colour_of_the_inside_and_thin_parts_keep_theirs():
    mask = disc(20, 30, 12)
    mask[30, 32:60] = True  # a line
    image = np.full((*SIZE, 3), 250, np.uint8)
    image[eroded(mask)] = (10, 60, 90)  # so that the edge has the background's colour
    image[30, 40:60] = (200, 0, 0)
    piece = clean(cut(image, mask))
    x, y = piece.corner
    edge = (mask & ~eroded(mask))[:, x:30]  # away from the line
    assert edge.sum() > 20
    assert np.abs(piece.image[:, : 30 - x].astype(int) - (10, 60, 90))[edge[y : y + len(piece.alpha)]].max() <= 2
    assert (piece.image[30 - y, 45 - x : 60 - x] == (200, 0, 0)).all()
    assert (piece.alpha == cut(image, mask).alpha).all()


@given(st.floats(0, 1), st.integers(0, 99))
def test_colours_go_part_of_the_way_to_those_around(share, seed):
    rng = np.random.default_rng(seed)
    image = np.clip(rng.normal(rng.uniform(60, 180, 3), 20, (20, 20, 3)), 0, 255).astype(np.uint8)
    around = np.clip(rng.normal(rng.uniform(60, 180, 3), 25, (500, 3)), 0, 255).astype(np.uint8)
    piece = Piece(image, np.full((20, 20), 255, np.uint8))
    matrix = fitting(piece, around, share)
    mean = image.reshape(-1, 3).mean(0)
    np.testing.assert_allclose(matrix @ (*mean, 1), mean + share * (around.mean(0) - mean), atol=0.1)
    gain = np.diag(matrix[:, :3])
    assert (gain >= 0.5).all() and (gain <= 1.5).all()
    if share == 0:
        np.testing.assert_allclose(matrix, np.eye(3, 4), atol=1e-5)


@pytest.mark.parametrize("at", [(-50.0, 900.0), (0, 0), (71, 63)])
def test_surroundings_are_never_empty(at):
    assert len(surroundings(film()[0][0], at, 3)) > 0


def write(root, masks):
    for t, mask in enumerate(masks):
        Image.fromarray(mask.astype(np.uint8) * np.uint8(200)).convert("RGB").save(root / f"{t}.png")
        Image.fromarray(mask.astype(np.uint8)).save(root / f"m{t}.png")
    count = range(len(masks))
    return VideoSequence("v", tuple(root / f"{t}.png" for t in count), tuple(root / f"m{t}.png" for t in count))


def test_a_track_is_cut_frame_by_frame_from_its_video(tmp_path):
    masks = [disc(20 + 5 * t, 30, 9 + t) if t != 1 else np.zeros(SIZE, bool) for t in range(3)]
    sequence = write(tmp_path, masks)
    options = replace(ClipOptions(size=SIZE), gap=(1, 1), reverse=0)
    track = follow(np.random.default_rng(0), sequence, options)
    assert track is not None and track.pieces[1] is None
    np.testing.assert_allclose(track.centre, (20, 30), atol=0.1)
    for piece, mask in zip(track.pieces, masks, strict=True):
        if piece is not None:
            wanted = cut(np.zeros((*SIZE, 3)), mask)
            np.testing.assert_array_equal(piece.alpha, wanted.alpha)
            assert piece.corner == wanted.corner and (piece.image[piece.alpha > 0] == 200).all()
    assert follow(np.random.default_rng(0), write(tmp_path, masks[:1]), options) is None  # too short


def test_what_the_border_cuts_off_is_not_followed(tmp_path):
    assert cut_off(disc(2, 30, 15)) and not cut_off(disc(30, 30, 15))
    sequence = write(tmp_path, [disc(30, 30, 10), disc(40, 30, 10), disc(70, 30, 10)])
    assert follow(np.random.default_rng(0), sequence, replace(ClipOptions(size=SIZE), gap=(1, 1))) is None
