"""The slim STM: aligned sizes, batches against one by one, odds against probabilities, what it starts from."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from camn import lean
from camn.config import StmConfig, network_preset
from camn.errors import ConfigError
from camn.masks import soft_aggregate
from camn.model.backbones import build_backbone
from camn.model.network import work_size
from camn.model.stm import Stm, aggregated

CONFIG = StmConfig(
    "small",
    key_channels=8,
    value_channels=10,
    width=6,
    backbone="efficientnet_lite0",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    aligned=True,
    masked_values=True,
    norms=True,
)
LITE2 = replace(CONFIG, backbone="efficientnet_lite2")
SIZE = (33, 49)


@pytest.fixture(scope="module")
def network() -> Stm:
    torch.manual_seed(0)
    made = Stm(CONFIG).double().eval()
    for tensor in made.state_dict().values():  # norms off their rest position, so that one forgotten would show
        if tensor.dim() == 1:
            tensor.add_(0.3 * torch.rand_like(tensor))
    return made


def images(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, *SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def masks(objects: int, seed: int = 1) -> torch.Tensor:
    """(N+1, H, W) soft masks that sum to 1."""
    scores = torch.randn(objects + 1, *SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    return (3 * scores).softmax(0)


def answer(network, objects: int = 3) -> torch.Tensor:
    query = network.encode(images(1, 9))
    given = [network.label(network.encode(images(1, s)), masks(objects, s)) for s in (1, 2)]
    entries = [network.remember(frame) for frame in given]
    return network.decode([network.match(query, given, given[-1], entries)])[0]


@torch.no_grad()
def test_sizes_are_aligned(network):
    made = network.encode(images(2))
    assert made.image.shape[-2:] == made.size == SIZE  # nothing padded
    assert [tuple(m.shape[-2:]) for m in (made.fine, made.middle, made.key)] == [(9, 13), (5, 7), (3, 4)]
    assert answer(network).shape == (4, 9, 13)
    assert network.work_size(240, 427, 480, 1040) == work_size(240, 427, 480, 1040) == (481, 849)


@torch.no_grad()
def test_corner_pixels_lie_on_corner_pixels(network):
    """Turned by half a turn a map enlarged is the map turned, then enlarged, at every stride."""
    step = network.decoder.middle
    coarse = torch.rand(1, CONFIG.width, 3, 4, dtype=torch.double)
    step.residual, kept = torch.nn.Identity(), step.residual
    found = step(coarse, torch.zeros(1, CONFIG.width, 5, 7, dtype=torch.double))
    step.residual = kept
    torch.testing.assert_close(found[..., ::2, ::2], coarse)


@torch.no_grad()
def test_a_batch_is_its_frames_one_by_one(network):
    whole = network.encode(images(3))
    for b in range(3):
        one, alone = whole[b], network.encode(images(3)[b : b + 1])
        for name in ("image", "fine", "middle", "key", "value"):
            torch.testing.assert_close(getattr(one, name), getattr(alone, name))
        assert one.size == alone.size
    with pytest.raises(IndexError, match="frame 3 of 3"):
        whole[3]


@torch.no_grad()
def test_frames_are_remembered_together_as_one_by_one(network):
    frames = [network.label(network.encode(images(1, s)), masks(n, s)) for s, n in ((1, 2), (2, 1), (3, 3))]
    together = network.remember_all(frames)
    for made, frame in zip(together, frames, strict=True):
        alone = network.remember(frame)
        torch.testing.assert_close(made.keys, alone.keys)
        torch.testing.assert_close(made.values, alone.values)


@torch.no_grad()
def test_the_last_values_are_the_masks_shrunk(network):
    soft = masks(2)
    entry = network.remember(network.label(network.encode(images(1)), soft))
    own = entry.values[:, 0, -2:].unflatten(2, (3, 4))
    for n, other in ((0, 1), (1, 0)):
        for y, x in ((0, 0), (1, 2), (2, 3)):  # cells of 17 x 17 about the pixel, cut off at the border
            cell = soft[1:, max(0, 16 * y - 8) : 16 * y + 9, max(0, 16 * x - 8) : 16 * x + 9].mean((1, 2))
            torch.testing.assert_close(own[n, :, y, x], torch.stack([cell[n], cell[other]]))


@given(objects=st.integers(1, 4), seed=st.integers(0, 99), scale=st.floats(0.1, 6))
def test_odds_aggregate_as_probabilities_do(objects, seed, scale):
    odds = scale * torch.randn(objects, 3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    odds = odds.clamp(-15, 15)  # beyond it `soft_aggregate` bounds its probabilities, which log-odds need not
    torch.testing.assert_close(aggregated(odds).softmax(0), soft_aggregate(odds.sigmoid()), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [0.0, 20.0, 200.0])
def test_certain_odds_have_a_gradient_that_is_finite(size):
    signs = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1]])
    odds = (size * signs)[:, None].requires_grad_()
    made = aggregated(odds)
    torch.nn.functional.cross_entropy(made[None], torch.tensor([[[0, 1, 2, 1]]])).backward()
    assert made.isfinite().all() and odds.grad is not None and odds.grad.isfinite().all()


@torch.no_grad()
def test_lean_answers_the_same(network):
    quick = lean.of(network)
    assert set(quick.parts()) == {"encode", "remember", "decode"}
    wanted = answer(network)
    torch.testing.assert_close(answer(quick), wanted)
    parted = quick.with_parts({name: part.forward for name, part in quick.parts().items()})
    torch.testing.assert_close(answer(parted), wanted)


@torch.no_grad()
@pytest.mark.parametrize("config", [CONFIG, LITE2, StmConfig()], ids=["lite", "lite2", "resnet"])
def test_both_encoders_start_from_one_backbone(config):
    torch.manual_seed(1)
    backbone = build_backbone(config.pretrained).state_dict()
    made = Stm(config)
    made.load_backbone(backbone)
    own = {name: part.removeprefix("backbone.") for name in made.state_dict() if (part := made.backbone_part(name))}
    assert all(torch.equal(made.state_dict()[name], backbone[part]) for name, part in own.items())
    assert {n.partition(".")[0] for n in own} == {"query", "memory"}
    assert set(own.values()) == {name for name in backbone if not name.startswith("layer4.")}
    assert torch.equal(made.query.key.weight, made.memory.key.weight)
    assert not any(
        made.backbone_part(n) for n in ("query.key.weight", "memory.conv1_object.weight", "decoder.middle.x")
    )


def test_preset():
    config = network_preset("stm-mobile")
    assert isinstance(config, StmConfig) and config.pretrained == "efficientnet_lite0"
    with torch.device("meta"):
        assert 2e6 < sum(p.numel() for p in Stm(config).parameters()) < 3e6
    assert StmConfig(blocks=(1, 1, 1)).pretrained == ""
    for wrong in ({"backbone": "vgg"}, {"std": (1.0, 0.0, 1.0)}, {"masked_values": True}):
        with pytest.raises(ConfigError):
            StmConfig(**wrong)
