"""Clip rollout against a step-by-step one of each clip alone; one-hot labels and the clip's loss by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.config import network_preset, preset
from camn.masks import IGNORE
from camn.model.build import build_network
from camn.model.network import Camn, enlarge
from camn.training.losses import bootstrapped_cross_entropy, soft_jaccard_loss
from camn.training.sequence import Damage, clip_loss, one_hot, rollout

torch.set_num_threads(1)
SIZE = (33, 49)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Camn(preset("camn-mobile"))


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


def slow_rollout(network, frames, labels, objects, recent=False):
    """One clip, frame by frame, each encoded alone. recent: the previous frame is a reference, too."""
    size = frames.shape[-2:]
    first = previous = network.label(network.encode(frames[:1]), one_hot(labels[0], objects))
    entries, answers = [network.remember(first)], []
    for t in range(1, len(frames)):
        embedding = network.encode(frames[t : t + 1])
        references = [first, previous] if recent and t > 1 else [first]
        logits = enlarge(network.decode([network.match(embedding, references, previous, entries)])[0], size)
        answers.append(logits)
        previous = network.label(embedding, logits.detach().softmax(0))
        entries.append(network.remember(previous))
    return answers


@pytest.fixture(scope="module")
def stm():
    torch.manual_seed(0)
    return build_network(network_preset("stm-mobile"))


@pytest.mark.parametrize("objects, length", [((2,), 4), ((1, 3), 3)])
@pytest.mark.parametrize("model", ["network", "stm"])
def test_rollout_of_clips_together_is_each_alone(request, model, objects, length):
    network = request.getfixturevalue(model)
    frames, labels = clips(objects, length)
    with torch.no_grad():
        steps = list(rollout(network, frames, labels, objects))
        assert len(steps) == length - 1
        for b, count in enumerate(objects):
            alone = slow_rollout(network, frames[b], labels[b], count)
            for t, wanted in enumerate(alone):
                logits, truth = steps[t][b]
                torch.testing.assert_close(logits, wanted, atol=1e-3, rtol=1e-3)
                assert torch.equal(truth, labels[b, t + 1].long())


def test_rollout_matches_against_a_predicted_frame(network):
    frames, labels = clips((2,), 3)  # at the third frame the second is the only one to be drawn
    with torch.no_grad():
        steps = list(rollout(network, frames, labels, (2,), recent=1.0))
        wanted = slow_rollout(network, frames[0], labels[0], 2, recent=True)
        plain = slow_rollout(network, frames[0], labels[0], 2)
    for t in range(2):
        torch.testing.assert_close(steps[t][0][0], wanted[t], atol=1e-3, rtol=1e-3)
    assert not torch.allclose(wanted[1], plain[1], atol=1e-2), "the second reference changes nothing here"


def chance(seed):
    return torch.Generator().manual_seed(seed)


@given(objects=st.integers(1, 4), seed=st.integers(0, 10_000))
@settings(max_examples=100)
def test_damage_is_a_box_of_the_background_or_of_one_object(objects, seed):
    whole = (4 * torch.randn(objects + 1, 12, 17, generator=chance(seed + 1))).softmax(0)
    kept = whole.clone()
    damaged = Damage(1.0, chance(seed))(whole)
    assert torch.equal(whole, kept), "the input was edited"
    assert damaged.shape == whole.shape and damaged.dtype == whole.dtype
    torch.testing.assert_close(damaged.sum(0), torch.ones(12, 17))
    changed = (damaged != whole).any(0)
    if not changed.any():
        return
    rows, columns = changed.nonzero().T
    box = damaged[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    (owner,) = box.flatten(1).amin(1).nonzero().flatten().tolist()  # one channel has all of the box
    assert (box[owner] == 1).all() and box.sum() == box[owner].numel()
    # It lies about a pixel of an object whose sides bound its own; where it goes to an object, that is the one.
    extents = {n: (p > 0.5).nonzero() for n, p in enumerate(whole) if n and (p > 0.5).any()}
    bounds = {n: (1.2 * (x.amax(0) - x.amin(0) + 1) + 2).tolist() for n, x in extents.items()}
    fits = {n for n, (h, w) in bounds.items() if box.shape[1] <= h and box.shape[2] <= w}
    assert fits and owner in {0, *fits}


@given(share=st.sampled_from([0.0, 0.3, 1.0]), seed=st.integers(0, 1000))
@settings(max_examples=30)
def test_damage_follows_from_its_generator(share, seed):
    masks = [(4 * torch.randn(3, 9, 11, generator=chance(t))).softmax(0) for t in range(5)]
    one, other = Damage(share, chance(seed)), Damage(share, chance(seed))
    assert all(torch.equal(one(m), other(m)) for m in masks) and one.draw() == other.draw()


def test_no_damage_is_the_same_tensor_and_draws_once():
    generator, plain = chance(3), chance(3)
    damage, mask = Damage(0.0, generator), torch.rand(3, 5, 5).softmax(0)
    for _ in range(20):
        assert damage(mask) is mask
        torch.rand((), generator=plain)
    assert torch.equal(generator.get_state(), plain.get_state())


def test_an_object_that_is_nowhere_is_left_alone():
    mask = torch.cat([torch.ones(1, 5, 5), torch.zeros(2, 5, 5)])
    assert all(torch.equal(Damage(1.0, chance(s))(mask), mask) for s in range(20))


def test_damage_of_both_kinds_at_the_share_that_is_asked_for():
    """A lone object on 1/9 of the frame: boxes about it, of the background in three cases of four."""
    mask = one_hot(torch.nn.functional.pad(torch.ones(10, 10, dtype=torch.uint8), (10, 10, 10, 10)), 1)
    damage = Damage(0.5, chance(0))
    shares = [(made[1] - mask[1]).sum().item() for made in (damage(mask) for _ in range(2000))]
    lost, grown = (sum(bool(s * sign > 0) for s in shares) / 2000 for sign in (-1, 1))
    assert 0.33 < lost < 0.42 and 0.05 < grown < 0.13


def test_rollout_with_damage_follows_from_its_generator(network):
    frames, labels = clips((2,), 3)

    def run(share, seed):
        with torch.no_grad():
            steps = rollout(network, frames, labels, (2,), [Damage(share, chance(seed))])
            return torch.stack([logits for step in steps for logits, _ in step])

    assert torch.equal(run(1.0, 5), run(1.0, 5))
    assert not torch.equal(run(1.0, 5), run(1.0, 6))
    assert torch.equal(run(0.0, 5), run(0.0, 6)) and not torch.equal(run(0.0, 5), run(1.0, 5))


def test_a_clips_damage_is_its_own_whatever_else_is_in_the_batch(network):
    frames, labels = clips((2, 1), 3)
    with torch.no_grad():
        both = list(rollout(network, frames, labels, (2, 1), [Damage(1.0, chance(s)) for s in (5, 6)]))
        for b, (objects, seed) in enumerate(((2, 5), (1, 6))):
            one = slice(b, b + 1)
            alone = list(rollout(network, frames[one], labels[one], (objects,), [Damage(1.0, chance(seed))]))
            for together, single in zip(both, alone, strict=True):
                torch.testing.assert_close(together[b][0], single[0][0], atol=1e-3, rtol=1e-3)


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
        steps = list(rollout(network, frames, labels, (2,), amp=True))
    for hook in hooks:
        hook.remove()
    assert set(seen) == {torch.bfloat16}
    assert all(logits.dtype == torch.float32 for pairs in steps for logits, _ in pairs)
    loss = clip_loss(iter(steps), 1.0, 0.5)
    assert loss != exact and loss.item() == pytest.approx(exact.item(), rel=0.05)


def test_clip_loss_is_the_mean_over_frames_and_clips():
    pairs = [
        [(torch.randn(n + 1, 4, 5, generator=torch.Generator().manual_seed(10 * t + n)), labels) for n in (1, 2)]
        for t, labels in enumerate((torch.zeros(4, 5).long(), torch.ones(4, 5).long()))
    ]
    wanted = [bootstrapped_cross_entropy(x, y, 0.4) + 0.5 * soft_jaccard_loss(x, y) for step in pairs for x, y in step]
    assert clip_loss(iter(pairs), 0.4, 0.5).item() == pytest.approx(sum(wanted).item() / 4)


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
