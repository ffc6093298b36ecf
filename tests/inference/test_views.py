"""Views and their inverses."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from camn.config import EnsembleConfig, InferenceConfig
from camn.errors import ConfigError
from camn.inference.views import View, make_views, resized

sides = st.integers(1, 40)


def distribution(channels: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(channels, height, width, generator=torch.Generator().manual_seed(seed)).softmax(0)


@given(st.booleans(), sides, sides, st.integers(1, 4))
def test_undo_is_the_exact_inverse_of_redo_and_apply_of_itself(flip, height, width, channels):
    view, maps = View(1.3, flip), distribution(channels, height, width)
    assert torch.equal(view.undo(view.redo(maps, maps.shape[1:]), maps.shape[1:]), maps)
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    assert np.array_equal(view.apply(view.apply(picture)), picture)
    assert view.apply(picture).flags["C_CONTIGUOUS"]
    # A frame's mask and its probabilities are mirrored alike.
    ids = picture[..., 0]
    assert torch.equal(
        view.redo(torch.from_numpy(ids)[None].float(), ids.shape)[0], torch.from_numpy(view.apply(ids)).float()
    )


@given(sides, sides, sides, sides)
def test_resizing_keeps_a_distribution(height, width, other, further):
    found = resized(distribution(3, height, width), (other, further))
    assert found.shape == (3, other, further) and found.min() >= 0 and found.max() <= 1
    torch.testing.assert_close(found.sum(0), torch.ones(other, further))


@pytest.mark.parametrize("scale", [1.15, 1.3, 1.5, 2.0, 3.0])
def test_what_is_linear_comes_back_from_every_larger_scale(scale):
    """A ramp is kept by interpolation, so there and back is the identity but where the border is held."""
    height, width = 36, 48
    y, x = torch.meshgrid(torch.linspace(0.1, 0.9, height), torch.linspace(0.8, 0.2, width), indexing="ij")
    maps = torch.stack([x, y]) / 2
    view = View(scale, flip=True)
    larger = view.redo(maps, (round(height * scale), round(width * scale)))
    back = view.undo(larger, (height, width))
    inside = np.s_[:, 3:-3, 3:-3]
    torch.testing.assert_close(back[inside], maps[inside], atol=1e-3, rtol=0)
    assert (back - maps).abs().max() < 0.02


def test_a_map_twice_as_large_comes_back_as_the_mean_of_its_cells():
    maps = distribution(2, 8, 10)
    exact = maps.repeat_interleave(2, 1).repeat_interleave(2, 2)
    # Halved by pixel centres with antialiasing: the tent over four pixels, whose inner two are the cell's own.
    torch.testing.assert_close(resized(exact, (8, 10)).mean(), maps.mean(), atol=2e-3, rtol=0)
    torch.testing.assert_close(resized(torch.full((1, 8, 10), 0.3), (3, 7)), torch.full((1, 3, 7), 0.3))


def test_the_views_that_are_asked_for():
    assert make_views() == (View(),)
    assert make_views((1.0, 1.5), True) == (View(1, False), View(1, True), View(1.5, False), View(1.5, True))
    config = View(1.5, True).configured(InferenceConfig(short_side=100, max_side=200))
    assert (config.short_side, config.max_side) == (150, 300)
    assert View(0.2).configured(InferenceConfig(short_side=100, max_side=100)).short_side == 32  # not below the least


def test_cost_is_counted_in_pixels():
    assert EnsembleConfig().cost() == 1
    assert EnsembleConfig((1.0, 1.5), True).cost(3) == pytest.approx(3 * 2 * (1 + 2.25))


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"scales": ()}, "scales none"),
        ({"scales": (1.0, 9.0)}, "from 0.2 to 4"),
        ({"scales": (1.0, float("nan"))}, "from 0.2 to 4"),
        ({"scales": (1.0, 1.0)}, "once"),
        ({"weights": (0.0, 0.0)}, "not all 0"),
        ({"weights": (-1.0, 2.0)}, "0 or more"),
        ({"feedback": "yours"}, "joint, own"),
    ],
)
def test_ensembles_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        EnsembleConfig(**wrong)
