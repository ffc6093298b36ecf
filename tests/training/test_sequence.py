"""Rollout of clips together against that of each alone, its gradients too; damage, one-hot labels and loss by hand."""

import make_goldens as goldens
import numpy as np
import per_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.config import StmConfig, network_preset
from camn.masks import IGNORE
from camn.model.batched import batched
from camn.model.build import build_network
from camn.model.slots import NOWHERE, Slots
from camn.speed.calls import Counted
from camn.training.losses import bootstrapped_cross_entropy, soft_jaccard_loss
from camn.training.sequence import DRAWS, Rollout, Step, clip_loss, damaged, draws, one_hot, rollout

torch.set_num_threads(1)
SIZE = (33, 49)
STM = StmConfig("small-stm", blocks=(1, 1, 1), planes=8, key_channels=8, value_channels=16, width=16)
SMALL = goldens.configs() | {"small-stm": STM}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_network(network_preset("camn-mobile"))


def clips(objects, length, seed=1):
    """frames (B, T, 3, H, W), labels (B, T, H, W) with objects as stripes that move, and ignored pixels."""
    frames = torch.rand(len(objects), length, 3, *SIZE, generator=torch.Generator().manual_seed(seed))
    labels = torch.zeros(len(objects), length, *SIZE, dtype=torch.uint8)
    for b, count in enumerate(objects):
        for n in range(1, count + 1):
            for t in range(length):
                labels[b, t, 4 + t : 26 + t, 12 * n - 8 : 12 * n + 2] = n
    labels[:, :, :3] = IGNORE
    return frames, labels


@given(objects=st.integers(1, 4), seed=st.integers(0, 100))
@settings(max_examples=20)
def test_one_hot(objects, seed):
    labels = torch.randint(objects + 2, (4, 5), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)
    labels[labels == objects + 1] = IGNORE
    got = one_hot(labels, objects)
    assert got.shape == (objects + 1, 4, 5) and got.dtype == torch.float32
    for n in range(objects + 1):
        assert got[n].tolist() == [[float(v == n) for v in row] for row in labels.tolist()]


def decided(model):
    """The network in double precision, its biases apart: where they are alike, maps of two objects may be, too, and
    then the one whose gradient is taken is anybody's choice."""
    torch.manual_seed(0)
    network = build_network(network_preset(model)).double()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name in ("foreground_bias", "background_bias"):
                parameter.normal_()
    return network


PLANS = [
    Rollout(),
    Rollout(damage=0.7, recent=0.7),
    Rollout(damage=0.7, recent=0.7, lead=2),
    Rollout(recent=0.7, forget=0.8),
]
MODELS = ["camn-mobile", "camn-mobile-prior", "stm-mobile"]


@pytest.mark.parametrize("model, plan", [(m, p) for m in MODELS for p in PLANS[:: 1 if m == MODELS[0] else 2]])
def test_loss_and_gradients_are_those_of_each_clip_alone(model, plan):
    network, objects = decided(model), (2, 1, 3)
    frames, labels = clips(objects, 4)
    frames, chance = frames.double(), draws([5, 6, 7], 4)

    def gradients(loss):
        network.zero_grad(set_to_none=True)
        loss.backward()
        return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}

    ours = clip_loss(rollout(network, frames, labels, objects, chance, plan), 0.4, 0.5)
    theirs = per_clip.loss(network, frames, labels, objects, chance, plan, 0.4, 0.5)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-9)
    got, wanted = gradients(ours), gradients(theirs)
    assert got.keys() == wanted.keys() and len(got) > 50
    scale = max(g.norm().item() for g in wanted.values())
    for name, gradient in wanted.items():
        torch.testing.assert_close(got[name], gradient, rtol=1e-5, atol=1e-9 * scale, msg=name)


def test_an_object_that_fills_the_frame_has_nothing_beside_it(network):
    """What is left of the frame is nought, not what rounding leaves, divided by next to nothing."""
    frames, labels = clips((1, 2), 2)
    labels[0] = 1
    chance = draws([1, 2], 2)
    with torch.no_grad():
        got = clip_loss(rollout(network, frames, labels, (1, 2), chance), 0.4, 0.5)
        wanted = per_clip.loss(network, frames, labels, (1, 2), chance, Rollout(), 0.4, 0.5)
    assert got.item() == pytest.approx(wanted.item(), rel=1e-4)


@pytest.mark.parametrize("model", ["small-cfbi-mobilenetv2", "small-camn-r50", "small-stm"])
def test_networks_of_other_kinds_answer_as_each_clip_alone(model):
    """Euclidean keys, hard masks, a channel of the background's own, half-size windows; padded frames in STM."""
    torch.manual_seed(0)
    network = build_network(SMALL[model]).double()
    frames, labels = clips((2, 1), 2)
    with torch.no_grad():
        (step,) = rollout(network, frames.double(), labels, (2, 1))
        for b, count in enumerate((2, 1)):
            (alone,) = per_clip.rollout(network, frames[b].double(), labels[b], count, draws([0], 2)[0], Rollout())
            torch.testing.assert_close(step.logits[b, : count + 1], alone, atol=1e-6, rtol=1e-6)


def test_a_padded_object_takes_nothing(network):
    frames, labels = clips((3, 1), 3)
    with torch.no_grad():
        for step in rollout(network, frames, labels, (3, 1)):
            assert not step.logits.softmax(1)[1, 2:].any() and step.logits.isfinite().all()
            assert step.present.tolist() == [[True] * 3, [True, False, False]]
            assert (step.logits[1, 2:] == NOWHERE).all()


def test_calls_grow_neither_with_clips_nor_with_objects_and_nothing_is_read(network):
    def calls(objects):
        frames, labels = clips(objects, 3)
        chance = draws(range(len(objects)), 3)
        chance[..., :3] = 0  # all are damaged, all match a predicted frame
        plan = Rollout(damage=1.0, recent=1.0)
        list(rollout(network, frames, labels, objects, chance, plan))  # makes what is kept of windows
        network.zero_grad(set_to_none=True)
        with Counted() as seen:
            clip_loss(rollout(network, frames, labels, objects, chance, plan), 0.4, 0.5).backward()
        assert not seen.reads
        return seen.calls

    few, many = calls((1, 2)), calls((1, 2, 4, 3, 1, 2, 1))
    assert many <= 1.02 * few


def test_a_network_of_an_unknown_kind_is_named():
    with pytest.raises(TypeError, match="Linear has no form"):
        batched(torch.nn.Linear(1, 1), Slots.of((1,), torch.device("cpu")))


@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=4), seed=st.integers(0, 100))
def test_slots_pack_what_they_pad(counts, seed):
    slots = Slots.of(counts, torch.device("cpu"))
    packed = torch.rand(sum(counts), 2, generator=chance(seed))
    padded = slots.pad(packed, 7)
    assert padded.shape == (len(counts), max(counts), 2) and torch.equal(slots.pack(padded), packed)
    assert (padded[~slots.present] == 7).all()
    each = packed.split(counts)
    assert all(torch.equal(padded[b, :n], each[b]) for b, n in enumerate(counts))
    assert slots.spread(torch.arange(len(counts))).tolist() == [b for b, n in enumerate(counts) for _ in range(n)]


def test_rollout_matches_against_a_predicted_frame(network):
    frames, labels = clips((2,), 3)  # at the third frame the second is the only one to be drawn
    chance = np.full((1, 3, DRAWS), 0.5, np.float32)
    with torch.no_grad():
        first, second = rollout(network, frames, labels, (2,), chance, Rollout(recent=1.0))
        same, plain = rollout(network, frames, labels, (2,), chance)
    assert torch.equal(first.logits, same.logits)
    assert not torch.allclose(second.logits, plain.logits, atol=1e-2), "the second reference changes nothing here"


def chance(seed):
    return torch.Generator().manual_seed(seed)


@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=3), seed=st.integers(0, 10_000))
@settings(max_examples=100)
def test_damage_is_that_of_each_clip_alone(counts, seed):
    """The twin cuts its boxes out; here and there a mask is empty."""
    slots, size = Slots.of(counts, torch.device("cpu")), (12, 17)
    draw = torch.rand(len(counts), 6, generator=chance(seed))
    whole = 4 * torch.randn(len(counts), max(counts) + 1, *size, generator=chance(seed + 1))
    whole[:, 1:].masked_fill_(~slots.present[..., None, None], -torch.inf)
    whole = whole.softmax(1)
    kept = whole.clone()
    got = damaged(whole, draw, 0.8, slots)
    assert torch.equal(whole, kept), "the input was edited"
    for b, count in enumerate(counts):
        assert torch.equal(got[b, : count + 1], per_clip.damaged(whole[b, : count + 1], draw[b].tolist(), 0.8))
    torch.testing.assert_close(got.sum(1), torch.ones(len(counts), *size))


def test_no_damage_is_the_same_tensor():
    mask = torch.rand(1, 3, 5, 5).softmax(1)
    assert damaged(mask, torch.zeros(1, 6), 0.0, Slots.of((2,), torch.device("cpu"))) is mask


def test_an_object_that_is_nowhere_is_left_alone():
    mask, slots = torch.cat([torch.ones(1, 1, 5, 5), torch.zeros(1, 2, 5, 5)], 1), Slots.of((2,), torch.device("cpu"))
    assert all(torch.equal(damaged(mask, torch.rand(1, 6, generator=chance(s)), 1.0, slots), mask) for s in range(20))


def test_damage_of_both_kinds_at_the_share_that_is_asked_for():
    """A lone object on 1/9 of the frame: boxes about it, of the background in three cases of four."""
    ids = torch.nn.functional.pad(torch.ones(10, 10, dtype=torch.uint8), (10, 10, 10, 10))
    mask = one_hot(ids, 1).expand(2000, -1, -1, -1)
    made = damaged(mask, torch.rand(2000, 6, generator=chance(0)), 0.5, Slots.of((1,) * 2000, torch.device("cpu")))
    shares = (made[:, 1] - mask[:, 1]).sum((1, 2))
    lost, grown = ((shares * sign > 0).float().mean().item() for sign in (-1, 1))
    assert 0.33 < lost < 0.42 and 0.05 < grown < 0.13


def test_draws_are_each_clips_own():
    both = draws([3, 4], 5)
    assert both.shape == (2, 5, DRAWS) and both.dtype == np.float32 and (both >= 0).all() and (both < 1).all()
    assert np.array_equal(both[1:], draws([4], 5)) and not np.array_equal(both[0], both[1])


@pytest.mark.parametrize("lead", [1, 2])
def test_led_frames_have_no_loss_and_leave_no_gradient(network, lead):
    frames, labels = clips((2,), 4)
    frames.requires_grad_()
    steps = list(rollout(network, frames, labels, (2,), None, Rollout(lead=lead)))
    assert len(steps) == 3 - lead
    with torch.no_grad():
        plain = list(rollout(network, frames, labels, (2,)))
    for step, other in zip(steps, plain[lead:], strict=True):
        torch.testing.assert_close(step.logits, other.logits, atol=1e-3, rtol=1e-3)
    clip_loss(iter(steps), 1.0, 0.5).backward()
    touched = frames.grad.abs().sum((0, 2, 3, 4)) > 0
    assert touched.tolist() == [True, *[False] * lead, *[True] * (3 - lead)]


def test_rollout_in_bfloat16_is_near_that_in_single_precision(network):
    """Encoder and decoder compute in bfloat16, logits come out in single precision, gradients reach every weight."""
    frames, labels = clips((2,), 3)
    seen = []
    hooks = [
        part.register_forward_hook(lambda _, __, out: seen.append(out.dtype))
        for part in (network.ensembler.high, network.backbone._conv_stem)
    ]
    with torch.no_grad():
        exact = clip_loss(rollout(network, frames, labels, (2,)), 1.0, 0.5)
        seen.clear()
        steps = list(rollout(network, frames, labels, (2,), None, Rollout(amp=True)))
    for hook in hooks:
        hook.remove()
    assert set(seen) == {torch.bfloat16}
    assert all(step.logits.dtype == torch.float32 for step in steps)
    loss = clip_loss(iter(steps), 1.0, 0.5)
    assert loss != exact and loss.item() == pytest.approx(exact.item(), rel=0.05)


def test_clip_loss_is_the_mean_over_frames_and_clips():
    present = torch.ones(2, 2, dtype=torch.bool)
    steps = [Step(torch.randn(2, 3, 4, 5, generator=chance(t)), torch.full((2, 4, 5), t), present) for t in range(2)]
    found = [
        bootstrapped_cross_entropy(s.logits, s.labels, 0.4) + 0.5 * soft_jaccard_loss(s.logits, s.labels) for s in steps
    ]
    assert clip_loss(iter(steps), 0.4, 0.5).item() == pytest.approx(torch.cat(found).mean().item())


@pytest.mark.parametrize("model", ["camn-mobile", "stm-mobile"])
def test_gradient_descent_fits_a_clip(model):
    """The whole way from loss to weights: some steps on one clip bring its loss well down."""
    torch.manual_seed(0)
    network = build_network(network_preset(model))
    frames, labels = clips((1,), 2)
    optimizer = torch.optim.Adam([p for n, p in network.named_parameters() if not network.backbone_part(n)], 2e-3)
    losses = []
    for _ in range(12):
        loss = clip_loss(rollout(network, frames, labels, (1,)), 1.0, 0.5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
