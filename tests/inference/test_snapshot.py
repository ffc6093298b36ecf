"""What a segmenter knows, written down and taken up by another one: all answers from there on are the same."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from camn.config import EnsembleConfig, InferenceConfig, PostProcess
from camn.inference import Segmenter, snapshot
from camn.inference.ensemble import Ensemble, Way
from camn.inference.postprocess import PostProcessor, Step
from camn.inference.views import View

COUNT, SIZE = 6, (40, 56)
CONFIG = InferenceConfig(memory_every=2, short_side=33)


@pytest.fixture
def frames(rng) -> list[np.ndarray]:
    ground = rng.integers(0, 256, (*SIZE, 3), np.uint8)
    return [np.roll(ground, index, 1) for index in range(COUNT)]


def shown(*boxes: tuple[int, int, int]) -> np.ndarray:
    """(id, top, left) of squares."""
    mask = np.zeros(SIZE, np.uint8)
    for id, top, left in boxes:
        mask[top : top + 9, left : left + 9] = id
    return mask


def through_a_file(segmenter, fresh):
    values, tensors = snapshot.written(segmenter)
    return snapshot.taken_up(fresh, json.loads(json.dumps(values)), load(save(tensors)))


def check_the_same(one, other, frames):
    """Also after a correction, which needs the frame last seen, and when an object is dropped."""
    answers = [[each.correct(shown((9, 20, 20)))] for each in (one, other)]
    for each, found in zip((one, other), answers, strict=True):
        found += [each.step(frame) for frame in frames[:1]]
        each.remove(9)
        found += [each.step(frame) for frame in frames[1:]]
    for first, second in zip(*answers, strict=True):
        assert first.index == second.index and first.lost == second.lost and first.confidence == second.confidence
        assert np.array_equal(first.ids, second.ids)
        for id in first.confidence:
            assert np.array_equal(first.probability(id), second.probability(id))
    assert one.remembered == other.remembered


def test_every_network(network, frames):
    one = Segmenter(network, CONFIG)
    one.start(frames[0], shown((1, 4, 4), (7, 25, 30)))
    for frame in frames[1:4]:
        one.step(frame)
    check_the_same(one, through_a_file(one, Segmenter(network, CONFIG)), frames[4:])


def ensemble_of(network) -> Ensemble:
    first = Segmenter(network, CONFIG)
    ways = [Way(0, view, first.configured(view.configured(CONFIG))) for view in (View(), View(1.5, True))]
    return Ensemble(ways, EnsembleConfig((1.0, 1.5), True), None, PostProcessor(PostProcess(), first.open_segmenter))


def test_two_views_and_all_steps_with_a_small_object_on_crops(mobile, frames):
    one = ensemble_of(mobile)
    mask = shown((1, 4, 4))
    mask[30:33, 40:43] = 7
    one.start(frames[0], mask)
    for frame in frames[1:4]:
        one.step(frame)
    tree = json.dumps(snapshot.written(one)[0])
    assert '"segmenter"' in tree and "Track" in tree and "Body" in tree
    check_the_same(one, through_a_file(one, ensemble_of(mobile)), frames[4:])


def test_before_the_first_mask(mobile, frames):
    two = [through_a_file(ensemble_of(mobile), ensemble_of(mobile)), ensemble_of(mobile)]
    for each in two:
        each.start(frames[0], shown((1, 4, 4)))
    check_the_same(*two, frames[4:])


def test_memory_that_several_share_is_written_once_and_lies_as_it_did(mobile):
    whole = torch.arange(24.0).view(4, 6)
    known = {"whole": whole, "part": whole[1:3, ::2].T, "number": np.float32(3), "at": slice(1, None), "set": {1}}
    values, tensors = (writer := snapshot._Writer()).value(known | {"set": frozenset({1})}), writer.tensors
    assert sum(tensor.nbytes == whole.nbytes for tensor in tensors.values()) == 1
    reader = snapshot._Reader(load(save(tensors)), torch.device("cpu"), Segmenter(mobile).open_segmenter)
    found = reader.value(json.loads(json.dumps(values)))
    assert torch.equal(found["part"], known["part"]) and found["part"].stride() == known["part"].stride()
    assert type(found["number"]) is np.float32 and found["at"] == slice(1, None) and found["set"] == frozenset({1})


@pytest.mark.parametrize("name", ["os:system", "camn.files:write_whole", "camn.inference.segmenter:Segmenter"])
def test_nothing_is_made_but_our_own_dataclasses(mobile, name):
    reader = snapshot._Reader({}, torch.device("cpu"), Segmenter(mobile).open_segmenter)
    with pytest.raises(ValueError, match="nothing that can be made"):
        reader.value({"of": name, "fields": {}})


def test_what_cannot_be_written_is_told(mobile, frames):
    class Odd(Step):
        def given(self, index, frame, objects, ids, stated):
            self.what = object()

        def mended(self, index, frame, objects, probabilities):
            return probabilities

        def select(self, objects):
            pass

    one = ensemble_of(mobile)
    assert one._post is not None
    one._post._steps.append(Odd(None, one.open_segmenter))
    one.start(frames[0], shown((1, 4, 4)))
    with pytest.raises(TypeError, match="object cannot be written down"):
        snapshot.written(one)
