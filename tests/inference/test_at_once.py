"""All objects at once: the answers are those of the network itself, whatever the objects, and nothing is read."""

import cv2
import numpy as np
import pytest
import torch
from one_frame import calls_of_a_frame

from camn import lean
from camn.config import InferenceConfig, network_preset
from camn.inference import Segmenter
from camn.lean.camn_at_once import CamnAtOnce
from camn.model.build import build_network
from camn.model.stm import Stm
from camn.speed.discs import moving_discs

torch.set_num_threads(1)
CONFIG = InferenceConfig(short_side=97, max_side=161, memory_every=1, match_above=0)


def answers(network, objects=3, correct=False):
    """Probabilities of four frames; by `correct` the second is given a mask of a new object."""
    segmenter = Segmenter(network, CONFIG)
    frames = list(moving_discs(4, 97, 129, objects))
    segmenter.start(*frames[0])
    found = []
    for index, (frame, _) in enumerate(frames[1:]):
        segmenter.step(frame)
        if correct and index == 0:
            mask = np.zeros((97, 129), np.uint8)
            cv2.circle(mask, (30, 60), 12, 9, -1)
            segmenter.correct(mask)
        found.append(segmenter.probabilities.clone())
    return found


@pytest.mark.parametrize("objects, correct", [(1, False), (3, True)])
def test_answers_are_those_of_the_network(network, objects, correct):
    form = lean.at_once(network)
    assert lean.at_once(form) is form and (lean.of(form) is form or isinstance(form, Stm))
    for got, wanted in zip(answers(form, objects, correct), answers(network, objects, correct), strict=True):
        torch.testing.assert_close(got, wanted, atol=2e-4, rtol=0)


def a_frame(objects):
    """Calls from a frame's upload to its answer, and what is read from the device but for the answer itself."""
    torch.manual_seed(0)
    segmenter = Segmenter(lean.at_once(build_network(network_preset("camn-mobile")).eval()), CONFIG)
    assert isinstance(segmenter.network, CamnAtOnce)
    return calls_of_a_frame(segmenter, objects, (97, 129), together=20)  # as on a device


def test_calls_of_a_frame_hardly_grow_with_its_objects_and_nothing_is_read():
    one, ten = a_frame(1), a_frame(10)
    assert one.reads == ten.reads == []
    assert ten.calls <= 1.5 * one.calls, (one.calls, ten.calls)
