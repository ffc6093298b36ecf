"""The shared memory against the memory that keeps every object's positions apart."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import noise

from camn.lean import memory
from camn.lean.memory import AWAY, EDGE, NEGLIGIBLE, WITHIN, SharedMemory, lean_memory
from camn.model.memory import SpaceTimeMemory

torch.set_num_threads(1)
sides = st.integers(1, 9)
seeds = st.integers(0, 1000)


def build(kernel=3, strength=1.0):
    torch.manual_seed(0)
    net = SpaceTimeMemory(4, 3, 5, "multiply", kernel).double()
    with torch.no_grad():
        net.key.weight.mul_(strength)
    return net


def blobs(count, h, w, seed):
    """Masks that are empty, full, or soft, in rectangles that overlap and leave the frame, some nowhere at all."""
    draw = torch.Generator().manual_seed(seed)
    masks = torch.zeros(count, h, w, dtype=torch.double)
    for mask in masks:
        y, x, height, width = (int(torch.randint(-1, n + 1, (), generator=draw)) for n in (h, w, h, w))
        mask[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = 1
        soft = torch.rand(h, w, generator=draw, dtype=torch.double)
        mask.copy_(torch.where(soft < 0.05, (soft * 20).clamp(0.01, 0.99), mask))
    return masks


@torch.no_grad()
@given(
    h=sides, w=sides, sizes=st.lists(st.tuples(sides, sides), min_size=1, max_size=3), objects=st.integers(1, 4),
    kernel=st.sampled_from([1, 3]), seed=seeds, data=st.data(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_reads_what_the_memory_reads(h, w, sizes, objects, kernel, seed, data):
    """Whatever the masks, the frames' sizes, and which objects are known on which frame."""
    net = build(kernel)
    shared, apart, together = SharedMemory(net), [], []
    for i, size in enumerate(sizes):
        embedding, masks = noise(1, 4, *size, seed=seed + i), blobs(objects, *size, seed=seed + i)
        wanted = data.draw(st.lists(st.sampled_from([None, *range(objects)]), min_size=objects, max_size=objects))
        apart.append(net.remember(embedding, masks).select(wanted))
        together.append(shared.remember(embedding, masks).select(wanted))
    query = noise(1, 4, h, w, seed=seed + 9)
    torch.testing.assert_close(shared.recall(query, together), net.recall(query, apart))


@torch.no_grad()
def test_tiles_change_nothing(monkeypatch):
    net = build()
    shared, entries = SharedMemory(net), []
    for i in range(3):
        entries.append(shared.remember(noise(1, 4, 7, 9, seed=i), blobs(3, 7, 9, seed=i)))
    whole = shared.recall(noise(1, 4, 6, 5), entries)
    monkeypatch.setattr(memory, "ROWS", 7)
    monkeypatch.setattr(memory, "COLUMNS", 3)
    monkeypatch.setattr(memory, "OBJECTS_A_WORD", 2)
    torch.testing.assert_close(shared.recall(noise(1, 4, 6, 5), entries), whole)


@torch.no_grad()
def test_distant_logits_do_not_drown_each_other():
    """Keys of great length: what one part reads has no weight at all beside what another reads of the same frame."""
    net = build(strength=100.0)
    shared, embedding = SharedMemory(net.float()), noise(1, 4, 8, 8).float()
    masks = torch.zeros(2, 8, 8)
    masks[0, :, :5], masks[1, 2:6, 2:6] = 1, 1
    query = 10 * noise(1, 4, 4, 4, seed=3).float()
    got = shared.recall(query, [shared.remember(embedding, masks)])
    torch.testing.assert_close(got, net.recall(query, [net.remember(embedding, masks)]), atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_only_edges_are_an_objects_own():
    """A soft column down the middle: within a pixel of it is the edge, left of that is within, right of it away."""
    masks = torch.zeros(1, 3, 9)
    masks[..., :4], masks[..., 4], masks[..., 5:] = 1, 0.5, NEGLIGIBLE / 2
    entry = SharedMemory(build().float()).remember(noise(1, 4, 3, 9).float(), masks)
    assert entry.place[0].view(3, 9)[1].tolist() == [WITHIN] * 3 + [EDGE] * 3 + [AWAY] * 3
    own = entry.own[0]
    assert own is not None and own.keys.shape == (2, 9, 4) and own.values.shape == (2, 9, 6)
    assert entry.keys.shape == (27, 4) and entry.values.shape == (27, 6)


@torch.no_grad()
def test_what_is_negligible_changes_little():
    net = build()
    shared, embedding, masks = SharedMemory(net), noise(1, 4, 9, 9), blobs(3, 9, 9, seed=3)
    soft = masks.clamp(NEGLIGIBLE, 1 - NEGLIGIBLE)
    query = noise(1, 4, 5, 5, seed=4)
    got = shared.recall(query, [shared.remember(embedding, soft)])
    torch.testing.assert_close(got, net.recall(query, [net.remember(embedding, soft)]), atol=20 * NEGLIGIBLE, rtol=0)


@torch.no_grad()
def test_select_refuses_what_is_not_there_and_no_objects_keep_their_shape():
    shared = SharedMemory(build())
    entry = shared.remember(noise(1, 4, 3, 4), blobs(2, 3, 4, seed=1))
    assert shared.recall(noise(1, 4, 2, 3), [entry.select([])]).shape == (0, 10, 2, 3)
    assert not shared.recall(noise(1, 4, 2, 3), [entry.select([]).select([None])]).any()
    again = entry.select([1, None]).select(torch.tensor([1, 0, -1]))  # unknown once, unknown for good
    assert [own is None for own in again.own] == [True, False, True]
    assert torch.equal(again.place[1], entry.place[1]) and (again.place[[0, 2]] == EDGE).all()
    for wrong in ([2], [-2, 0]):
        with pytest.raises(IndexError, match="cannot select"):
            entry.select(wrong)
    with pytest.raises(ValueError, match="memory is empty"):
        shared.recall(noise(1, 4, 2, 2), [])


def test_a_memory_with_a_prior_shares_nothing():
    net = SpaceTimeMemory(4, 3, 5, "prior")
    assert lean_memory(net) is net and isinstance(lean_memory(build()), SharedMemory)
    with pytest.raises(ValueError, match="spatial prior"):
        SharedMemory(net)
