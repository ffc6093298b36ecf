"""Clip rollout against a step-by-step one of each clip alone; one-hot labels and the clip's loss by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.config import preset
from camn.masks import IGNORE
from camn.model.network import Camn, enlarge
from camn.training.losses import bootstrapped_cross_entropy, soft_jaccard_loss
from camn.training.sequence import clip_loss, one_hot, rollout

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


def slow_rollout(network, frames, labels, objects):
    """One clip, frame by frame, each encoded alone."""
    size = frames.shape[-2:]
    first = previous = network.label(network.encode(frames[:1]), one_hot(labels[0], objects))
    entries, answers = [network.remember(first)], []
    for t in range(1, len(frames)):
        embedding = network.encode(frames[t : t + 1])
        logits = enlarge(network.decode([network.match(embedding, [first], previous, entries)])[0], size)
        answers.append(logits)
        previous = network.label(embedding, logits.detach().softmax(0))
        entries.append(network.remember(previous))
    return answers


@pytest.mark.parametrize("objects, length", [((2,), 4), ((1, 3), 3)])
def test_rollout_of_clips_together_is_each_alone(network, objects, length):
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


def test_clip_loss_is_the_mean_over_frames_and_clips():
    pairs = [
        [(torch.randn(n + 1, 4, 5, generator=torch.Generator().manual_seed(10 * t + n)), labels) for n in (1, 2)]
        for t, labels in enumerate((torch.zeros(4, 5).long(), torch.ones(4, 5).long()))
    ]
    wanted = [bootstrapped_cross_entropy(x, y, 0.4) + 0.5 * soft_jaccard_loss(x, y) for step in pairs for x, y in step]
    assert clip_loss(iter(pairs), 0.4, 0.5).item() == pytest.approx(sum(wanted).item() / 4)


def test_gradient_descent_fits_a_clip():
    """The whole way from loss to weights: some steps on one clip bring its loss well down."""
    torch.manual_seed(0)
    network = Camn(preset("camn-mobile"))
    frames, labels = clips((1,), 2)
    optimizer = torch.optim.Adam([p for n, p in network.named_parameters() if not n.startswith("backbone.")], 2e-3)
    losses = []
    for _ in range(12):
        loss = clip_loss(rollout(network, frames, labels, (1,)), 1.0, 0.5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
