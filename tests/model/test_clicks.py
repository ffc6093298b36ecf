"""The network for clicks: what it is told and what it matches, against loops over pixels."""

import numpy as np
import pytest
import torch
from some_embedding import embedding

from camn.config import ClickConfig, click_preset
from camn.errors import ConfigError
from camn.model.clicks import PLANES, ClickNetwork, Prompts

SIDE = 65


def prompts(points, signs, mask=None, box=None) -> Prompts:
    points, signs = torch.tensor(points, dtype=torch.float32), torch.tensor(signs, dtype=torch.float32)
    nothing = torch.zeros(len(points), 1, SIDE, SIDE)
    return Prompts(points, signs, nothing if box is None else box, nothing if mask is None else mask)


@pytest.fixture(scope="module")
def network() -> ClickNetwork:
    torch.manual_seed(1)
    found = ClickNetwork(click_preset("camn-mobile-clicks")).eval()
    for parameter in found.parameters():  # what begins at nothing would hide its inputs
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return found


@pytest.mark.parametrize("stride", [2, 8])
def test_planes_are_discs_boxes_masks_and_nearness(stride):
    mask = torch.rand(1, 1, SIDE, SIDE)
    planes = prompts([[[10, 20], [30, 40], [5, 5]]], [[1, -1, 0]], mask).planes(stride, 5)[0]
    side = SIDE // stride + 1
    assert planes.shape == (PLANES, side, side)
    for which, (row, column) in enumerate(((10, 20), (30, 40))):
        for y, x in np.ndindex(side, side):
            distance = ((stride * y - row) ** 2 + (stride * x - column) ** 2) ** 0.5
            assert float(planes[which, y, x]) == float(distance <= 5 + stride / 2)
            nearness = 1 - np.log(1 + distance / 5) / np.log(1 + 512 / 5)
            assert float(planes[6 + which, y, x]) == pytest.approx(max(0, nearness), abs=1e-5)
    assert not planes[2].any() and not planes[4].any() and planes[5].all()
    half = stride // 2
    for y, x in np.ndindex(side, side):
        around = mask[
            0, 0, max(0, stride * y - half) : stride * y + half + 1, max(0, stride * x - half) : stride * x + half + 1
        ]
        assert float(planes[3, y, x]) == pytest.approx(float(around.mean()), abs=1e-5)


def test_far_from_all_clicks_and_without_any_nothing_is_near():
    asked = prompts([[[-2000, 0]], [[0, 0]]], [[1], [0]])
    assert not asked.planes(4, 5)[:, 6:].any()


def test_what_lies_under_clicks_is_matched(network):
    seen = embedding()
    asked = prompts([[[8, 16], [40, 48], [60, 3]]], [[1, 1, -1]])
    for scale, stride in enumerate((8, 16)):
        found = network._clicked(seen.keys[scale], asked, scale)[0].detach()
        keys = seen.keys[scale][0]
        side = keys.shape[-1]
        cells = [
            (min(round(float(y) / stride), side - 1), min(round(float(x) / stride), side - 1))
            for y, x in asked.points[0]
        ]
        for which, own in enumerate((cells[:2], cells[2:])):
            for y, x in np.ndindex(side, side):
                nearest = min(float((keys[:, y, x] - keys[:, a, b]).pow(2).sum()) for a, b in own)
                expected = 2 * (torch.sigmoid(torch.tensor(nearest) + network.bias[scale, which].detach()) - 0.5)
                assert float(found[which, y, x]) == pytest.approx(float(expected), abs=1e-4)


def test_without_clicks_or_masks_all_is_far(network):
    asked = prompts([[[8, 16]]], [[0]])
    assert torch.allclose(network._clicked(embedding().keys[1], asked, 1), torch.ones(1))
    planes = torch.zeros(1, PLANES, 5, 5)
    assert torch.allclose(network._like_mask(embedding().keys[1], planes), torch.ones(1))


def test_frames_are_answered_apart_and_no_click_is_none(network):
    both = embedding(2)
    together = prompts([[[8, 16], [40, 48]], [[30, 30], [0, 0]]], [[1, -1], [1, 0]])
    with torch.inference_mode():
        logits, scores = network(both, together)
        for at, (points, signs) in enumerate((([[8, 16], [40, 48]], [1, -1]), ([[30, 30]], [1]))):
            alone, score = network(both[at], prompts([points], [signs]))
            torch.testing.assert_close(logits[at], alone[0], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(scores[at], score[0], atol=1e-4, rtol=1e-4)
    assert logits.shape == (2, 4, 33, 33) and ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize("what", ["click", "sign", "box", "mask"])
def test_every_prompt_counts(network, what):
    seen, mask = embedding(), torch.zeros(1, 1, SIDE, SIDE)
    changed = mask.clone()
    changed[..., 20:40, 20:40] = 1
    other = {
        "click": prompts([[[40, 10]]], [[1]]),
        "sign": prompts([[[8, 16]]], [[-1]]),
        "box": prompts([[[8, 16]]], [[1]], box=changed),
        "mask": prompts([[[8, 16]]], [[1]], mask=changed),
    }[what]
    with torch.inference_mode():
        assert not torch.allclose(network(seen, other)[0], network(seen, prompts([[[8, 16]]], [[1]]))[0])


def test_configurations():
    config = click_preset("camn-mobile-clicks")
    assert ClickConfig.from_dict(config.as_dict()) == config
    assert ClickConfig.from_dict({**config.as_dict(), "maps": [64, 96]}) == config
    for wrong in ({"name": "x", "widths": [1, 2, 3, 0]}, {"name": "x", "nothing": 1}, [], {"name": "x", "maps": 3}):
        with pytest.raises(ConfigError):
            ClickConfig.from_dict(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="camn-mobile-clicks"):
        click_preset("camn-mobile")
