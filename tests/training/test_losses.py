"""Losses against NumPy loops over pixels, with ignored ones, hard fractions and gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from camn.masks import IGNORE
from camn.training import losses
from camn.training.losses import hard_fraction

torch.set_num_threads(1)
sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))
objects = st.integers(1, 3)
seeds = st.integers(0, 1000)


def example(objects, size, seed, ignored=0.2):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, objects + 1, size)
    labels[rng.random(size) < ignored] = IGNORE
    return torch.from_numpy(rng.normal(size=(objects + 1, *size)) * 2), torch.from_numpy(labels)


def bootstrapped_cross_entropy(logits, labels, fraction):
    """Of one clip."""
    return losses.bootstrapped_cross_entropy(logits[None], labels[None], fraction)[0]


def soft_jaccard_loss(logits, labels):
    """Of one clip."""
    return losses.soft_jaccard_loss(logits[None], labels[None])[0]


def slow_softmax(scores):
    e = np.exp(scores - scores.max())
    return e / e.sum()


@given(objects=objects, size=sizes, seed=seeds, fraction=st.floats(0.01, 1))
@settings(max_examples=50)
def test_cross_entropy_is_the_mean_of_the_hardest_labelled_pixels(objects, size, seed, fraction):
    logits, labels = example(objects, size, seed)
    found = [
        -np.log(slow_softmax(logits[:, y, x].numpy())[labels[y, x]])
        for y in range(size[0])
        for x in range(size[1])
        if labels[y, x] != IGNORE
    ]
    count = max(1, round(fraction * len(found)))
    wanted = np.mean(sorted(found, reverse=True)[:count]) if found else 0.0
    assert bootstrapped_cross_entropy(logits, labels, fraction).item() == pytest.approx(wanted)


@given(objects=objects, size=sizes, seed=seeds)
@settings(max_examples=50)
def test_jaccard_is_the_mean_over_objects(objects, size, seed):
    logits, labels = example(objects, size, seed)
    scores = []
    for n in range(1, objects + 1):
        both = either = 0.0
        for y in range(size[0]):
            for x in range(size[1]):
                if labels[y, x] != IGNORE:
                    p, t = slow_softmax(logits[:, y, x].numpy())[n], float(labels[y, x] == n)
                    both, either = both + p * t, either + p + t - p * t
        scores.append((both + 1) / (either + 1))
    assert soft_jaccard_loss(logits, labels).item() == pytest.approx(1 - np.mean(scores))


@pytest.mark.parametrize("loss", [lambda x, y: bootstrapped_cross_entropy(x, y, 0.5), soft_jaccard_loss])
def test_ignored_pixels_are_not_seen(loss):
    logits, labels = example(2, (4, 4), 3, ignored=0.4)
    other = torch.where((labels == IGNORE)[None], 50 * torch.ones_like(logits), logits)
    assert (labels == IGNORE).any() and loss(logits, labels) == loss(other, labels)
    logits = logits.requires_grad_()
    loss(logits, labels).backward()
    assert not logits.grad[:, labels == IGNORE].any()


def test_nothing_labelled_is_no_loss_and_no_gradient():
    logits = torch.randn(3, 2, 2).requires_grad_()
    labels = torch.full((2, 2), IGNORE)
    loss = bootstrapped_cross_entropy(logits, labels, 0.5) + soft_jaccard_loss(logits, labels)
    loss.backward()
    assert loss.item() == 0 and not logits.grad.any()


def test_right_answers_cost_nothing_and_absent_objects_count_as_right():
    labels = torch.tensor([[0, 1], [1, 0]])
    logits = 100 * torch.stack([labels == 0, labels == 1, labels == 2]).double()
    assert soft_jaccard_loss(logits, labels).item() == pytest.approx(0)
    assert bootstrapped_cross_entropy(logits, labels, 0.3).item() == pytest.approx(0)


@pytest.mark.parametrize("fraction", [0.3, 1.0])
def test_gradients(fraction):
    logits, labels = example(2, (3, 4), 5)
    logits = logits.requires_grad_()
    torch.autograd.gradcheck(lambda x: bootstrapped_cross_entropy(x, labels, fraction), (logits,))
    torch.autograd.gradcheck(lambda x: soft_jaccard_loss(x, labels), (logits,))


def test_hard_fraction_falls_over_the_first_half():
    at = [hard_fraction(step, 100, 1.0, 0.3) for step in (0, 25, 50, 75, 100)]
    assert at == pytest.approx([1.0, 0.65, 0.3, 0.3, 0.3])
    assert hard_fraction(0, 1, 1.0, 0.3) == 1.0


@given(counts=st.lists(objects, min_size=1, max_size=3), seed=seeds, fraction=st.floats(0.01, 1))
@settings(max_examples=30)
def test_clips_together_are_each_alone(counts, seed, fraction):
    """Padded to the most objects that one has, and with a share of ignored pixels of its own."""
    alone = [example(n, (4, 5), seed + b, 0.3 * b) for b, n in enumerate(counts)]
    most = max(counts)
    padding = [torch.full((most - n, 4, 5), -1e4, dtype=torch.float64) for n in counts]
    logits = torch.stack([torch.cat([x, empty]) for (x, _), empty in zip(alone, padding, strict=True)])
    labels = torch.stack([y for _, y in alone])
    present = torch.arange(most) < torch.tensor(counts)[:, None]
    got = losses.bootstrapped_cross_entropy(logits, labels, fraction)
    torch.testing.assert_close(got, torch.stack([bootstrapped_cross_entropy(x, y, fraction) for x, y in alone]))
    got = losses.soft_jaccard_loss(logits, labels, present)
    torch.testing.assert_close(got, torch.stack([soft_jaccard_loss(x, y) for x, y in alone]))
