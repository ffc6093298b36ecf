"""Files of networks for clicks: the shipped one, and those that do not fit."""

import dataclasses

import numpy as np
import pytest
import torch

import camn
from camn import api, weights
from camn.config import InferenceConfig
from camn.errors import CheckpointError


@pytest.fixture(scope="module")
def shipped() -> weights.ClickWeights:
    return weights.read_clicks("camn-mobile-clicks")


def test_the_shipped_one_alone_and_with_a_segmenters_network():
    frame = np.full((64, 96, 3), 90, np.uint8)
    frame[10:30, 20:50] = (220, 40, 40)
    before, answers = torch.random.get_rng_state(), []
    for shared in (None, camn.load("camn-mobile", "cpu", InferenceConfig()), camn.load(device="cpu", backend="eager")):
        marker = camn.load_marker(device="cpu", segmenter=shared)
        assert isinstance(marker, camn.Marker)
        marker.look(frame)
        answers.append(marker.click(35, 20).probability)
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert api.marker_sha256() == api.click_networks()[0].sha256


def test_files_that_do_not_fit(tmp_path, shipped):
    path, notes = tmp_path / "x.safetensors", shipped.notes
    weights.write(path, shipped.config, shipped.state, notes | {"encoder_sha256": "0"})
    with pytest.raises(CheckpointError, match="was trained for other weights of camn-mobile than are here"):
        camn.load_marker(path)
    wide = dataclasses.replace(shipped.config, widths=(96, 64, 32, 24))
    weights.write(path, wide, shipped.state, notes)
    with pytest.raises(CheckpointError, match=r"x\.safetensors: .*get the file again"):
        camn.load_marker(path)
    weights.write(path, shipped.config, {}, notes)
    with pytest.raises(CheckpointError, match=r"x\.safetensors: does not fit camn-mobile-clicks: it lacks"):
        camn.load_marker(path)
    for name in ("camn-mobile", tmp_path / "none.safetensors"):
        with pytest.raises(CheckpointError, match="no such file of a network for clicks; shipped: camn-mobile-clicks"):
            camn.load_marker(name)
