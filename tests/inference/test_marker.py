"""Marking on a frame: what is asked, taken back, refused."""

import numpy as np
import pytest
import torch

from camn import weights
from camn.config import InferenceConfig, click_preset
from camn.errors import MaskError, VideoError
from camn.inference import Segmenter
from camn.inference.marker import Marker
from camn.masks.marks import MOST_CLICKS
from camn.model.build import build_network
from camn.model.clicks import ClickNetwork

SIZE = (96, 128)


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    rng = np.random.default_rng(0)
    found = rng.integers(0, 60, (*SIZE, 3), np.uint8)
    found[30:60, 40:80] += 150
    return found


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    read = weights.read("camn-mobile")
    network = build_network(read.config)
    network.load_state_dict(read.state)
    return Segmenter(network, InferenceConfig(short_side=81, backend="eager"))


@pytest.fixture
def marker(segmenter, frame) -> Marker:
    torch.manual_seed(0)
    found = Marker(ClickNetwork(click_preset("camn-mobile-clicks")), segmenter)
    found.look(frame)
    return found


def test_an_answer(marker, frame):
    answer = marker.click(60, 45)
    assert answer.probability.shape == SIZE and answer.probability.dtype == np.float32
    assert answer.probability.min() >= 0 and answer.probability.max() <= 1
    assert len(answer.candidates) == 3 and answer.score == answer.candidates[0].score
    assert [c.score for c in answer.candidates] == sorted((c.score for c in answer.candidates), reverse=True)
    assert (answer.mask == (answer.probability > 0.5)).all()
    assert len(marker.click(20, 20, positive=False).candidates) == 1
    assert np.array_equal(np.unique(marker.ids > 0), np.unique(marker.ids) > 0)


def test_the_same_questions_have_the_same_answers_and_undo_takes_back_one(marker, frame):
    first = marker.click(60, 45)
    second = marker.click(62, 50, positive=False)
    third = marker.box(30, 20, 90, 70)
    assert marker.undo() is second
    again = marker.box(90, 70, 30, 20)  # corners in any order
    np.testing.assert_array_equal(again.probability, third.probability)
    marker.undo()
    assert marker.undo() is first
    assert marker.undo() is None
    assert not marker.ids.any()
    with pytest.raises(MaskError, match="take back"):
        marker.undo()


def test_a_candidate_is_what_the_next_click_begins_from(marker):
    first = marker.click(60, 45)
    other = marker.choose(2)
    assert other.probability is first.candidates[2].probability and other.candidates is first.candidates
    after = marker.click(10, 10, positive=False)
    marker.undo()
    marker.choose(0)
    assert not np.array_equal(marker.click(10, 10, positive=False).probability, after.probability)
    with pytest.raises(MaskError):
        marker.choose(1)


def test_objects_are_marked_apart(marker):
    mask = np.zeros(SIZE, bool)
    mask[10:20, 10:20] = True
    marker.mask(mask, object=7)
    later = np.zeros(SIZE, np.uint8)
    later[15:40, 15:40], later[60:70, 60:70] = 9, 3
    marker.mask(later, object=9)
    ids = marker.ids
    assert set(np.unique(ids)) == {0, 7, 9} and (ids[10:20, 10:20] == 7).all() and (ids[20:40, 20:40] == 9).all()
    marker.forget(7)
    assert 7 not in marker.ids
    half = np.full(SIZE, 0.25, np.float32)
    half[:5] = 0.75
    assert (marker.mask(half, object=7).mask == (half > 0.5)).all()


def test_a_click_corrects_a_mask(marker):
    mask = np.zeros(SIZE, bool)
    mask[30:60, 40:80] = True
    marker.mask(mask)
    assert len(marker.click(45, 35).candidates) == 1


@pytest.mark.parametrize("x, y", [(-1, 5), (128, 5), (5, 96), (5, -0.5), (float("nan"), 5), (float("inf"), 1)])
def test_outside_of_the_frame(marker, x, y):
    with pytest.raises(MaskError, match=r"128x96: x is 0\.\.127, y 0\.\.95"):
        marker.click(x, y)
    with pytest.raises(MaskError):
        marker.box(x + (x == SIZE[1]), y + (y == SIZE[0]), 50, 50)  # boxes may end at the frame's width and height
    assert not marker.ids.any()


def test_what_cannot_be_asked_changes_nothing(marker):
    with pytest.raises(MaskError, match="only where the object is not"):
        marker.click(5, 5, positive=False)
    answer = marker.click(60, 45)
    for wrong, said in (
        (lambda: marker.click(60, 45, positive=False), "opposite"),
        (lambda: marker.box(5, 5, 5, 50), "no area"),
        (lambda: marker.mask(np.zeros(SIZE, bool)), "nothing of object 1"),
        (lambda: marker.mask(np.ones((5, 5), bool)), "the frame"),
        (lambda: marker.mask([[1]]), "list"),  # type: ignore[arg-type]
        (lambda: marker.click(1, 1, object=0), "ids are"),
        (lambda: marker.click(1, 1, object=300), "ids are"),
        (lambda: marker.click(1, 1, object="a"), "ids are"),  # type: ignore[arg-type]
    ):
        with pytest.raises(MaskError, match=said):
            wrong()
    np.testing.assert_array_equal(marker.ids > 0, answer.mask)


def test_clicks_are_bounded(marker, monkeypatch):
    monkeypatch.setattr("camn.masks.marks.MOST_CLICKS", 3)
    assert MOST_CLICKS == 100
    for at in range(3):
        marker.click(10 * at, 5)
    with pytest.raises(MaskError, match="more than 3 clicks"):
        marker.click(50, 5)


def test_a_frame_comes_first_and_must_be_one(segmenter, marker, frame):
    empty = Marker(ClickNetwork(click_preset("camn-mobile-clicks")), segmenter)
    for call in (lambda: empty.click(1, 1), lambda: empty.ids, lambda: empty.box(1, 1, 5, 5)):
        with pytest.raises(VideoError, match="look"):
            call()
    marker.click(60, 45)
    with pytest.raises(VideoError):
        marker.look(frame[..., 0])
    assert marker.ids.shape == SIZE
    marker.look(frame)
    assert not marker.ids.any()


def test_marking_leaves_what_is_followed_as_it_was(segmenter, marker, frame):
    mask = np.zeros(SIZE, np.uint8)
    mask[30:60, 40:80] = 1
    segmenter.start(frame, mask)
    expected = segmenter.step(frame).ids
    segmenter.start(frame, mask)
    marker.look(frame)
    marker.click(60, 45)
    np.testing.assert_array_equal(segmenter.step(frame).ids, expected)


def test_where_another_object_was_clicked_this_one_is_not(marker, frame):
    marker.click(60, 45)
    after = marker.click(20, 20, object=2).probability
    marker.forget(1)
    marker.forget(2)
    marker.click(20, 20, object=2)
    alone = marker.undo(2)
    assert alone is None
    told = marker.ask([(20, 20, True), (60, 45, False)], object=2)
    assert not np.array_equal(after, marker.click(20, 21, object=3).probability)
    assert told.score and len(told.candidates) == 1
    marker.forget(2)
    marker.forget(3)
    marker.click(20, 20)  # the same pixel may be clicked for both
    marker.click(20, 20, object=2)


def test_a_click_is_on_the_pixel_in_which_it_lies(marker):
    """Up to the last one of a row, in all that is made of it."""
    for x in (60, 127):
        ways = []
        for part in (0, 0.4, 0.9):
            first = marker.click(x + part, 45 + part)
            ways.append((first.probability, marker.click(20 + part, 20 + part, positive=False).probability))
            marker.click(x + part, 45, object=2)  # the same pixel: where the first was clicked this one may be
            assert not marker._others(2, marker._last(2))
            marker.forget(1)
            marker.forget(2)
        for other in ways[1:]:
            np.testing.assert_array_equal(other, ways[0])


def test_a_part_of_the_frame_is_seen_as_the_frame_was(marker):
    whole = marker._whole
    part = marker._part((30, 20, 70, 60))
    x0, y0, x1, y1 = part.area
    assert x0 <= 30 and y0 <= 20 and x1 >= 70 and y1 >= 60 and all(side % 16 == 1 for side in part.size)
    down, across = whole.size[0] / SIZE[0], whole.size[1] / SIZE[1]
    for group, cut in ((whole.embedding.maps, part.embedding.maps), (whole.embedding.low, part.embedding.low)):
        for large, small in zip(group, cut, strict=True):
            stride = (whole.size[0] - 1) // (large.shape[2] - 1)
            assert small.shape[2:] == tuple((side - 1) // stride + 1 for side in part.size)
            row, column = round(y0 * down) // stride, round(x0 * across) // stride
            assert torch.equal(small[0, :, 0, 0], large[0, :, row, column])
    everything = marker._part((0, 0, SIZE[1], SIZE[0]))
    assert everything.size == whole.size and everything.area == whole.area


def test_what_a_click_changes_is_asked_about_once_more(marker, monkeypatch):
    asked = []
    monkeypatch.setattr("camn.inference.marker.changed", lambda *about: asked.append(about))
    marker.click(60, 45)
    marker.box(30, 20, 90, 70)
    assert not asked  # nothing was there to be changed, or nothing was clicked
    marker.forget()
    marker.click(60, 45)
    marker.click(20, 20, positive=False)
    ((before, now, click, scale, size),) = asked
    assert click == (20, 20, False) and size == SIZE and scale == pytest.approx(81 / 96)
    assert before.dtype == now.dtype == bool


def test_what_is_settled_is_not_taken_back(marker, frame):
    """And takes no room; what the frame takes does not grow by what is asked."""
    taken = marker.nbytes
    assert taken > frame.nbytes
    marker.click(60, 45)
    second = marker.click(62, 50, positive=False)
    marker.settle()
    with pytest.raises(MaskError, match="nothing of object 1"):
        marker.undo()
    marker.click(50, 40)
    assert marker.undo() is second and marker.nbytes == taken
    marker.settle(7)  # of one that is not marked nothing happens


def test_of_many_answers_the_last_are_kept_and_those_before_are_asked_anew(marker, monkeypatch):
    """And are the same, whatever was marked meanwhile."""
    held = np.zeros(SIZE, bool)
    held[30:60, 40:80] = True
    steps = (
        lambda: marker.click(60, 45) and marker.choose(2),
        lambda: marker.click(20, 20, positive=False),
        lambda: (marker.click(100, 80, object=2), marker.click(45, 35))[1],
        lambda: marker.box(30, 20, 90, 70),
        lambda: marker.click(62, 50, rough=True),
        lambda: marker.mask(held),
        lambda: marker.click(44, 31, positive=False),
        lambda: marker.ask([(60, 45, True), (10, 10, False)]),
        lambda: marker.click(70, 50),
    )
    monkeypatch.setattr("camn.inference.marker.ROOM", 0)
    given = [step() for step in steps]
    expected = [(one.probability.copy(), one.score, len(one.candidates)) for one in given]
    assert [one.answer is given[i] for i, one in enumerate(marker._objects[1][1:])] == [False] * 7 + [True] * 2
    assert not any(one.answer or one.close for one in marker._objects[1][:8])
    marker.forget(2)
    for probability, score, candidates in reversed(expected[:-1]):
        answer = marker.undo()
        np.testing.assert_array_equal(answer.probability, probability)
        assert answer.score == score and len(answer.candidates) == candidates
        assert sum(one.answer is not None for one in marker._objects[1]) <= 2
    assert marker.undo() is None and not marker.ids.any()


def test_what_was_taken_back_changes_no_later_answer(marker):
    """Not even by what was looked at more closely for it."""
    held = np.zeros(SIZE, bool)
    held[30:60, 40:80] = True
    marker.mask(held)
    expected = marker.click(62, 50)
    marker.undo()
    marker.box(30, 22, 90, 68)
    marker.undo()
    np.testing.assert_array_equal(marker.click(62, 50).probability, expected.probability)


def test_what_is_only_pointed_at_changes_no_later_answer(marker):
    first = marker.click(60, 45)
    second = marker.click(20, 20, positive=False)
    marker.undo()
    rough = marker.click(20, 20, positive=False, rough=True)
    assert len(rough.candidates) == 1 and rough.probability.shape == SIZE
    marker.undo()
    np.testing.assert_array_equal(marker.click(20, 20, positive=False).probability, second.probability)
    marker.forget()
    pointed = marker.click(60, 45, rough=True)
    assert len(pointed.candidates) == 1
    marker.forget()
    np.testing.assert_array_equal(marker.click(60, 45).probability, first.probability)


def test_of_a_box_alone_nothing_lies_far_outside_of_it(marker):
    answer = marker.box(40, 30, 80, 60)
    outside = np.ones(SIZE, bool)
    outside[27:64, 36:85] = False
    assert answer.probability[outside].max() <= 0.5
