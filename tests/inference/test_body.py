"""What track loss tells by shape, size and motion, on drawn clips: what a network finds is made up."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.config import PostProcess
from camn.inference.body import FORGET, RELEASE, Body
from camn.inference.growth import LIKE
from camn.inference.motion import Motion
from camn.inference.parts import distance
from camn.inference.postprocess import PostProcessor
from camn.inference.result import Result
from camn.masks import ObjectIds

SIZE = (120, 200)
TRACK = PostProcess(track_loss=True)
OBJECT = ObjectIds((1,))
NOISE = np.random.default_rng(0)
GROUND = NOISE.integers(90, 160, (*SIZE, 3), np.uint8)
SKIN = NOISE.integers(0, 80, (*SIZE, 3), np.uint8)
COAT = NOISE.integers(170, 256, (*SIZE, 3), np.uint8)
WALL = NOISE.integers(60, 130, (*SIZE, 3), np.uint8)

Layer = tuple[int, int, int, int, np.ndarray]  # top, left, height, width, cloth
Shot = tuple[np.ndarray, np.ndarray]  # frame, mask


def box(top: int, left: int, height: int = 30, width: int = 30) -> np.ndarray:
    made = np.zeros(SIZE, bool)
    made[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = True
    return made


def painted(*layers: Layer) -> np.ndarray:
    """The ground with layers on it, the last one in front."""
    frame = GROUND.copy()
    for top, left, height, width, cloth in layers:
        here = frame[top : top + height, left : left + width]
        here[:] = cloth[: here.shape[0], : here.shape[1]]
    return frame


class Follower:
    """Track loss on one object, whose first mask is right."""

    def __init__(self, frame: np.ndarray, mask: np.ndarray, config: PostProcess = TRACK):
        self.post, self.index = PostProcessor(config, lambda side: pytest.fail("no object here is small")), 0
        self.post.given(0, frame, OBJECT, mask.astype(np.uint8))

    def __call__(self, frame: np.ndarray, found: np.ndarray) -> np.ndarray:
        """What is answered, where a network has `found` this."""
        self.index += 1
        before = OBJECT.one_hot(found.astype(np.uint8)) * 0.9 + 0.05
        self.probabilities = self.post(self.index, frame, OBJECT, before)
        torch.testing.assert_close(self.probabilities.sum(0), torch.ones(SIZE))
        return self.probabilities.argmax(0).numpy().astype(bool)

    @property
    def trust(self) -> float:
        return self.post.trust.get(1, 1.0)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def answers(clip: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """Of (frame, what is found) for each frame, the first one right."""
    follow = Follower(*clip[0])
    return [follow(*shot) for shot in clip[1:]]


def unchanged(clip: list[tuple[np.ndarray, np.ndarray]]) -> bool:
    return all(np.array_equal(answer, found) for answer, (_, found) in zip(answers(clip), clip[1:], strict=True))


# --- a part that splits off ------------------------------------------------------------------------------------------


def twins(frames: int = 24, speed: int = 4, back: int = 99) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(frame, the object, it and its twin): which comes out from behind it, and turns round after `back` frames."""
    clip = []
    for t in range(frames):
        left, off = 40 + t, 40 + t + speed * max(0, min(t - 2, 2 * back - t))
        frame = painted(*[(50, off, 30, 30, SKIN[::-1])] * (t > 2), (45, left, 30, 30, SKIN))
        clip.append((frame, box(45, left), box(45, left) | (box(50, off) & (t > 2))))
    return clip


def test_a_twin_that_was_born_touching_it_and_walks_off_is_removed():
    clip = twins()
    follow = Follower(*clip[0][:2])
    scores = [iou(follow(frame, both), own) for frame, own, both in clip[1:]]
    apart = next(t for t, (_, own, both) in enumerate(clip) if iou(own, both) < 0.51)
    assert scores[apart - 2] < 0.75  # it still touches
    assert min(scores[apart:]) > 0.97
    assert follow.probabilities[1][~clip[-1][1]].max() < 0.1 and follow.trust == 1


def test_the_twin_is_told_apart_even_when_it_comes_back():
    clip = twins(34, back=14)
    follow = Follower(*clip[0][:2])
    scores = [iou(follow(frame, both), own) for frame, own, both in clip[1:]]
    touching = [t for t, (_, own, both) in enumerate(clip[1:], 1) if t > 16 and 0.55 < iou(own, both) < 0.95]
    assert touching and min(scores[t - 1] for t in touching[:3]) > 0.8


def test_what_an_occluder_parts_stays():
    clip = []
    for t in range(24):
        pole = (0, 40 + 4 * t, 120, 12, COAT)
        clip.append((painted((40, 60, 40, 60, SKIN), pole), box(40, 60, 40, 60) & ~box(0, 40 + 4 * t, 120, 12)))
    assert unchanged(clip)


def test_what_comes_out_beside_an_occluder_with_the_motion_of_the_rest_stays():
    """A bus whose rear alone was given: its front comes out on the other side of a tree."""
    clip = []
    for t in range(20):
        bus = box(40, 10 + 3 * t, 40, 90) & ~box(0, 60, 120, 30)
        clip.append((painted((40, 10 + 3 * t, 40, 90, SKIN), (0, 60, 120, 30, COAT)), bus))
    assert unchanged(clip)


def test_limbs_that_come_apart_stay():
    clip = []
    for t in range(16):
        arm = (50, 92 + 3 * (t % 4), 8, 12, SKIN)
        clip.append((painted((40, 60, 40, 30, SKIN), arm), box(40, 60, 40, 30) | box(*arm[:4])))
    assert unchanged(clip)


def test_an_object_that_comes_nearer_stays_whole():
    clip = []
    for t in range(20):
        side = round(24 * 1.03**t)
        clip.append((painted((40, 60, side, side, SKIN)), box(40, 60, side, side)))
    follow = Follower(*clip[0])
    assert all(np.array_equal(follow(*shot), shot[1]) and follow.trust == 1 for shot in clip[1:])


def test_an_object_out_of_sight_comes_back_at_its_full_size():
    there, gone = (painted((40, 60, 30, 30, SKIN)), box(40, 60)), (painted(), np.zeros(SIZE, bool))
    assert unchanged([there, there, *[gone] * 8, *[there] * 3])


# --- spreading -------------------------------------------------------------------------------------------------------


def test_what_spreads_at_once_is_taken_off_and_doubted():
    frame, cap, coat = painted((40, 60, 60, 60, COAT), (45, 65, 20, 20, SKIN)), box(45, 65, 20, 20), box(40, 60, 60, 60)
    follow = Follower(frame, cap)
    assert np.array_equal(follow(frame, cap), cap) and follow.trust == 1
    for _ in range(RELEASE + 5):
        assert iou(follow(frame, coat), cap) > 0.6
        assert follow.trust < 0.3
    assert np.array_equal(follow(frame, cap), cap) and follow.trust == 1
    told = Result.of(1, OBJECT, follow.probabilities, SIZE, trust={1: 0.25})
    assert told.confidence[1] == pytest.approx(0.25 * Result.of(1, OBJECT, follow.probabilities, SIZE).confidence[1])


def test_what_spreads_over_some_frames_onto_other_colours_is_taken_off():
    frame, cap = painted((40, 60, 70, 70, COAT), (45, 65, 24, 24, SKIN)), box(45, 65, 24, 24)
    follow = Follower(frame, cap)
    found = [box(45, 65, 24 + 3 * t, 24 + 3 * t) for t in range(12)]
    scores = [iou(follow(frame, mask), cap) for mask in found]
    assert min(scores) > 0.35 and scores[-1] > 0.6
    assert iou(found[-1], cap) < 0.2


def test_what_comes_out_bit_by_bit_and_looks_like_the_object_stays():
    clip = []
    for t in range(16):
        clip.append(
            (painted((40, 30, 30, 90, SKIN), (0, 60 + 4 * t, 120, 200, COAT)), box(40, 30, 30, min(90, 30 + 4 * t)))
        )
    assert unchanged(clip)


@pytest.mark.parametrize("step", [8, 70])
@pytest.mark.parametrize("cloth", [SKIN, COAT], ids=["alike", "of other colours"])
def test_what_comes_out_from_behind_something_stays_however_fast_it_grows(cloth, step):
    """Of an object that all but a strip hid, on the user's frame, too: what appears was not there to be spread onto."""
    clip = []
    for t in range(90 // step + 3):
        edge = 75 + step * t
        there = box(40, 60, 60, min(90, edge - 60))
        layers = ((40, 60, 60, 90, cloth), (40, 60, 60, 15, SKIN), (0, edge, 120, 200, WALL))
        clip.append((painted(*layers), there))
    assert unchanged(clip)


def test_what_stays_with_the_object_and_looks_like_it_is_taken_for_its_part_in_the_end():
    whole, shown = box(40, 60, 30, 70), painted((40, 60, 30, 70, SKIN))
    got = answers([(shown, box(40, 60)), *[(shown, whole)] * (RELEASE + 4)])
    assert iou(got[0], box(40, 60)) > 0.8
    assert np.array_equal(got[-1], whole)


# --- cuts ------------------------------------------------------------------------------------------------------------


def elsewhere(*layers: Layer) -> np.ndarray:
    """A frame of another shot."""
    frame = painted(*layers)
    bare = (frame == GROUND).all(2)
    frame[bare] = (GROUND[bare] - 80) // 2
    frame[bare, 2] = 250
    return frame


def test_at_a_cut_the_object_may_be_anywhere_and_of_any_size():
    before, after = (
        (painted((10, 10, 30, 30, SKIN)), box(10, 10)),
        (elsewhere((50, 120, 60, 60, SKIN)), box(50, 120, 60, 60)),
    )
    assert unchanged([before, before, *[after] * 3, *[before] * 3])
    none = (elsewhere(), np.zeros(SIZE, bool))
    assert unchanged([before, before, *[none] * 3, *[after] * 3])


def test_at_a_cut_what_looks_otherwise_is_removed():
    before = painted((10, 10, 30, 30, SKIN))
    after = elsewhere((50, 120, 40, 40, SKIN), (20, 20, 40, 40, COAT))
    follow = Follower(before, box(10, 10))
    follow(before, box(10, 10))
    assert np.array_equal(follow(after, box(50, 120, 40, 40) | box(20, 20, 40, 40)), box(50, 120, 40, 40))


# --- whatever comes --------------------------------------------------------------------------------------------------


@given(st.integers(0, 1 << 32))
@settings(max_examples=30, deadline=None)
def test_a_verdict_parts_what_was_found(seed):
    rng = np.random.default_rng(seed)
    masks = [np.kron(rng.random((6, 8)) < rng.random(), np.ones((6, 6))).astype(bool) for _ in range(6)]
    pictures = [rng.integers(0, 256, (36, 48, 3), np.uint8) for _ in masks]
    masks[0][0, 0] = True
    body, old, unlike = Body.of(masks[0]), pictures[0], np.full(masks[0].shape, LIKE - 0.1, np.float32)
    for found, new in zip(masks[1:], pictures[1:], strict=True):
        verdict = body.judged(found, Motion(old, new), lambda: unlike, TRACK)
        pieces = verdict.core, verdict.beyond, verdict.others
        assert np.array_equal(sum(p.astype(int) for p in pieces), found.astype(int))
        assert 0 < verdict.trust <= 1
        body, old = body.seen(verdict, verdict.kept, TRACK), new
        assert np.array_equal(body.core | body.beyond, verdict.kept) and len(body.sizes) <= TRACK.track_window


def test_something_else_is_forgotten_when_it_is_found_no_more():
    clip = twins(16)
    body = Body.of(clip[0][1])
    pictures = [frame for frame, _, _ in clip]
    for t in range(1, 16):
        verdict = body.judged(
            clip[t][2], Motion(pictures[t - 1], pictures[t]), lambda: np.ones(SIZE, np.float32), TRACK
        )
        body = body.seen(verdict, verdict.kept, TRACK)
    assert body.others.any()
    for _ in range(FORGET + 1):
        assert body.others.any()
        still = Motion(pictures[-1], pictures[-1])
        verdict = body.judged(clip[-1][1], still, lambda: np.ones(SIZE, np.float32), TRACK)
        body = body.seen(verdict, verdict.kept, TRACK)
    assert not body.others.any()


def test_distance_is_to_the_nearest_pixel():
    region = box(10, 10, 1, 1)
    assert distance(region)[13, 14] == pytest.approx(5, abs=1e-4) and np.isinf(distance(np.zeros(SIZE, bool))).all()


# --- what comes into view, and corrections ---------------------------------------------------------------------------


def test_what_came_into_view_is_the_object_before_long():
    """It walks out from behind a wall, and a pole passes in front of it later: nothing of it goes, and it is sure."""
    clip = []
    for t in range(90):
        shown, pole = min(60, 12 + 4 * t), 3 * t - 170
        there = box(40, 60, 60, shown) & ~(box(0, pole, 120, 8) if pole >= 0 else np.zeros(SIZE, bool))
        layers = [(40, 60, 60, 60, SKIN), (0, 60 + shown, 120, 200, WALL)] if shown < 60 else [(40, 60, 60, 60, SKIN)]
        clip.append((painted(*layers, *[(0, pole, 120, 8, COAT)] * (pole >= 0)), there))
    follow = Follower(*clip[0])
    assert all(np.array_equal(follow(*shot), shot[1]) for shot in clip[1:50])
    assert follow.trust == 1
    assert all(np.array_equal(follow(*shot), shot[1]) for shot in clip[50:])


def test_a_correction_of_one_object_leaves_what_is_known_of_the_others():
    """The other one's twin, which was removed before it, is removed after it as well."""
    two, clip = ObjectIds((1, 2)), twins()
    post = PostProcessor(TRACK, lambda side: pytest.fail("no object here is small"))
    other = box(4, 4, 20, 20)

    def ids(mask: np.ndarray) -> np.ndarray:
        return np.where(mask, 1, np.where(other, 2, 0)).astype(np.uint8)

    post.given(0, clip[0][0], two, ids(clip[0][1]))
    apart = next(t for t, (_, own, both) in enumerate(clip) if iou(own, both) < 0.51)
    scores = []
    for index, (frame, own, found) in enumerate(clip[1:], 1):
        answer = post(index, frame, two, two.one_hot(ids(found)) * 0.9 + 0.05).argmax(0).numpy()
        scores.append(iou(answer == 1, own))
        if index == apart + 2:
            post.given(index, frame, two, answer.astype(np.uint8), ObjectIds((2,)))
    assert min(scores[apart:]) > 0.97
