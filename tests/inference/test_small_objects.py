"""Small objects with the shipped model, on made clips whose truth is known."""

from copy import copy
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import camn
from camn.config import InferenceConfig, PostProcess
from camn.evaluation.jf import region_similarity
from camn.inference import Result, Segmenter
from camn.inference.crops import OnCrop
from camn.inference.postprocess import PostProcessor
from camn.inference.segmenter import Prediction
from camn.inference.small_objects import _pasted
from camn.inference.window import Window
from camn.masks import ObjectIds

SIZE = (720, 1280)
SMALL = PostProcess(track_loss=False, small_work=241, small_steady=1)  # quicker than the default
STRIPES = np.array([[[210, 60, 40], [250, 190, 60]], [[40, 90, 220], [90, 200, 230]]], np.uint8)  # red, blue


@cache
def loaded() -> Segmenter:
    return camn.load("camn-mobile", "cpu", InferenceConfig(short_side=144))


def fresh(short_side: int = 144) -> Segmenter:
    segmenter = copy(loaded())
    segmenter.config = replace(segmenter.config, short_side=short_side)
    return segmenter


def crops(side: int) -> Segmenter:
    assert side == SMALL.small_work
    return fresh(side)


@cache
def ground() -> np.ndarray:
    """A texture with detail of many sizes, dull."""
    rng = np.random.default_rng(3)
    layers = [
        cv2.resize(rng.random((SIZE[0] // cell + 2, SIZE[1] // cell + 2, 3)), SIZE[::-1], interpolation=cv2.INTER_CUBIC)
        for cell in (4, 12, 40, 120)
    ]
    return np.clip(60 + 35 * sum(layers), 0, 255).astype(np.uint8)


def scene(*places: tuple[int, int], diameter: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """(frame, ids): at each (y, x) a disc, the nth with id n + 1, striped so that it is not one colour."""
    frame, ids = ground().copy(), np.zeros(SIZE, np.uint8)
    for n, (y, x) in enumerate(places):
        disc = np.zeros(SIZE, np.uint8)
        cv2.circle(disc, (x, y), diameter // 2, 1, -1)
        stripes = STRIPES[n % 2][(np.arange(SIZE[1]) - x) // 3 % 2]
        frame = np.where(disc[..., None] > 0, stripes[None], frame)
        ids[disc > 0] = n + 1
    return frame, ids


def path(start: tuple[int, int], step: tuple[int, int], frames: int) -> list[tuple[int, int]]:
    return [(start[0] + t * step[0], start[1] + t * step[1]) for t in range(frames)]


class Runner:
    """A segmenter and a post-processor, as the api joins them."""

    def __init__(self, config: PostProcess):
        self.main, self.post = fresh(), PostProcessor(config, crops)

    def start(self, frame: np.ndarray, ids: np.ndarray) -> None:
        self.main.start(frame, ids)
        self.post.given(0, frame, self.main.objects, ids)

    def step(self, frame: np.ndarray) -> np.ndarray:
        found, index = self.main.predict(frame), self.main.index + 1
        mended = self.post(index, frame, self.main.objects, found.probabilities)
        torch.testing.assert_close(mended.sum(0), torch.ones(mended.shape[1:]))
        assert mended.min() >= 0
        ids = Result.of(index, self.main.objects, mended, frame.shape[:2]).ids
        self.main.accept(Prediction(found.embedding, mended), ids)
        return ids

    def correct(self, frame: np.ndarray, ids: np.ndarray) -> None:
        result = self.main.correct(ids)
        self.post.given(self.main.index, frame, self.main.objects, result.ids)

    def remove(self, id: int) -> None:
        self.main.remove(id)
        self.post.select(self.main.objects)


def overlaps(clip: list[tuple[np.ndarray, np.ndarray]], config: PostProcess) -> np.ndarray:
    """(frames - 1, objects): J of each after the first frame."""
    runner = Runner(config)
    runner.start(*clip[0])
    found = [(runner.step(frame), truth) for frame, truth in clip[1:]]
    objects = ObjectIds.of(clip[0][1])
    return np.array([[region_similarity(ids == i, truth == i) for i in objects] for ids, truth in found])


# --- with the shipped model ------------------------------------------------------------------------------------------


def test_an_object_of_12_pixels_is_followed():
    clip = [scene(place) for place in path((300, 400), (3, 8), 4)]
    without, found = overlaps(clip, PostProcess.off()), overlaps(clip, SMALL)
    assert found.mean() > 0.7 and found.mean() > without.mean() + 0.3


def test_several_at_once_also_near_each_other_and_at_the_edge():
    ways = path((300, 400), (3, 6), 3), path((310, 440), (3, 6), 3), path((8, 1270), (0, -6), 3)
    clip = [scene(*places) for places in zip(*ways, strict=True)]
    found = overlaps(clip, SMALL)
    assert found.min() > 0.6


def test_a_crop_that_lost_the_object_finds_it_where_the_whole_frame_has_it():
    objects, grid = ObjectIds((1,)), (144, 256)
    post = PostProcessor(SMALL, crops)
    frame, ids = scene((300, 400))
    post.given(0, frame, objects, ids)
    nothing = objects.one_hot(np.zeros(grid, np.uint8))
    frame, ids = scene((500, 900))  # far outside the crop
    there = objects.one_hot(cv2.resize(ids, grid[::-1], interpolation=cv2.INTER_AREA))
    assert torch.equal(post(1, frame, objects, there), there)
    found = Result.of(2, objects, post(2, frame, objects, nothing), SIZE)
    assert region_similarity(found.ids == 1, ids == 1) > 0.6
    frame, _ = scene((500, 900), diameter=50)  # many times as large at once: not to be believed
    assert torch.equal(post(3, frame, objects, there), there)


def test_corrections_removals_and_copies():
    clip = [scene((300, 400 + 6 * t), (500, 800 - 6 * t)) for t in range(4)]
    runner = Runner(SMALL)
    runner.start(clip[0][0], np.where(clip[0][1] == 1, clip[0][1], 0))
    runner.step(clip[1][0])
    runner.correct(*clip[1])  # the second object comes, and is small, too
    other = copy(runner.post)
    ids = runner.step(clip[2][0])
    assert all(region_similarity(ids == i, clip[2][1] == i) > 0.6 for i in (1, 2))
    runner.remove(1)
    ids = runner.step(clip[3][0])
    assert set(np.unique(ids)) == {0, 2} and region_similarity(ids == 2, clip[3][1] == 2) > 0.6
    objects = ObjectIds((1, 2))
    blank = objects.one_hot(np.zeros((241, 433), np.uint8))
    twice = [post(2, clip[2][0], objects, blank) for post in (copy(other), other)]
    assert torch.equal(*twice) and twice[0][1:].amax((1, 2)).min() > 0.5  # as if the calls above had not been


def test_a_large_object_is_left_to_the_main_network():
    post = PostProcessor(SMALL, lambda side: pytest.fail("no crop is needed"))
    frame, ids = scene((300, 400), diameter=140)
    objects = ObjectIds((1,))
    post.given(0, frame, objects, ids)
    for _ in range(2):
        probabilities = objects.one_hot(ids)
        assert post(1, frame, objects, probabilities) is probabilities


# --- which objects are small -----------------------------------------------------------------------------------------

ONE, GRID = ObjectIds((1,)), (144, 256)


def told(ids: np.ndarray, sure: float = 1.0) -> Tensor:
    """What a whole frame's prediction may be: the object of ids (H, W), its pixels with probability `sure`."""
    hot = ONE.one_hot(cv2.resize(ids, GRID[::-1], interpolation=cv2.INTER_NEAREST))
    return torch.stack([1 - sure * hot[1], sure * hot[1]])


def begun(diameter: int, **options: int) -> PostProcessor:
    post = PostProcessor(replace(SMALL, **options), crops)
    frame, ids = scene((300, 400), diameter=diameter)
    post.given(0, frame, ONE, ids)
    return post


def found_by_crops(post: PostProcessor, frame: np.ndarray, ids: np.ndarray) -> float:
    """J of the object on a frame of which the whole frame's prediction knows nothing."""
    answer = copy(post)(1, frame, ONE, told(0 * ids))
    return region_similarity(Result.of(1, ONE, answer, SIZE).ids == 1, ids == 1)


def test_an_object_that_becomes_small_is_taken_up_and_matched_against_its_given_mask():
    post, large, small = begun(140), scene((300, 400), diameter=140), scene((300, 500), diameter=30)
    for frame, ids in (large, small):
        there = told(ids)
        assert post(1, frame, ONE, there) is there  # the answer of the frame on which it is taken up stands
    moved = scene((306, 506), diameter=30)
    assert found_by_crops(post, *moved) > 0.6
    assert found_by_crops(begun(140), *moved) == 0


@pytest.mark.parametrize("place, sure", [((300, 500), 0.6), ((8, 500), 1.0), ((300, 1272), 1.0)])
def test_it_is_not_taken_up_where_it_is_doubtful_or_leaves(place, sure):
    post, (frame, ids) = begun(140), scene(place, diameter=30)
    post(1, frame, ONE, told(ids, sure))
    assert found_by_crops(post, frame, ids) == 0


def test_it_is_not_taken_up_in_parts():
    post, (frame, ids) = begun(140), scene((300, 500), diameter=60)
    ids[296:304] = 0  # a bar across it
    post(1, frame, ONE, told(ids))
    assert found_by_crops(post, frame, ids) == 0


@pytest.mark.parametrize(
    "diameters, taken",
    [
        ((40, 40), False),
        ((40, 40, 40), True),
        ((50, 45, 40), True),
        ((40, 40, 140, 40, 40), False),
        ((40, 40, 60), False),
    ],
)
def test_it_is_taken_up_when_it_was_small_for_some_frames(diameters, taken):
    """Not while something hides more and more of it: its area jumps."""
    post = begun(140, small_steady=3)
    for diameter in diameters:
        frame, ids = scene((300, 500), diameter=diameter)
        post(1, frame, ONE, told(ids))
    assert (found_by_crops(post, frame, ids) > 0.6) == taken


@pytest.mark.parametrize("gap, taken", [(0, False), (200, True)])
def test_it_is_not_taken_up_beside_another_object(gap, taken):
    both, post = ObjectIds((1, 2)), PostProcessor(SMALL, crops)
    frame, ids = scene((300, 400), (300, 800), diameter=140)
    post.given(0, frame, both, ids)
    frame, ids = scene((300, 500), diameter=60)
    ids[250:350, 530 + gap : 730 + gap] = 2
    grids = [both.one_hot(cv2.resize(x, GRID[::-1], interpolation=cv2.INTER_NEAREST)) for x in (ids, 0 * ids)]
    post(1, frame, both, grids[0])
    assert (post(2, frame, both, grids[1])[1].amax() > 0.5) == taken


def test_an_object_that_grows_leaves_its_crops_and_comes_back_when_it_shrinks():
    post = begun(60)
    for diameter in (60, 80, 110, 150):
        frame, ids = scene((300, 400), diameter=diameter)
        assert found_by_crops(post, frame, ids) > 0.6
        post(1, frame, ONE, told(ids))
    assert found_by_crops(post, frame, ids) == 0
    frame, ids = scene((300, 400), diameter=60)
    post(1, frame, ONE, told(ids))
    assert found_by_crops(post, frame, ids) > 0.6


@pytest.mark.parametrize("steady", [False, True])
def test_of_many_the_smallest_are_on_crops(steady):
    """Of three that become small together there is room for two; each run of a crop costs time."""
    three, places, small = ObjectIds((1, 2, 3)), ((200, 300), (200, 700), (500, 300)), (40, 20, 30)
    post = PostProcessor(replace(SMALL, small_most=2), crops)

    def picture(diameters: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        shown = [scene(place, diameter=d) for place, d in zip(places, diameters, strict=True)]
        frame = np.where((shown[1][1] > 0)[..., None], shown[1][0], shown[0][0])
        frame = np.where((shown[2][1] > 0)[..., None], shown[2][0], frame)
        return frame, sum(n * mask for n, (_, mask) in enumerate(shown, 1)).astype(np.uint8)

    frame, ids = picture((140, 140, 140) if steady else small)
    post.given(0, frame, three, ids)
    frame, ids = picture(small)
    hot = three.one_hot(cv2.resize(ids, GRID[::-1], interpolation=cv2.INTER_NEAREST))
    if steady:
        post(1, frame, three, hot)
    answer = post(2, frame, three, three.one_hot(np.zeros(GRID, np.uint8)))
    assert (answer[1:].amax((1, 2)) > 0.5).tolist() == [False, True, True]


def test_an_object_that_is_small_no_more_by_a_correction():
    post, (frame, ids) = begun(30), scene((300, 400), diameter=140)
    post.given(1, frame, ONE, ids)
    there = told(ids)
    assert post(2, frame, ONE, there) is there


# --- pasting ---------------------------------------------------------------------------------------------------------


def noise(channels: int, seed: int = 0, size: tuple[int, int] = (40, 60)) -> Tensor:
    return (3 * torch.randn(channels, *size, generator=torch.Generator().manual_seed(seed))).softmax(0)


@given(st.integers(0, 1000), st.integers(1, 3), st.booleans())
@settings(max_examples=20)
def test_pasting_keeps_a_distribution_and_what_is_outside(seed, count, whole):
    rng = np.random.default_rng(seed)
    probabilities = noise(4, seed)
    found = {}
    for channel in range(1, count + 1):
        window = Window.around((rng.random(), rng.random()), 0.5, (40, 60))
        found[channel] = OnCrop(window, rng.choice([0, 1, rng.random()], (20, 20)).astype(np.float32), whole)
    before, mended = probabilities.clone(), _pasted(probabilities, found)
    assert torch.equal(probabilities, before)
    torch.testing.assert_close(mended.sum(0), torch.ones(40, 60))
    assert mended.min() >= 0
    outside = ~np.any([one.window.inside((40, 60)) for one in found.values()], axis=0)
    if whole:
        assert mended[list(found)][:, outside].sum() == 0
    else:
        torch.testing.assert_close(mended[:, outside], before[:, outside], atol=1e-6, rtol=0)


def test_one_object_has_its_probability_and_the_others_share_the_rest():
    probabilities, window = noise(3), Window(5, 5, 20, (40, 60))
    values = np.random.default_rng(0).random((20, 20)).astype(np.float32)
    inner = np.s_[:, 10:20, 10:20]
    for whole in (False, True):
        new, old = _pasted(probabilities, {2: OnCrop(window, values, whole)})[inner], probabilities[inner]
        torch.testing.assert_close(new[2], torch.from_numpy(values[5:15, 5:15]), atol=1e-4, rtol=0)
        torch.testing.assert_close(new[0] / (new[0] + new[1]), old[0] / (old[0] + old[1]), atol=1e-3, rtol=0)


def test_there_is_no_seam():
    probabilities = torch.full((2, 40, 60), 0.5)
    found = {1: OnCrop(Window(5, 5, 30, (40, 60)), np.ones((30, 30), np.float32), whole=False)}
    mended = _pasted(probabilities, found)
    steps = mended[1].diff(dim=0).abs().amax(), mended[1].diff(dim=1).abs().amax()
    assert max(steps) < 0.2 and mended[1].max() > 0.99
