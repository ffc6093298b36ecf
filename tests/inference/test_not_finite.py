"""A network whose answers are not finite is an error, never an empty mask."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from camn.api.evaluate.sequences import segment_frame
from camn.config import InferenceConfig, PostProcess
from camn.datasets.sequence import VideoSequence
from camn.errors import AnswerError
from camn.inference import Ensemble, Result, Segmenter
from camn.inference.ensemble import Way
from camn.inference.postprocess import PostProcessor
from camn.inference.views import View
from camn.masks import ObjectIds

SMALL = InferenceConfig(short_side=64)
FRAME = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
MASK = np.zeros(FRAME.shape[:2], np.uint8)
MASK[20:30, 20:32] = 4
POST = PostProcess(track_loss=True, small_objects=True, small_area=0.5, small_work=64)


@pytest.fixture
def broken(network):
    """The network with parameters that are no numbers."""
    made = copy.deepcopy(network)
    last = made.decoder.predict if hasattr(made, "decoder") else made.ensembler.foreground.linear
    with torch.no_grad():
        last.bias.fill_(torch.nan)
    return made


def started(segmenter):
    segmenter.start(FRAME, MASK)
    return segmenter


def test_a_frame_without_an_answer_changes_nothing(broken):
    segmenter = started(Segmenter(broken, SMALL))
    for _ in range(2):
        with pytest.raises(AnswerError, match=r"frame 1 \(0 has the first mask\): .* is not finite; use other weights"):
            segmenter.step(FRAME)
    assert segmenter.index == 0 and segmenter.probabilities.isfinite().all()


@pytest.mark.parametrize("post", [None, POST])
def test_one_of_an_ensemble(broken, network, post):
    ways = [Way(i, View(), Segmenter(n, SMALL)) for i, n in enumerate((network, broken))]
    mends = post and PostProcessor(post, lambda side: ways[0].segmenter.configured(SMALL))
    with pytest.raises(AnswerError, match="frame 1 "):
        started(Ensemble(ways, post=mends)).step(FRAME)


def test_the_crop_of_a_small_object(broken, network):
    config = PostProcess(track_loss=False, small_area=0.5, small_work=64)
    post = PostProcessor(config, lambda side: Segmenter(broken, InferenceConfig(short_side=128, max_side=128)))
    segmenter = started(Ensemble([Way(0, View(), Segmenter(network, SMALL))], post=post))
    with pytest.raises(AnswerError, match="frame 1 .*the network's answer on the crop of a small object is not finite"):
        segmenter.step(FRAME)


def test_a_data_set_names_the_frame(broken, tmp_path):
    files = [tmp_path / f"{t:05d}.png" for t in range(2)]
    for file in files:
        Image.fromarray(FRAME).save(file)
    segmenter, given = Segmenter(broken, SMALL), {0: MASK}
    sequence = VideoSequence("one", tuple(files), (None, None))
    segment_frame(segmenter, sequence, 0, FRAME, given)
    with pytest.raises(AnswerError, match="00001.png: frame 1 "):
        segment_frame(segmenter, sequence, 1, FRAME, given)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_no_pixel_is_passed_by(bad):
    """Not even one of a large map between the points that a small frame is sampled at."""
    for row in range(40):
        probabilities = torch.full((2, 40, 60), 0.5)
        probabilities[1, row, 17] = bad
        with pytest.raises(AnswerError, match="frame 3 "):
            Result.of(3, ObjectIds((4,)), probabilities, (4, 6))
