"""Foreground-background memory against loops over objects, parts and positions."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import noise

from camn.errors import ConfigError
from camn.model.layers import attend
from camn.model.memory import Separation, SpaceTimeMemory

torch.set_num_threads(1)
SEPARATIONS: tuple[Separation, ...] = ("multiply", "prior")
sides = st.integers(1, 6)


def build(separation: Separation = "multiply", key_channels=3, value_channels=5, kernel=3):
    torch.manual_seed(0)
    return SpaceTimeMemory(4, key_channels, value_channels, separation, kernel).double()


def soft(*shape, seed=2):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def slow_parts(net, embedding, mask):
    """embedding (C, h, w), mask (h, w) -> foreground and background part, each (C, h, w)."""
    parts = []
    for share in (mask, 1 - mask):
        if net.prior is not None:
            share = torch.sigmoid(net.prior(torch.cat([embedding, share[None]])[None]))[0, 0]
        parts.append(embedding * share)
    return parts


def slow_recall(net, query_embedding, entries):
    """Softmax written out, one object, part and query position at a time."""
    query = net.query(query_embedding)[0].flatten(1)
    count, _, width, _ = entries[0].values.shape
    readout = torch.zeros(count, 2, width, query.shape[1], dtype=query.dtype)
    for n in range(count):
        read = [e for e in entries if e.valid is None or bool(e.valid[n])]
        for part in range(2):
            positions = [
                (e.keys[n, part, :, i], e.values[n, part, :, i]) for e in read for i in range(e.keys.shape[-1])
            ]
            for p in range(query.shape[1]):
                scores = [(query[:, p] @ key).item() / math.sqrt(len(key)) for key, _ in positions]
                weights = [math.exp(s - max(scores)) for s in scores]
                for weight, (_, value) in zip(weights, positions, strict=True):
                    readout[n, part, :, p] += weight / sum(weights) * value.detach()
    return readout.reshape(count, 2 * width, *query_embedding.shape[-2:])


@given(
    h=sides, w=sides, objects=st.integers(1, 3), shared=st.booleans(), separation=st.sampled_from(SEPARATIONS),
    kernel=st.sampled_from([1, 3]),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_remember_parts_then_makes_keys_and_values(h, w, objects, shared, separation, kernel):
    net = build(separation, kernel=kernel)
    embedding, masks = noise(1 if shared else objects, 4, h, w), soft(objects, h, w)
    entry = net.remember(embedding, masks)
    assert entry.keys.shape == (objects, 2, 3, h * w) and entry.values.shape == (objects, 2, 5, h * w)
    assert entry.valid is None
    for n in range(objects):
        parts = slow_parts(net, embedding[0 if shared else n], masks[n])
        for i, part in enumerate(parts):
            torch.testing.assert_close(entry.keys[n, i], net.key(part[None])[0].flatten(1))
            torch.testing.assert_close(entry.values[n, i], net.value(part[None])[0].flatten(1))


@given(
    h=sides, w=sides, sizes=st.lists(st.tuples(sides, sides), min_size=1, max_size=3), data=st.data(),
    widths=st.sampled_from([(3, 5), (4, 4), (5, 2)]),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_recall_is_a_softmax_over_all_positions_it_may_read(h, w, sizes, data, widths):
    net = build("multiply", *widths)
    entries = []
    for i, size in enumerate(sizes):
        entry = net.remember(noise(1, 4, *size, seed=i), soft(2, *size, seed=i))
        entries.append(entry.select(data.draw(st.sampled_from([[0, 1], [None, 1], [0, None], [None, None]]))))
    query = noise(1, 4, h, w, seed=9)
    torch.testing.assert_close(net.recall(query, entries), slow_recall(net, query, entries))


def test_recall_finds_the_position_that_matches():
    """Orthogonal keys of great length: each query reads its own position, foreground before background."""
    net = build(key_channels=4, value_channels=4, kernel=1)
    with torch.no_grad():
        for layer in (net.query, net.key, net.value):
            layer.weight.copy_(torch.eye(4)[:, :, None, None])
            layer.bias = None
    embedding = 100 * torch.eye(4, dtype=torch.double).reshape(1, 4, 2, 2)
    mask = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]], dtype=torch.double)
    readout = net.recall(embedding, [net.remember(embedding, mask)])
    foreground, background = readout[0, :4], readout[0, 4:]
    torch.testing.assert_close(foreground[:, 0], embedding[0, :, 0])
    torch.testing.assert_close(background[:, 1], embedding[0, :, 1])
    # A background pixel has nothing like it in the foreground: all four positions weigh the same.
    torch.testing.assert_close(foreground[:, 1, 0], torch.tensor([25.0, 25.0, 0, 0], dtype=torch.double))


def test_objects_do_not_see_each_other():
    net = build("prior")
    embedding, masks, query = noise(1, 4, 3, 5), soft(3, 3, 5), noise(1, 4, 3, 4, seed=5)
    together = net.recall(query, [net.remember(embedding, masks)])
    for n in range(3):
        alone = net.recall(query, [net.remember(embedding, masks[n : n + 1])])
        torch.testing.assert_close(together[n], alone[0])


def test_select_orders_objects_and_marks_the_unknown():
    entry = build().remember(noise(1, 4, 2, 3), soft(3, 2, 3))
    kept = entry.select([2, 0])
    assert kept.valid is None
    assert torch.equal(kept.keys, entry.keys[[2, 0]]) and torch.equal(kept.values, entry.values[[2, 0]])
    wider = entry.select([1, None, 0])
    assert wider.valid is not None and wider.valid.tolist() == [True, False, True]
    assert torch.equal(wider.values[[0, 2]], entry.values[[1, 0]]) and not wider.values[1].any()
    again = wider.select(torch.tensor([1, 2, -1]))  # unknown once, unknown for good
    assert again.valid is not None and again.valid.tolist() == [False, True, False]
    assert entry.valid is None and entry.keys.shape[0] == 3
    for wrong in ([3], [-2, 0]):
        with pytest.raises(IndexError, match="cannot select"):
            entry.select(wrong)


def test_the_unknown_changes_nothing():
    """An entry that does not know an object leaves its readout as without the entry; nobody knows it: zeros."""
    net = build()
    first = net.remember(noise(1, 4, 3, 3), soft(2, 3, 3))
    second = net.remember(noise(1, 4, 3, 3, seed=7), soft(2, 3, 3, seed=8))
    query = noise(1, 4, 2, 5, seed=3)
    both = net.recall(query, [first, second.select([0, None])])
    torch.testing.assert_close(both[0], net.recall(query, [first, second])[0])
    torch.testing.assert_close(both[1], net.recall(query, [first])[1])
    nobody = net.recall(query, [first.select([0, None]), second.select([0, None])])
    assert not nobody[1].any() and nobody[0].any()


@pytest.mark.parametrize("separation", SEPARATIONS)
def test_no_objects_keep_their_shape(separation):
    net = build(separation)
    entry = net.remember(noise(1, 4, 2, 3), soft(0, 2, 3))
    assert net.recall(noise(1, 4, 5, 4), [entry]).shape == (0, 10, 5, 4)
    assert not net.recall(noise(1, 4, 5, 4), [entry.select([None, None])]).any()
    with pytest.raises(ValueError, match="memory is empty"):
        net.recall(noise(1, 4, 2, 2), [])


class Round(torch.nn.Module):
    """Remember a frame twice, once without the first object, and recall: all of the memory as one function."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, embedding, masks, query):
        entry = self.net.remember(embedding, masks)
        return self.net.recall(query, [entry, entry.select([None, 0])])


@pytest.mark.parametrize("separation", SEPARATIONS)
@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_gradients(separation, size):
    once = Round(build(separation))
    names, weights = zip(*once.named_parameters(), strict=True)

    def run(embedding, masks, query, *weights):
        return torch.func.functional_call(once, dict(zip(names, weights, strict=True)), (embedding, masks, query))

    inputs = noise(1, 4, *size), soft(2, *size), noise(1, 4, *size, seed=4), *weights
    torch.autograd.gradcheck(run, [x.detach().clone().requires_grad_() for x in inputs])


def test_gradients_stay_finite_for_an_object_nobody_knows():
    net = build("prior")
    entry = net.remember(noise(1, 4, 2, 2), soft(2, 2, 2)).select([0, None])
    net.recall(noise(1, 4, 2, 2, seed=6), [entry]).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in net.parameters())


def test_the_prior_starts_near_the_mask():
    net = build("prior")
    masks = torch.tensor([[[1.0, 0.0]]], dtype=torch.double)
    shares = net.separate(torch.full((1, 4, 1, 2), 1e-9, dtype=torch.double), masks)[0, :, 0, 0] / 1e-9
    high, low = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(2))
    torch.testing.assert_close(shares, torch.tensor([[high, low], [low, high]], dtype=torch.double))


@given(keys=st.integers(1, 5), width=st.integers(1, 5), queries=sides, positions=sides)
@settings(max_examples=20, deadline=None)
def test_attend_is_softmax_of_scaled_products(keys, width, queries, positions):
    q, k, v = noise(2, 2, queries, keys), noise(2, 2, positions, keys, seed=2), noise(2, 2, positions, width, seed=3)
    allowed = soft(2, 1, 1, positions) > 0.5
    allowed[..., 0] = True
    scores = torch.einsum("bmqc,bmkc->bmqk", q, k) / math.sqrt(keys)
    torch.testing.assert_close(attend(q, k, v), F.softmax(scores, dim=-1) @ v)
    masked = F.softmax(scores.masked_fill(~allowed, -math.inf), dim=-1) @ v
    torch.testing.assert_close(attend(q, k, v, allowed), masked)


def test_contradictions_are_refused():
    with pytest.raises(ConfigError, match="'multiply' or 'prior'"):
        SpaceTimeMemory(4, 4, 4, "divide")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="even"):
        SpaceTimeMemory(4, 4, 4, kernel=2)
