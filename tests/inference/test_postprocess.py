"""Post-processing as a whole, and track loss on clips with a known answer: probabilities are made by hand."""

from copy import copy
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from camn.config import PostProcess
from camn.errors import ConfigError
from camn.inference import Segmenter
from camn.inference.parts import Parts
from camn.inference.postprocess import PostProcessor
from camn.masks import ObjectIds

SIZE = (60, 100)
FRAME = np.zeros((*SIZE, 3), np.uint8)
TRACK = PostProcess(small_objects=False)


def none_needed(side: int) -> Segmenter:
    raise AssertionError("no object here is small")


def box(
    top: int, left: int, height: int = 10, width: int = 10, id: int = 1, size: tuple[int, int] = SIZE
) -> np.ndarray:
    """(H, W) uint8: one box of an id; what lies outside the frame is cut off."""
    made = np.zeros(size, np.uint8)
    made[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = id
    return made


def together(*masks: np.ndarray) -> np.ndarray:
    return np.max(masks, axis=0)


def found(ids: np.ndarray, objects: ObjectIds, sure: float = 0.9) -> Tensor:
    """(N+1, H, W): the probabilities of a network that is `sure` of these ids."""
    rest = (1 - sure) / len(objects)
    return objects.one_hot(ids) * (sure - rest) + rest


def answer(objects: ObjectIds, probabilities: Tensor) -> np.ndarray:
    torch.testing.assert_close(probabilities.sum(0), torch.ones(probabilities.shape[1:]))
    assert probabilities.min() >= 0
    return objects.ids_map(probabilities.max(0).indices)


def run(clip: list[np.ndarray], config: PostProcess = TRACK, sure: float = 0.9) -> list[np.ndarray]:
    """The first mask is the user's, the others are what a network finds; -> what is answered."""
    post, objects = PostProcessor(config, none_needed), ObjectIds.of(clip[0])
    post.given(0, FRAME, objects, clip[0])
    return [answer(objects, post(t, FRAME, objects, found(ids, objects, sure))) for t, ids in enumerate(clip[1:], 1)]


# --- track loss ------------------------------------------------------------------------------------------------------


def test_a_twin_far_away_is_removed_and_the_object_kept():
    clip = [box(10, 10 + t) for t in range(12)]
    twin = box(40, 80)
    seen = [clip[0], *(together(ids, twin) for ids in clip[1:])]
    for got, wanted in zip(run(seen), clip[1:], strict=True):
        assert np.array_equal(got, wanted)
    assert all(np.array_equal(got, ids) for got, ids in zip(run(seen, PostProcess.off()), seen[1:], strict=True))


def test_what_surrounds_a_removed_part_goes_too():
    objects = ObjectIds((1,))
    post = PostProcessor(TRACK, none_needed)
    post.given(0, FRAME, objects, box(10, 10))
    probabilities = found(together(box(10, 10), box(40, 80)), objects)
    probabilities[:, 37:53, 77:93] = torch.where(
        probabilities[:1, 37:53, 77:93] > 0.5, 0.5, probabilities[:, 37:53, 77:93]
    )
    mended = post(1, FRAME, objects, probabilities)
    assert mended[1, 37:53, 77:93].max() == 0
    assert torch.equal(mended[:, :25, :50], probabilities[:, :25, :50])


def test_a_twin_is_not_taken_while_the_object_is_there():
    clip = [box(10, 10), *(together(box(10, 10), box(40, 80)) for _ in range(40))]
    assert all(np.array_equal(got, clip[0]) for got in run(clip))


def test_an_object_that_left_and_comes_back_elsewhere_is_taken_up_again():
    leaving = [box(10, 10 - 2 * t) for t in range(11)]  # gone from t = 10 on
    away = [box(0, 0, 0, 0)] * 10
    back = [box(40, 90 - 2 * t) for t in range(20)]
    got = run([*leaving, *away, *back])[len(leaving) + len(away) - 1 :]
    first = next(t for t, ids in enumerate(got) if ids.any())
    assert first == TRACK.track_confirm - 1
    assert all(np.array_equal(g, ids) for g, ids in zip(got[first:], back[first:], strict=True))


def test_what_comes_back_must_be_sure_and_large_and_stay():
    leaving, away = [box(10, 10), box(10, 10)], [box(0, 0, 0, 0)] * 10
    back = [box(40, 70)] * 10
    assert run([*leaving, *away, *back])[-1].any()
    assert not run([*leaving, *away, *back], sure=0.6)[-1].any()  # below track_confidence
    assert not run([*leaving, *away, *[box(40, 70, 4, 4)] * 10])[-1].any()  # below track_area
    jumping = [box(40, 70) if t % 2 else box(5, 85) for t in range(10)]
    assert not run([*leaving, *away, *jumping])[-1].any()
    blinking = [box(40, 70) if t % 2 else box(0, 0, 0, 0) for t in range(10)]
    assert not run([*leaving, *away, *blinking])[-1].any()


def test_the_reach_grows_while_the_object_is_out_of_sight():
    hidden = [box(10, 10), *[box(0, 0, 0, 0)] * 20, box(10, 45)]
    assert run(hidden)[-1].any()  # 25 pixels away after 20 frames
    assert not run([hidden[0], hidden[-1]])[-1].any()


def test_a_split_object_keeps_both_parts():
    whole = box(20, 10, 10, 60)
    clip = [whole]
    for t in range(1, 30):  # something broad passes in front
        ids = whole.copy()
        ids[:, 20 : 20 + min(t * 3, 45)] = 0
        clip.append(ids)
    assert all(np.array_equal(got, ids) for got, ids in zip(run(clip), clip[1:], strict=True))


def test_a_part_that_was_hidden_comes_out_again():
    parts, one = together(box(10, 10), box(10, 80)), box(10, 10)
    clip = [parts, parts, *[one] * 20, parts]
    assert all(np.array_equal(got, ids) for got, ids in zip(run(clip), clip[1:], strict=True))


def test_objects_are_apart():
    clip = [together(box(10, 10, id=7), box(40, 80, id=3))]
    clip += [together(box(10, 10, id=7), box(40, 80, id=3), box(40, 40, id=7)) for _ in range(5)]
    assert all(np.array_equal(got, clip[0]) for got in run(clip))


@pytest.mark.parametrize("size", [(30, 50), (120, 200), (61, 101)])
def test_probabilities_of_another_size_than_the_frame(size):
    objects = ObjectIds((1,))
    post = PostProcessor(TRACK, none_needed)
    post.given(0, FRAME, objects, box(10, 10, 4, 4))
    scale = size[0] / SIZE[0]
    at = [round(v * scale) for v in (10, 10, 4, 4)]
    here, twin = box(*at, size=size), box(at[0] * 4, at[1] * 8, at[2], at[3], size=size)
    for t in range(1, 4):
        assert np.array_equal(answer(objects, post(t, FRAME, objects, found(together(here, twin), objects))), here)


# --- the user's corrections ------------------------------------------------------------------------------------------


def test_a_correction_says_where_an_object_is():
    objects = ObjectIds((1,))
    post = PostProcessor(TRACK, none_needed)
    post.given(0, FRAME, objects, box(10, 10))
    there = found(box(40, 80), objects)
    assert not answer(objects, post(1, FRAME, objects, there)).any()
    post.given(1, FRAME, objects, box(40, 80))
    assert answer(objects, post(2, FRAME, objects, there)).any()
    assert not answer(objects, post(3, FRAME, objects, found(box(10, 10), objects))).any()


def test_objects_come_and_go():
    objects, more = ObjectIds((5,)), ObjectIds((5, 2))
    post = PostProcessor(TRACK, none_needed)
    post.given(0, FRAME, objects, box(10, 10, id=5))
    post(1, FRAME, objects, found(box(10, 10, id=5), objects))
    both = together(box(10, 10, id=5), box(40, 80, id=2))
    post.given(1, FRAME, more, both)
    wrong = together(both, box(10, 80, id=2))
    assert np.array_equal(answer(more, post(2, FRAME, more, found(wrong, more))), both)
    left = ObjectIds((2,))
    post.select(left)
    only = np.where(wrong == 2, wrong, 0).astype(np.uint8)
    assert np.array_equal(answer(left, post(3, FRAME, left, found(only, left))), box(40, 80, id=2))


def test_an_object_never_seen_may_be_anywhere():
    objects = ObjectIds((1, 2))
    post = PostProcessor(TRACK, none_needed)
    post.given(0, FRAME, objects, box(10, 10))
    ids = together(box(10, 10), box(40, 80, id=2))
    assert np.array_equal(answer(objects, post(1, FRAME, objects, found(ids, objects))), ids)


def test_a_new_video_knows_nothing_of_the_one_before():
    objects = ObjectIds((1,))
    post = PostProcessor(TRACK, none_needed)
    for place in (box(10, 10), box(40, 80)):
        post.given(0, FRAME, objects, place)
        assert np.array_equal(answer(objects, post(1, FRAME, objects, found(place, objects))), place)


def test_a_copy_is_independent():
    objects = ObjectIds((1,))
    post = PostProcessor(TRACK, none_needed)
    post.given(0, FRAME, objects, box(10, 10))
    other = copy(post)
    other.given(0, FRAME, objects, box(40, 80))
    other(1, FRAME, objects, found(box(40, 80), objects))
    other.select(ObjectIds())
    both = together(box(10, 10), box(40, 80))
    assert np.array_equal(answer(objects, post(1, FRAME, objects, found(both, objects))), box(10, 10))


# --- whatever comes --------------------------------------------------------------------------------------------------


@st.composite
def clips(draw):
    """(ids of the objects, user's mask, what is found on some frames), all random."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    objects = ObjectIds(tuple(draw(st.lists(st.integers(1, 255), min_size=1, max_size=4, unique=True))))
    size = draw(st.tuples(st.integers(2, 20), st.integers(2, 20)))
    first = rng.choice([0, *objects], size).astype(np.uint8)
    blocks = [rng.gumbel(size=(len(objects) + 1, 3, 3)) * draw(st.floats(0.1, 30)) for _ in range(5)]
    frames = [torch.from_numpy(b).float().repeat_interleave(5, 1).repeat_interleave(7, 2).softmax(0) for b in blocks]
    return objects, first, frames


@given(clips(), st.floats(0, 3))
@settings(max_examples=40)
def test_probabilities_stay_probabilities_and_only_lose(clip, distance):
    objects, first, frames = clip
    post = PostProcessor(replace(TRACK, track_distance=distance, track_least=0), none_needed)
    picture = np.zeros((*first.shape, 3), np.uint8)
    post.given(0, picture, objects, first)
    for t, probabilities in enumerate(frames, 1):
        before = probabilities.clone()
        mended = post(t, picture, objects, probabilities)
        assert torch.equal(probabilities, before)  # the argument is not edited
        old, new = answer(objects, before), answer(objects, mended)
        assert set(np.unique(new)) <= {0, *objects}
        changed = old != new
        assert (old[changed] > 0).all()
        for channel in range(1, len(before)):
            assert ((mended[channel] == 0) | (mended[channel] >= before[channel] * (1 - 1e-5))).all()


@given(clips())
@settings(max_examples=20)
def test_nothing_changes_where_all_is_near(clip):
    objects, first, frames = clip
    post = PostProcessor(replace(TRACK, track_distance=1000, track_excess=1000), none_needed)
    picture = np.zeros((*first.shape, 3), np.uint8)
    post.given(0, picture, objects, first)
    for t, probabilities in enumerate(frames, 1):
        assert post(t, picture, objects, probabilities) is probabilities


@given(st.integers(0, 1 << 32), st.floats(0, 12))
@settings(max_examples=30)
def test_parts_within_reach_are_those_with_a_pixel_that_near(seed, reach):
    rng = np.random.default_rng(seed)
    mask, region = rng.random((12, 15)) < 0.15, rng.random((12, 15)) < 0.05
    region[rng.integers(12), rng.integers(15)] = True
    parts = Parts.of(mask)
    places = np.argwhere(region)
    for k, near in enumerate(parts.within(reach, region)):
        own = np.argwhere(parts.labels == k + 1)
        nearest = min(np.linalg.norm(places - pixel, axis=1).min() for pixel in own)
        assert near == (nearest <= reach) or abs(nearest - reach) < 1e-4


# --- the configuration -----------------------------------------------------------------------------------------------


def test_both_are_on_unless_told_otherwise():
    assert PostProcess().track_loss and PostProcess().small_objects and not PostProcess.off().enabled


@pytest.mark.parametrize("name", [f.name for f in fields(PostProcess) if f.name not in ("track_loss", "small_objects")])
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_thresholds_that_cannot_be(name, value):
    with pytest.raises(ConfigError, match=name):
        PostProcess(**{name: value})


def test_thresholds_name_their_span():
    with pytest.raises(ConfigError, match="track_confidence is 2: it must be 0..1"):
        PostProcess(track_confidence=2)
