"""The segmenter with networks of random weights: all that must hold whatever the network answers."""

import dataclasses
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from copy import copy, deepcopy

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import camn
from camn import weights
from camn.config import InferenceConfig
from camn.errors import CamnError, ConfigError, MaskError, MaskTurnedError, VideoError
from camn.inference import AnySegmenter, Result, Segmenter, resolve_device
from camn.lean.memory import SharedEntry
from camn.masks import ObjectIds
from camn.model.interface import Network
from camn.model.layers import area
from camn.model.network import Camn

SMALL = InferenceConfig(short_side=64, match_above=0)  # random weights are in doubt of all they find
FLAT = dataclasses.replace(SMALL, short_side=32, memory_every=3, memory_frames=4)
SIZE = (50, 70)


def frame(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Blocks of colour that move."""
    blocks = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    tiles = np.tile(blocks, (size[0] // 128 + 1, size[1] // 128 + 1, 1))
    return np.roll(tiles, (index, 2 * index), (0, 1))[: size[0], : size[1]].copy()


def mask(*ids: int, size: tuple[int, int] = SIZE, top: float = 0.2) -> np.ndarray:
    """Upright bars side by side, one for each id, over the middle of the frame."""
    made = np.zeros(size, np.uint8)
    edges = np.linspace(0.1, 0.9, len(ids) + 1) * size[1]
    for id, left, right in zip(ids, edges, edges[1:], strict=False):
        made[int(top * size[0]) : int(0.8 * size[0]), int(left) : int(right)] = id
    return made


def started(network: Network, *ids: int, config: InferenceConfig = SMALL) -> Segmenter:
    segmenter = Segmenter(network, config)
    segmenter.start(frame(0), mask(*ids))
    return segmenter


def check(result: Result, ids: set[int], size: tuple[int, int] = SIZE) -> None:
    """What holds for every result."""
    assert result.ids.shape == size and result.ids.dtype == np.uint8
    assert set(np.unique(result.ids)) <= {0, *ids}
    assert set(result.confidence) == ids and result.lost <= ids
    assert all(isinstance(c, float) and 0 <= c <= 1 for c in result.confidence.values())
    shares = {id: result.probability(id) for id in ids}
    for id, share in shares.items():
        assert share.shape == size and share.dtype == np.float32
        assert share.min() >= 0 and share.max() <= 1
        assert id in result.lost or (result.ids == id).any()
        where = result.ids == id
        expected = share[where].mean() if where.any() else share.max()
        assert result.confidence[id] == pytest.approx(min(expected, 1), abs=1e-5)
    total = sum(shares.values(), np.zeros(size, np.float32))
    assert total.max() <= 1 + 1e-5  # the background has the rest


def winners(result: Result) -> np.ndarray:
    """Each pixel's most probable object, the background having what the objects leave."""
    ids = list(result.confidence)
    shares = np.stack([result.probability(i) for i in ids])
    return np.array([0, *ids])[np.concatenate([1 - shares.sum(0, keepdims=True), shares]).argmax(0)]


def same(a: Result, b: Result) -> bool:
    return (
        a.index == b.index
        and np.array_equal(a.ids, b.ids)
        and a.confidence == b.confidence
        and a.lost == b.lost
        and all(np.array_equal(a.probability(i), b.probability(i)) for i in a.confidence)
    )


# --- the plain run ---------------------------------------------------------------------------------------------------


def test_a_video_from_its_first_mask(network):
    segmenter = Segmenter(network, SMALL)
    first = mask(255, 1, 7)
    result = segmenter.start(frame(0), first)
    check(result, {1, 7, 255})
    assert np.array_equal(result.ids, first) and result.index == 0 and not result.lost
    shown = []
    for t in range(1, 8):
        result = segmenter.step(frame(t))
        check(result, {1, 7, 255})
        shown += [t] if result.lost < {1, 7, 255} or not network.selective else []
        assert result.index == segmenter.index == t
        assert (winners(result) == result.ids).mean() > 0.999  # but for ties within rounding
    assert segmenter.remembered == sorted({0, 7, *[t for t in shown if t >= 5][:1]})


def test_background_and_objects_sum_to_one(network):
    segmenter = started(network, 1, 2)
    segmenter.step(frame(1))
    results = [segmenter.step(frame(2)), segmenter.correct(mask(2, 9, top=0.4)), segmenter.step(frame(3))]
    segmenter.remove(2)
    results += [segmenter.step(frame(4)), segmenter.correct(np.zeros(SIZE, np.uint8), objects=[9])]
    for result in results:
        torch.testing.assert_close(result._probabilities.sum(0), torch.ones(()).expand(result._probabilities.shape[1:]))
        assert result._probabilities.min() >= 0


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (40, 1), (1, 40), (2, 300), (33, 33), (64, 64), (65, 65), (31, 47)])
def test_any_size(network, size):
    segmenter = Segmenter(network, SMALL)
    first = np.full(size, 3, np.uint8)
    check(segmenter.start(frame(0, size), first), {3}, size)
    for t in range(1, 3):
        check(segmenter.step(frame(t, size)), {3}, size)
    check(segmenter.correct(np.full(size, 9, np.uint8)), {3, 9}, size)
    check(segmenter.step(frame(3, size)), {3, 9}, size)


@pytest.mark.parametrize("max_side", (64, 200))
def test_work_size_is_bounded(mobile, max_side):
    segmenter = Segmenter(mobile, InferenceConfig(short_side=64, max_side=max_side))
    segmenter.start(frame(0, (30, 300)), mask(1, size=(30, 300)))
    result = segmenter.step(frame(1, (30, 300)))
    check(result, {1}, (30, 300))
    assert max(result._probabilities.shape[1:]) <= max_side + 16


def test_repeats_itself_exactly(network):
    def run() -> list[Result]:
        segmenter = started(network, 1, 2)
        results = [segmenter.step(frame(t)) for t in range(1, 7)]
        return [*results, segmenter.correct(mask(5)), segmenter.step(frame(7))]

    assert all(same(a, b) for a, b in zip(run(), run(), strict=True))


def test_start_forgets_everything(network):
    segmenter = started(network, 1, 2, 3)
    for t in range(1, 7):
        segmenter.step(frame(t))
    segmenter.correct(mask(9))
    size = (40, 60)
    fresh = Segmenter(network, SMALL)
    for one in (segmenter, fresh):
        one.start(frame(3, size), mask(4, size=size))
    for t in range(4, 11):
        assert same(segmenter.step(frame(t, size)), fresh.step(frame(t, size)))
    assert segmenter.remembered == fresh.remembered and segmenter.objects == fresh.objects


def test_two_videos_at_once_do_not_meet(network):
    alone, one, other = started(network, 1), started(network, 1), started(network, 7, 8)
    for t in range(1, 5):
        expected = alone.step(frame(t))
        other.step(frame(t + 3))
        assert same(one.step(frame(t)), expected)


# --- objects come, go, and are put right -----------------------------------------------------------------------------


def test_objects_are_added_on_any_frame(network):
    segmenter = started(network, 200)
    before = segmenter.step(frame(1))
    added = mask(3, 17, top=0.6)
    result = segmenter.correct(added)
    check(result, {200, 3, 17})
    assert np.array_equal(result.ids, np.where(added > 0, added, before.ids))
    assert result.index == segmenter.index == 1
    for t in range(2, 5):
        check(segmenter.step(frame(t)), {200, 3, 17})
    assert tuple(segmenter.objects) == (200, 3, 17)
    assert segmenter.remembered == [0, 1, 4]


def test_corrected_objects_are_just_where_the_mask_says(network):
    segmenter = started(network, 1, 2, 3)
    before = segmenter.step(frame(1)).ids
    put = mask(2, top=0.5)
    result = segmenter.correct(put)
    assert np.array_equal(result.ids == 2, put == 2)
    others = np.isin(before, (1, 3)) & (put == 0)
    assert np.array_equal(result.ids[others], before[others])
    assert not result.ids[(before == 2) & (put == 0)].any()
    check(result, {1, 2, 3})
    assert result.probability(2)[put == 0].mean() < 0.1 < 0.8 < result.probability(2)[put == 2].mean()


def test_a_correction_moves_the_probabilities_with_it(network):
    """At the work size nothing is lost in between: labels and probabilities agree in every pixel."""
    size = (65, 81)
    segmenter = Segmenter(network, InferenceConfig(short_side=65))
    segmenter.start(frame(0, size), mask(1, 2, 3, size=size))
    for t in range(1, 4):
        segmenter.step(frame(t, size))
        result = segmenter.correct(mask(2, 5, size=size, top=0.3 + 0.1 * t))
        check(result, {1, 2, 3, 5}, size)
        assert (winners(result) == result.ids).mean() > 0.999


def test_correct_right_after_start_keeps_the_others_exactly(network):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, SIZE).astype(np.uint8)  # single pixels, which the work size cannot hold
    segmenter = Segmenter(network, InferenceConfig(short_side=32))
    segmenter.start(frame(0), first)
    put = mask(2, top=0.6)
    expected = np.where(put > 0, put, np.where(first == 2, 0, first))
    result = segmenter.correct(put)
    assert np.array_equal(result.ids, expected) and result.index == 0
    assert np.array_equal(segmenter.correct(put).ids, expected)
    assert segmenter.remembered == [0]
    check(segmenter.step(frame(1)), {1, 2})


def test_the_last_correction_of_a_frame_counts(network):
    twice, once = started(network, 1), started(network, 1)
    for segmenter in (twice, once):
        segmenter.step(frame(1))
    twice.correct(mask(1, top=0.3))
    for segmenter in (twice, once):
        segmenter.correct(mask(1, top=0.6))
    # Soft probabilities remember the first one's doubt; labels, and hard masks, do not.
    a, b = twice.step(frame(2)), once.step(frame(2))
    assert (a.ids == b.ids).mean() > 0.95 and twice.remembered == once.remembered == [0, 1, 2]


def test_several_reference_frames(network):
    segmenter = started(network, 1)
    for t in range(1, 8):
        segmenter.step(frame(t))
        if t % 2:
            segmenter.correct(mask(1, t))
    assert len(segmenter._bank.references) == 5
    assert set(segmenter.remembered) == {0, 1, 3, 5, 7}
    check(segmenter.step(frame(8)), {1, 3, 5, 7})


def test_an_object_that_is_absent_keeps_its_id(network):
    segmenter = started(network, 1, 250)
    segmenter.step(frame(1))
    gone = segmenter.correct(np.zeros(SIZE, np.uint8), objects=[250])
    assert not (gone.ids == 250).any() and 250 in gone.lost
    check(gone, {1, 250})
    for t in range(2, 7):
        check(segmenter.step(frame(t)), {1, 250})
    back = segmenter.correct(mask(250))
    check(back, {1, 250})
    assert np.array_equal(back.ids == 250, mask(250) == 250) and 250 not in back.lost
    assert tuple(segmenter.objects) == (1, 250)


def test_a_binary_array_is_object_1_as_in_a_file(network):
    whole, binary = started(network, 1), Segmenter(network, SMALL)
    result = binary.start(frame(0), mask(255))
    assert np.array_equal(result.ids, mask(1)) and tuple(binary.objects) == (1,)
    assert np.array_equal(binary.step(frame(1)).ids, whole.step(frame(1)).ids)
    assert np.array_equal(binary.correct(mask(255, top=0.4)).ids, mask(1, top=0.4))
    named = Segmenter(network, SMALL)
    assert tuple(named.start(frame(0), mask(255), objects=[255]).confidence) == (255,)
    assert np.array_equal(named.correct(mask(255, top=0.4)).ids, mask(255, top=0.4))
    several = started(network, 1, 2)
    with pytest.raises(MaskError, match="0 and 255 alone"):
        several.correct(mask(255))
    check(several.correct(mask(255), objects=[255]), {1, 2, 255})


def test_a_mask_of_width_times_height_is_turned(network):
    with pytest.raises(MaskTurnedError, match=r"50x70, the frame is 70x50\. It fits the frame turned.*mask\.T"):
        started(network, 1).correct(mask(1).T.copy())


def test_an_object_announced_before_it_is_seen(network):
    segmenter = started(network, 1)
    result = segmenter.correct(np.zeros(SIZE, np.uint8), objects=iter([np.int64(8)]))
    assert 8 in result.lost
    check(result, {1, 8})
    check(segmenter.step(frame(1)), {1, 8})


def test_objects_are_removed(network):
    segmenter = started(network, 1, 2, 3)
    segmenter.step(frame(1))
    segmenter.remove(2)
    check(segmenter.step(frame(2)), {1, 3})
    with pytest.raises(MaskError, match="no object 2"):
        segmenter.remove(2)
    corrected = segmenter.correct(mask(3))
    check(corrected, {1, 3})


def test_remove_gives_pixels_to_the_background(network):
    segmenter = started(network, 1, 2)
    segmenter.remove(2)
    result = segmenter.correct(mask(5, top=0.7))
    check(result, {1, 5})
    expected = np.where(mask(1, 2) == 1, 1, 0)
    assert np.array_equal(result.ids, np.where(mask(5, top=0.7) > 0, 5, expected))
    assert all(m.sum(0).sub(1).abs().max() < 1e-5 for r in segmenter._bank.references for m in r.masks)


def test_all_removed_and_another_added(network):
    segmenter = started(network, 1, 2)
    segmenter.step(frame(1))
    segmenter.remove(1)
    segmenter.remove(2)
    for t in range(2, 8):
        result = segmenter.step(frame(t))
        check(result, set())
        assert not result.ids.any() and result.index == t
    put = mask(2, 90)
    result = segmenter.correct(put)
    assert np.array_equal(result.ids, put)
    for t in range(8, 11):
        check(segmenter.step(frame(t)), {2, 90})


def test_channels_do_not_matter(mobile):
    """The same objects by other ids, in another order, and with one removed before the first step, answer the same."""
    plain, other = started(mobile, 1, 2), started(mobile, 90, 50)
    detour = started(mobile, 1, 7, 2)
    detour.start(frame(0), mask(1, 2))
    for t in range(1, 4):
        a, b, c = plain.step(frame(t)), other.step(frame(t)), detour.step(frame(t))
        assert same(a, c)
        for one, two in ((1, 90), (2, 50)):
            np.testing.assert_allclose(a.probability(one), b.probability(two), atol=1e-4)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.just(())),
        st.tuples(st.just("correct"), st.lists(st.integers(1, 255), min_size=1, max_size=3, unique=True)),
        st.tuples(st.just("absent"), st.lists(st.integers(1, 255), min_size=1, max_size=2, unique=True)),
        st.tuples(st.just("remove"), st.integers(0, 9)),
        st.tuples(st.just("refused"), st.integers(0, 5)),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(todo=actions)
def test_any_sequence_of_calls(network, todo):
    segmenter = started(network, 4, config=dataclasses.replace(SMALL, short_side=32, memory_every=2, memory_frames=2))
    ids, given_on, t = {4}, {0}, 0
    for what, how in todo:
        if what == "step":
            t += 1
            check(segmenter.step(frame(t)), ids)
        elif what in ("correct", "absent"):
            ids |= set(how)
            put = mask(*how) if what == "correct" else np.zeros(SIZE, np.uint8)
            result = segmenter.correct(put, how)
            check(result, ids)
            given_on.add(t)
            assert all(np.array_equal(result.ids == i, put == i) for i in how)
        elif what == "remove" and ids:
            gone = sorted(ids)[how % len(ids)]
            segmenter.remove(gone)
            ids -= {gone}
        elif what == "refused":
            with pytest.raises(CamnError):
                REFUSED[how](segmenter)
        assert set(segmenter.objects) == ids and segmenter.index == t
        assert {*given_on, t} <= set(segmenter.remembered) and len(segmenter.remembered) <= len(given_on) + 3


# --- what is refused -------------------------------------------------------------------------------------------------

REFUSED = (
    lambda s: s.step(frame(1, (20, 20))),
    lambda s: s.step(frame(1).astype(np.float32)),
    lambda s: s.correct(np.zeros(SIZE, np.uint8)),
    lambda s: s.correct(mask(1, size=(20, 20))),
    lambda s: s.remove(0),
    lambda s: s.start(frame(0), np.zeros(SIZE, np.uint8)),
)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (frame(0)[..., 0], r"\(H, W, 3\) of uint8 in RGB; this one is uint8 \(50, 70\)"),
        (frame(0).astype(np.float32) / 255, "this one is float32"),
        (frame(0).astype(np.uint16), "this one is uint16"),
        (np.zeros((*SIZE, 4), np.uint8), r"uint8 \(50, 70, 4\)"),
        (frame(0).transpose(2, 0, 1), "this one is uint8"),
        (frame(0).tolist(), "this one is list"),
        (torch.zeros(*SIZE, 3), "this one is Tensor"),
        (None, "this one is NoneType"),
        (np.zeros((0, 70, 3), np.uint8), "empty"),
    ],
)
def test_frames_that_are_none(mobile, bad, said):
    segmenter = Segmenter(mobile, SMALL)
    with pytest.raises(VideoError, match=said):
        segmenter.start(bad, mask(1))
    segmenter.start(frame(0), mask(1))
    with pytest.raises(VideoError, match=said):
        segmenter.step(bad)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (mask(1, size=(70, 50)), "the mask is 50x70, the frame is 70x50"),
        (mask(1)[None], r"array \(H, W\)"),
        (mask(1).astype(np.float32), "float32"),
        (mask(1).astype(np.uint16) * 300, r"ids are 1\.\.255.*0\.\.300"),
        (-mask(1).astype(np.int64), r"-1\.\.0"),
        (mask(1).tolist(), "array"),
        (None, "array"),
        (np.zeros((0, 0), np.uint8), "array"),
        (np.zeros(SIZE, np.uint8), "no object"),
    ],
)
def test_masks_that_are_none(mobile, bad, said):
    segmenter = Segmenter(mobile, SMALL)
    with pytest.raises(MaskError, match=said):
        segmenter.start(frame(0), bad)
    assert segmenter.index == -1
    segmenter.start(frame(0), mask(1))
    with pytest.raises(MaskError, match=said):
        segmenter.correct(bad)


def test_calls_before_start(mobile):
    segmenter = Segmenter(mobile, SMALL)
    with pytest.raises(VideoError, match="step before start"):
        segmenter.step(frame(0))
    with pytest.raises(VideoError, match="correct before start"):
        segmenter.correct(mask(1))
    with pytest.raises(MaskError, match="no object 1"):
        segmenter.remove(1)
    assert segmenter.remembered == [] and segmenter.index == -1


@pytest.mark.parametrize(
    "refused",
    [
        lambda s: s.start(frame(0), np.zeros(SIZE, np.uint8)),
        lambda s: s.start(frame(0), mask(1, size=(20, 20))),
        lambda s: s.start(frame(0).astype(float), mask(1)),
        lambda s: s.step(frame(0, (20, 20))),
        lambda s: s.step(None),
        lambda s: s.correct(mask(9, size=(20, 20))),
        lambda s: s.correct(mask(9), objects=[300]),
        lambda s: s.correct(mask(9), objects=[0]),
        lambda s: s.correct(mask(9), objects=["dog"]),
        lambda s: s.correct(mask(9).astype(float)),
        lambda s: s.correct(np.zeros(SIZE, np.uint8)),
        lambda s: s.remove(9),
    ],
)
def test_a_refused_call_changes_nothing(mobile, refused):
    segmenter, twin = started(mobile, 1, 2), started(mobile, 1, 2)
    for one in (segmenter, twin):
        one.step(frame(1))
    with pytest.raises(CamnError):
        refused(segmenter)
    check_same_from_here(segmenter, twin)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        *(("start", part) for part in ("encode", "label", "remember")),
        *(("step", part) for part in ("encode", "match", "decode", "label", "remember")),
        *(("correct", part) for part in ("label", "remember")),
    ],
)
def test_a_call_that_runs_out_of_memory_changes_nothing(mobile, monkeypatch, call, part):
    segmenter, twin = started(mobile, 1, 2), started(mobile, 1, 2)

    def fail(*_):
        raise torch.OutOfMemoryError("no more")

    calls = {
        "start": lambda: segmenter.start(frame(5, (40, 40)), mask(9, size=(40, 40))),
        "step": lambda: segmenter.step(frame(1)),
        "correct": lambda: segmenter.correct(mask(9)),
    }
    with monkeypatch.context() as patch, pytest.raises(torch.OutOfMemoryError):
        patch.setattr(segmenter.network, part, fail)
        calls[call]()
    check_same_from_here(segmenter, twin)


def test_a_removal_that_runs_out_of_memory_changes_nothing(mobile, monkeypatch):
    segmenter, twin = started(mobile, 1, 2), started(mobile, 1, 2)

    def fail(*_):
        raise torch.OutOfMemoryError("no more")

    with monkeypatch.context() as patch, pytest.raises(torch.OutOfMemoryError):
        patch.setattr("camn.inference.segmenter._without", fail)
        segmenter.remove(1)
    check_same_from_here(segmenter, twin)


def check_same_from_here(segmenter: Segmenter, twin: Segmenter) -> None:
    assert segmenter.index == twin.index and segmenter.objects == twin.objects
    assert segmenter.remembered == twin.remembered
    assert same(segmenter.correct(mask(2, 4)), twin.correct(mask(2, 4)))
    for t in (2, 3):
        assert same(segmenter.step(frame(t)), twin.step(frame(t)))


@pytest.mark.parametrize("device", ("banana", "cuda:77", "cpu:x"))
def test_devices_that_are_not_there(device):
    with pytest.raises(ConfigError, match="cannot be used .*try auto or cpu"):
        resolve_device(device)
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


# --- arrays and tensors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", (bool, np.int64, np.int32, np.uint16, np.int8))
def test_masks_of_any_whole_type(network, dtype):
    a, b = Segmenter(network, SMALL), Segmenter(network, SMALL)
    first = a.start(frame(0), mask(1).astype(dtype))
    check(first, {1})
    assert same(first, b.start(frame(0), mask(1)))
    assert same(a.step(frame(1)), b.step(frame(1)))
    corrected = a.correct(mask(1, top=0.5).astype(dtype))
    check(corrected, {1})
    assert same(corrected, b.correct(mask(1, top=0.5)))


@pytest.mark.parametrize("size", ((50, 70), (65, 81)))  # to be resized, and of the work size
def test_strided_and_read_only_arrays(network, size):
    a, b = Segmenter(network, SMALL), Segmenter(network, SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for t in range(3):
            picture, ids = frame(t, size), mask(1, 9, size=size)
            turned = np.asfortranarray(picture[::-1, ::-1])[::-1, ::-1]
            locked = picture.copy()
            locked.setflags(write=False)
            odd = np.repeat(ids, 2, 1)[:, ::2]
            odd.setflags(write=False)
            if t == 0:
                assert same(a.start(turned, odd), b.start(locked, ids))
            else:
                assert same(a.step(turned), b.step(locked))
                assert same(a.correct(odd), b.correct(ids))


@pytest.mark.parametrize("size", (SIZE, (65, 81)))
def test_results_and_inputs_are_not_shared_with_the_segmenter(network, size):
    a, b = Segmenter(network, SMALL), Segmenter(network, SMALL)
    for t in range(4):
        given = mask(1, 2, size=size) if t == 0 else mask(2, size=size, top=0.5)
        picture = frame(t, size)
        results = [a.start(picture, given) if t == 0 else a.step(picture)]
        expected = [b.start(frame(t, size), given.copy()) if t == 0 else b.step(frame(t, size))]
        if t == 2:
            results.append(a.correct(given))
            expected.append(b.correct(given.copy()))
        assert all(same(x, y) for x, y in zip(results, expected, strict=True))
        for spoilt in (picture, given, *(r.ids for r in results), *(r.probability(1) for r in results)):
            spoilt[...] = 7
    kept = b.start(frame(0, size), mask(1, 2, size=size))
    before = kept.ids.copy(), kept.probability(2).copy()
    b.correct(mask(2, size=size, top=0.6))
    b.remove(1)
    b.step(frame(1, size))
    assert np.array_equal(kept.ids, before[0]) and np.array_equal(kept.probability(2), before[1])
    with pytest.raises(MaskError, match="no object 77"):
        kept.probability(77)


@pytest.mark.parametrize("around", (torch.enable_grad, torch.no_grad, torch.inference_mode))
def test_gradients_are_never_recorded(network, around):
    plain = started(network, 1)
    expected = [plain.step(frame(1)), plain.correct(mask(1, 3)), plain.step(frame(2))]
    with around():
        segmenter = started(network, 1)
        results = [segmenter.step(frame(1)), segmenter.correct(mask(1, 3)), segmenter.step(frame(2))]
        assert all(same(a, b) for a, b in zip(results, expected, strict=True))
    assert all(not r._probabilities.requires_grad for r in results)
    assert all(same(a, b) for a, b in zip(results, expected, strict=True))
    assert all(not t.requires_grad and t.grad_fn is None for t in held(segmenter))


def test_the_network_can_still_be_trained(mobile):
    network = Camn(mobile.config)
    started(network, 1).step(frame(1))
    assert all(p.requires_grad for p in network.parameters() if p.is_leaf)
    network.encode(torch.rand(1, 3, 33, 33)).maps[-1].sum().backward()


# --- memory ----------------------------------------------------------------------------------------------------------


def held(segmenter: Segmenter) -> list[torch.Tensor]:
    """All tensors that can be reached from a segmenter, but for its network's."""
    found, seen, todo = [], {id(segmenter.network)}, [segmenter]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            found.append(one)
        elif isinstance(one, (list, tuple)):
            todo += one
        elif hasattr(one, "__dict__"):
            todo += vars(one).values()
    return found


def bytes_held(segmenter: Segmenter) -> tuple[int, int]:
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in held(segmenter)}
    return len(held(segmenter)), sum(storages.values())


def test_memory_is_flat(network):
    segmenter = started(network, 1, 2, config=FLAT)
    length = 160 if network.config.name == "camn-mobile" else 100
    sizes = []
    for t in range(1, length + 1):
        # Nothing is called lost or doubtful, so that each frame is remembered for either object.
        segmenter.accept(segmenter.predict(frame(t)), mask(1, 2))
        assert len(segmenter.remembered) <= 1 + 4 + 1
        sizes.append(bytes_held(segmenter))
    early, late = sizes[20:60], sizes[-40:]
    assert {count for count, _ in early} == {count for count, _ in late}
    # Of an object's edge a memory keeps as much as the object has of it, which differs a little from frame to frame.
    assert max(size for _, size in late) <= 1.05 * max(size for _, size in early)


def test_memory_is_flat_while_objects_come_and_go(mobile):
    segmenter = started(mobile, 1, config=FLAT)
    sizes = []
    for _ in range(12):
        segmenter.correct(mask(1, 2))  # the same frame: its own place
        segmenter.remove(2)
        sizes.append(bytes_held(segmenter))
    assert len(set(sizes[1:])) == 1


def test_what_is_in_doubt_is_neither_remembered_nor_matched_against(mobile):
    doubtful = Result(1, np.zeros((2, 2), np.uint8), {3: 0.95, 7: 0.6}, frozenset(), torch.ones(1, 1, 1), ObjectIds())
    lost = dataclasses.replace(doubtful, lost=frozenset({7}))
    wary = InferenceConfig(short_side=64, memory_every=1)
    assert started(mobile, 1, config=wary).doubts(doubtful) == {7} and not started(mobile, 1).doubts(doubtful)
    assert not started(mobile, 1, config=wary).doubts(lost)  # which is another matter
    picture = [frame(t) for t in range(4)]
    answers, held = [], []
    for above in (0, 1):
        segmenter = started(mobile, 1, 2, config=dataclasses.replace(wary, match_above=above))
        answers.append([segmenter.step(p) for p in picture[1:]])
        held.append(segmenter.remembered)
    assert same(answers[0][0], answers[1][0]) and not same(answers[0][2], answers[1][2])
    assert held == [[0, 1, 2, 3], [0, 3]]
    never = started(mobile, 1, 2, config=dataclasses.replace(wary, match_above=0, memory_frames=0))
    assert all(same(never.step(p), answer) for p, answer in zip(picture[1:], answers[1], strict=True))


@pytest.mark.parametrize(("why", "matched"), [("doubtful", [0]), ("lost", [0, 1])])
def test_what_is_in_doubt_of_one_object_only_is_remembered_for_the_other(mobile, why, matched):
    """It is not matched against: where one object may be wrong, so may be the background of the other."""
    segmenter = started(mobile, 3, 7, config=dataclasses.replace(SMALL, memory_every=1, matched_frames=3))

    def step(t: int, unsure: set[int]) -> None:
        segmenter.accept(segmenter.predict(frame(t)), mask(3, 7), **{why: unsure})

    step(1, {7})
    step(2, {3, 7})
    assert segmenter.remembered == [0, 1, 2]  # the last one as the previous frame
    step(3, set())
    assert segmenter.remembered == [0, 1, 3]
    masks = [seen.masks[0] for seen in segmenter._bank.to_match()]
    assert len(masks) == len(matched) + 1
    _, partly, whole = segmenter._bank.entries()
    assert isinstance(partly, SharedEntry) and isinstance(whole, SharedEntry)
    assert [own is None for own in partly.own] == [False, True] and None not in whole.own


def test_no_memory_but_the_users_frames(network):
    segmenter = started(network, 1, config=InferenceConfig(short_side=32, memory_frames=0))
    for t in range(1, 12):
        segmenter.step(frame(t))
    assert segmenter.remembered == [0, 11]


# --- shipped weights -------------------------------------------------------------------------------------------------


def square(t: int, size: tuple[int, int] = (240, 320)) -> tuple[np.ndarray, np.ndarray]:
    """A striped square that moves over a smooth ground, and its mask."""
    y, x = np.mgrid[: size[0], : size[1]]
    ground = np.stack([60 + 40 * np.sin(x / 37), 110 + 30 * np.cos(y / 23), 80 + 20 * np.sin((x + y) / 51)], -1)
    top, left = 60 + 4 * t, 50 + 8 * t
    inside = (y >= top) & (y < top + 80) & (x >= left) & (x < left + 80)
    stripes = np.where((((y - top) // 10) % 2)[..., None] > 0, (230, 60, 40), (240, 200, 60))
    return np.where(inside[..., None], stripes, ground).astype(np.uint8), inside.astype(np.uint8)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture(scope="module")
def shipped() -> AnySegmenter:
    if "camn-mobile" not in weights.shipped():
        pytest.skip("camn-mobile's weights are not shipped with this checkout")
    return camn.load("camn-mobile", device="cpu", short_side=240)


def test_shipped_weights_follow_a_moving_square(shipped):
    picture, ids = square(0)
    shipped.start(picture, ids * 77)
    for t in range(1, 11):
        result = shipped.step(square(t)[0])
    assert overlap(result.ids == 77, square(10)[1] == 1) > 0.8
    assert result.confidence[77] > 0.8 and not result.lost


def test_shipped_weights_tell_an_object_that_left_and_take_it_up_again(shipped):
    ground = square(-100)[0]
    shipped.start(square(0)[0], square(0)[1] * 9)
    for t in range(1, 4):
        shipped.step(square(t)[0])
    for _ in range(4):
        gone = shipped.step(ground)
    assert (gone.ids == 9).mean() < 0.01
    for t in range(4, 8):
        back = shipped.step(square(t)[0])
    assert overlap(back.ids == 9, square(7)[1] == 1) > 0.7


# --- frames uploaded ahead -------------------------------------------------------------------------------------------


def test_frames_uploaded_ahead_give_the_same(network):
    """Two frames ahead, by another thread, as a job does it."""
    plain, ahead = started(network, 1, 2), Segmenter(network, SMALL)
    with ThreadPoolExecutor(1) as thread:
        uploads = [thread.submit(ahead.upload, frame(index)) for index in range(4)]
        ahead.start(uploads[0].result(), mask(1, 2))
        for index, upload in enumerate(uploads[1:], 1):
            ours, theirs = ahead.step(upload.result()), plain.step(frame(index))
            np.testing.assert_array_equal(ours.probability(2), theirs.probability(2))


def test_a_frame_is_encoded_once_for_all_that_follow_objects_on_it(mobile):
    """Each goes on from it as from the frame itself."""
    stages: list[str] = []

    def clock(stage):
        stages.append(stage)
        return nullcontext()

    first = Segmenter(mobile, SMALL, clock=clock)
    pairs = [(copy(first), 1, started(mobile, 1)), (copy(first), 2, started(mobile, 2))]
    for index in range(3):
        shared = first.encode(frame(index))
        for ours, id, theirs in pairs:
            if not index:
                ours.start(shared, mask(id))
            else:
                np.testing.assert_array_equal(
                    ours.step(shared).probability(id), theirs.step(frame(index)).probability(id)
                )
    assert stages.count("encode") == 3


def test_uploaded_frames_are_checked(mobile):
    segmenter = started(mobile, 1)
    with pytest.raises(VideoError, match="uint8 in RGB"):
        segmenter.upload(np.zeros((4, 5), np.uint8))
    with pytest.raises(VideoError, match="frame 1 is 90x80, those before it are 70x50"):
        segmenter.step(segmenter.upload(frame(1, (80, 90))))
    with pytest.raises(VideoError, match="upload it by this one"):
        segmenter.step(Segmenter(mobile, InferenceConfig(short_side=32)).upload(frame(1)))
    with pytest.raises(VideoError, match="encoded by another network"):
        segmenter.step(Segmenter(deepcopy(mobile), SMALL).encode(frame(1)))
    assert segmenter.step(segmenter.upload(frame(1))).index == 1


def test_masks_come_to_the_work_size_object_by_object(network):
    """One channel at the frame's size at a time: the same as of all together."""
    ids = np.random.default_rng(0).integers(0, 5, (97, 145)).astype(np.uint8) * 50
    objects = ObjectIds((50, 200, 100, 150))
    for side in (32, 64, 128, 256):  # smaller than the frame, and larger
        segmenter = Segmenter(network, InferenceConfig(short_side=side))
        whole = objects.one_hot(ids)
        size = segmenter.work_size(ids.shape)
        if not network.hard_masks:
            smaller = size[0] <= ids.shape[0]
            whole = area(whole[None], size)[0] if smaller else F.interpolate(whole[None], size, mode="bilinear")[0]
        assert torch.equal(segmenter._as_probabilities(objects, ids), whole.clamp(0, 1))


MANY = """
import resource, numpy as np, camn
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
frame, mask = np.zeros((1080, 1920, 3), np.uint8), np.zeros((1080, 1920), np.uint8)
for id in range(90):
    mask[12 * id : 12 * id + 12, 40:1800] = id + 1
segmenter = camn.load("camn-mobile", device="cpu", backend="eager", short_side=64)
segmenter.start(frame[::10, ::10], mask[::10, ::10])
before = peak()
segmenter.start(frame, mask)
print(peak() - before)
"""


def test_many_objects_on_a_large_frame_take_little_memory():
    """All 91 channels at the frame's size would be 720 MiB, and were once."""
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 450


def test_slim_results(mobile):
    result = started(mobile, 3, 5).step(frame(1))
    slim = result.slim()
    assert np.array_equal(slim.ids, result.ids) and slim.confidence == result.confidence and slim.lost == result.lost
    assert result.probability(3).shape == SIZE
    with pytest.raises(CamnError, match="slim"):
        slim.probability(3)
    with pytest.raises(MaskError, match="no object 4"):
        slim.probability(4)
