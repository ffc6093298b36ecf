"""The list of post-processing steps: what a new one takes, by a pretend step that is none of the package's."""

from copy import copy
from dataclasses import dataclass
from pkgutil import resolve_name

import numpy as np
import pytest
import torch
import tyro

import camn
from camn.config import PostProcess
from camn.config.postprocess import StepOptions, TrackLossOptions, within
from camn.errors import AnswerError, ConfigError
from camn.inference import Segmenter
from camn.inference.ensemble import Ensemble
from camn.inference.postprocess import PostProcessor, Step
from camn.inference.track_loss import TrackLoss
from camn.masks import ObjectIds

FRAME = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
IDS = np.zeros(FRAME.shape[:2], np.uint8)
IDS[10:20, 10:20], IDS[10:20, 40:50] = 3, 7
OBJECTS = ObjectIds.of(IDS)

# --- the pretend step: its options, itself, and its line in the list -------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class BlinkOptions(StepOptions):
    step = f"{__name__}:Blink"
    switch = "blink"

    blink: bool = False  # let objects vanish now and then
    blink_every: int = within(2, 1)  # on each so-manieth frame


class Blink(Step):
    """Lets every object vanish on each `blink_every`-th frame after the last on which the user gave masks."""

    config: BlinkOptions
    since, kept = 0, ()

    def given(self, index, frame, objects, ids, stated):
        self.since, self.kept = index, objects.ids

    def mended(self, index, frame, objects, probabilities):
        if (index - self.since) % self.config.blink_every:
            return probabilities
        return torch.cat([torch.ones_like(probabilities[:1]), torch.zeros_like(probabilities[1:])])

    def select(self, objects):
        self.kept = objects.ids


@dataclass(frozen=True, kw_only=True)
class Listed(PostProcess, BlinkOptions):
    track_loss: bool = False
    small_objects: bool = False


# --- what it is part of by that --------------------------------------------------------------------------------------


def none_needed(side: int) -> Segmenter:
    raise AssertionError("no object here is small")


def begun(config: PostProcess, ids: np.ndarray = IDS) -> PostProcessor:
    post = PostProcessor(config, none_needed)
    post.given(0, FRAME, ObjectIds.of(ids), ids)
    return post


def found(ids: np.ndarray) -> torch.Tensor:
    return OBJECTS.one_hot(ids) * 0.7 + 0.1


def empty(probabilities: torch.Tensor) -> bool:
    return bool((probabilities.argmax(0) == 0).all())


def test_it_is_run_only_where_it_is_on():
    assert Listed().enabled == PostProcess.off().enabled == ()
    assert Listed(blink=True).enabled == (BlinkOptions,)
    assert Listed(blink=True, track_loss=True).enabled == (TrackLossOptions, BlinkOptions)
    post = begun(Listed(blink=True))
    assert [empty(post(t, FRAME, OBJECTS, found(IDS))) for t in (1, 2, 3, 4)] == [False, True, False, True]
    post = begun(Listed())
    assert not any(empty(post(t, FRAME, OBJECTS, found(IDS))) for t in (1, 2, 3, 4))


def test_its_options_are_checked_and_are_options_of_the_commands():
    with pytest.raises(ConfigError, match="blink_every is 0: it must be 1 or more"):
        Listed(blink_every=0)
    with pytest.raises(ConfigError, match="track_window is 0: it must be 1 or more"):
        Listed(track_window=0)
    assert tyro.cli(Listed, args=["--blink", "--blink-every", "3"]) == Listed(blink=True, blink_every=3)


def test_an_opened_model_has_it():
    segmenter = camn.load("camn-mobile", "cpu", short_side=64, backend="eager", post=Listed(blink=True))
    segmenter.start(FRAME, IDS)
    assert [segmenter.step(FRAME).ids.any() for _ in range(4)] == [True, False, True, False]
    segmenter.remove(7)
    segmenter.correct(IDS, [3])
    assert [segmenter.step(FRAME).ids.any() for _ in range(2)] == [True, False]


def test_what_it_takes_away_is_background_to_the_frames_after():
    segmenter = camn.load("camn-mobile", "cpu", short_side=64, backend="eager", post=Listed(blink=True, blink_every=1))
    segmenter.start(FRAME, IDS)
    for _ in range(5):  # the fifth is remembered
        segmenter.step(FRAME)
    assert isinstance(segmenter, Ensemble)
    bank = segmenter.ways[0].segmenter._bank
    assert bank.previous is not None
    for frame in (bank.previous, *bank._recent):
        assert all(bool((masks[0] > 0.99).all()) for masks in frame.masks)


def test_what_it_does_not_trust_is_less_sure(monkeypatch):
    told = []
    for trust in ({}, {3: 0.5}):
        monkeypatch.setattr(Blink, "trust", trust)
        post = Listed(blink=True, blink_every=99)
        segmenter = camn.load("camn-mobile", "cpu", short_side=64, backend="eager", post=post)
        segmenter.start(FRAME, IDS)
        told.append(segmenter.step(FRAME).confidence)
    assert told[1] == pytest.approx({3: told[0][3] / 2, 7: told[0][7]})


# --- the list --------------------------------------------------------------------------------------------------------


def test_what_is_listed_is_there():
    listed = [kind for kind in PostProcess.__mro__ if vars(kind).get("switch")]
    assert [kind.switch for kind in listed] == ["track_loss", "small_objects"]
    assert all(issubclass(resolve_name(kind.step), Step) for kind in listed)


def test_all_mend_in_turn_and_then_all_are_told_what_came_of_it(monkeypatch):
    """Track loss remembers what the step behind it left: nothing is near an object that was let vanish."""
    called = []
    for kind, verb in ((TrackLoss, "mended"), (TrackLoss, "remember"), (Blink, "mended"), (Blink, "remember")):
        was = getattr(kind, verb)

        def told(self, *args, was=was, name=f"{kind.__name__} {verb}"):
            called.append(name)
            return was(self, *args)

        monkeypatch.setattr(kind, verb, told)
    post = begun(Listed(blink=True, track_loss=True, blink_every=1, track_growth=0, track_least=0))
    moved = np.roll(IDS, 9, 0)
    for t in (1, 2):
        assert empty(post(t, FRAME, OBJECTS, found(moved)))
    assert called == ["TrackLoss mended", "Blink mended", "TrackLoss remember", "Blink remember"] * 2
    track = post._steps[0]
    assert isinstance(track, TrackLoss) and {one.last for one in track._tracks.values()} == {0}


def test_a_call_that_fails_changes_nothing_and_a_copy_is_its_own(monkeypatch):
    post = begun(Listed(blink=True, track_loss=True))
    other = copy(post)
    before = [dict(vars(step)) for step in post._steps]

    def broken(self, *args):
        raise AnswerError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(Blink, "mended", broken)
        with pytest.raises(AnswerError):
            post(1, FRAME, OBJECTS, found(IDS))
    assert [dict(vars(step)) for step in post._steps] == before
    other.given(1, FRAME, OBJECTS, IDS)
    assert empty(post(2, FRAME, OBJECTS, found(IDS))) and not empty(other(2, FRAME, OBJECTS, found(IDS)))
    post.select(ObjectIds.of(np.where(IDS == 3, IDS, 0)))
    assert [step.kept for step in (post._steps[1], other._steps[1]) if isinstance(step, Blink)] == [(3,), (3, 7)]
