"""STM against loops over objects and positions, and what must hold for padding and objects."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from camn import lean
from camn.config import StmConfig
from camn.model.stm import Stm, padding

CONFIG = StmConfig("small", blocks=(1, 1, 1), planes=4, key_channels=3, value_channels=5, width=6)
SIZE = (40, 50)


@pytest.fixture(scope="module")
def network() -> Stm:
    torch.manual_seed(0)
    return Stm(CONFIG).double().eval()


def image(seed: int = 0, size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def masks(objects: int, seed: int = 1, size: tuple[int, int] = SIZE) -> torch.Tensor:
    """(N+1, H, W) soft masks that sum to 1."""
    scores = torch.randn(objects + 1, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    return (3 * scores).softmax(0)


def entry(network: Stm, seed: int, objects: int = 2):
    return network.remember(network.label(network.encode(image(seed)), masks(objects, seed)))


@torch.no_grad()
def test_the_memory_encoder_sees_image_object_and_others(network):
    given = masks(3)
    made = network.remember(network.label(network.encode(image()), given))
    left, right, top, bottom = padding(*SIZE)
    assert made.keys.shape == (3, 1, 3, 3 * 4) and made.values.shape == (3, 1, 5, 3 * 4) and made.valid is None
    memory = network.memory
    weight = torch.cat([memory.conv1.weight, memory.conv1_object.weight, memory.conv1_others.weight], 1)
    for n in range(3):
        object, others = given[1 + n], sum(given[1 + k] for k in range(3) if k != n)
        picture = F.pad(image()[0], (left, right, top, bottom))  # black around, then normalised
        picture = (picture - torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)) / memory.std
        seen = torch.cat([picture, F.pad(torch.stack([object, others]), (left, right, top, bottom))])
        coarse = memory.maps(F.conv2d(seen[None], weight, stride=2, padding=3))[-1]
        torch.testing.assert_close(made.keys[n, 0], memory.key(coarse)[0].flatten(1), rtol=0, atol=1e-6)
        torch.testing.assert_close(made.values[n, 0], memory.value(coarse)[0].flatten(1), rtol=0, atol=1e-6)


@torch.no_grad()
def test_reading_is_a_softmax_over_all_positions_of_all_frames(network):
    entries = [entry(network, seed) for seed in (1, 2, 3)]
    entries[1] = entries[1].select([0, None])  # the second object was not known then
    query = network.encode(image(9))
    read = network.match(query, [], network.label(query, masks(2)), entries)
    key, own = query.key[0].flatten(1), query.value[0].flatten(1)
    for n, known in ((0, entries), (1, [entries[0], entries[2]])):
        for p in range(key.shape[1]):
            scores = [key[:, p] @ e.keys[n, 0, :, i] / math.sqrt(3) for e in known for i in range(e.keys.shape[-1])]
            values = [e.values[n, 0, :, i] for e in known for i in range(e.values.shape[-1])]
            shares = [math.exp(s - max(scores)) for s in scores]
            expected = sum(share / sum(shares) * value for share, value in zip(shares, values, strict=True))
            found = read.values[n].flatten(1)[:, p]
            torch.testing.assert_close(found, torch.cat([expected, own[:, p]]))


@torch.no_grad()
def test_objects_are_joined_by_soft_aggregation(network):
    query = network.encode(image(9))
    read = network.match(query, [], network.label(query, masks(2)), [entry(network, 1)])
    alone = network.alone([read], [2])
    left, _, top, _ = padding(*SIZE)
    alone = alone[:, top : top + SIZE[0], left : left + SIZE[1]]
    shares = torch.cat([(1 - alone).prod(0)[None], alone]).clamp(1e-7, 1 - 1e-7)
    odds = shares / (1 - shares)
    made = network.decode([read])[0].softmax(0)
    assert made.shape == (3, *SIZE)
    torch.testing.assert_close(made, odds / odds.sum(0))


@torch.no_grad()
def test_objects_in_another_order_are_answered_in_that_order(network):
    query, first, given = network.encode(image(9)), network.encode(image(1)), masks(3)
    answers = []
    for order in ([0, 1, 2, 3], [0, 3, 1, 2]):
        labelled = network.label(first, given[order])
        answers.append(network.decode([network.match(query, [], labelled, [network.remember(labelled)])])[0])
    torch.testing.assert_close(answers[0][[0, 3, 1, 2]], answers[1])


@torch.no_grad()
def test_frames_are_answered_one_by_one(network):
    made = [network.match(network.encode(image(s)), [], None, [entry(network, 1, n)]) for s, n in ((8, 1), (9, 3))]
    together = network.decode(made)
    assert [len(answer) for answer in together] == [2, 4]
    for one, answer in zip(made, together, strict=True):
        torch.testing.assert_close(network.decode([one])[0], answer)


@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_padding_is_halved_and_least(height, width):
    left, right, top, bottom = padding(height, width)
    assert (height + top + bottom) % 16 == 0 and (width + left + right) % 16 == 0
    assert 0 <= top <= bottom <= top + 1 and 0 <= left <= right <= left + 1 and top + bottom < 16 > left + right


@torch.no_grad()
def test_an_odd_size_is_the_padded_size_cropped(network):
    """A frame padded by hand answers the same inside, masks included: the padding belongs to the background."""
    around = padding(*SIZE)
    small, large = network.encode(image(9)), network.encode(F.pad(image(9), around))
    given = masks(2)
    entries = [network.remember(network.label(network.encode(image(1)), given))]
    whole = [network.remember(network.label(network.encode(F.pad(image(1), around)), F.pad(given, around)))]
    answer = network.decode([network.match(small, [], None, entries)])[0]
    padded = network.decode([network.match(large, [], None, whole)])[0]
    left, _, top, _ = around
    torch.testing.assert_close(answer, padded[:, top : top + SIZE[0], left : left + SIZE[1]])


@given(
    height=st.integers(1, 3000), width=st.integers(1, 3000), short=st.integers(32, 600), more=st.integers(0, 600)
)  # fmt: skip
def test_work_size(network, height, width, short, more):
    made = network.work_size(height, width, short, short + more)
    assert max(made) <= short + more and 1 <= made[0] <= height and 1 <= made[1] <= width
    if min(height, width) <= short and max(height, width) <= short + more:
        assert made == (height, width)


def test_published_sizes():
    with torch.device("meta"):
        network = Stm(StmConfig())
    assert sum(p.numel() for p in network.state_dict().values()) == pytest.approx(39e6, rel=0.02)
    assert network.decoder.squeeze.weight.shape == (256, 1024, 3, 3)


def test_an_empty_memory_is_refused(network):
    with pytest.raises(ValueError, match="memory is empty"):
        network.match(network.encode(image()), [], None, [])


@torch.no_grad()
def test_lean_answers_the_same(network):
    """Its batch norms are off their rest position, so that one forgotten would show."""
    network = Stm(CONFIG).double().eval()
    for tensor in network.state_dict().values():
        if tensor.dim() == 1:
            tensor.add_(0.3 * torch.rand_like(tensor))
    quick, answers = lean.of(network), []
    assert set(quick.parts()) == {"encode", "remember", "decode"}
    for net in (network, quick, quick.with_parts({n: part.forward for n, part in quick.parts().items()})):
        query = net.encode(image(9))
        entries = [entry(net, seed, 3) for seed in (1, 2)]
        answers.append(net.decode([net.match(query, [], net.label(query, masks(3)), entries)])[0])
    torch.testing.assert_close(answers[1], answers[0])
    assert torch.equal(answers[1], answers[2])
