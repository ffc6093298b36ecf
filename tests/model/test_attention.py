"""Instance vectors, instance gates and channel transforms against their formulas, number by number."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import build, noise

from camn.model.attention import EPSILON, ChannelTransform, InstanceGate, Sums, instance_vector

torch.set_num_threads(1)
sides = st.integers(1, 6)
counts = st.integers(1, 4)


@given(objects=counts, channels=counts, vector=counts, h=sides, w=sides)
@settings(max_examples=15)
def test_gate_weighs_each_channel_of_each_object(objects, channels, vector, h, w):
    net, x, a = build(InstanceGate(vector, channels)), noise(objects, channels, h, w), noise(objects, vector, seed=2)
    got = net(x, a)
    for m in range(objects):
        for c in range(channels):
            dot = sum(net.linear.weight[c, v].item() * a[m, v].item() for v in range(vector))
            torch.testing.assert_close(got[m, c], x[m, c] * (1 + math.tanh(dot + net.linear.bias[c].item())))


@given(objects=counts, channels=counts, h=sides, w=sides)
@settings(max_examples=15)
def test_channel_transform_is_its_formula(objects, channels, h, w):
    net, x = build(ChannelTransform(channels)), noise(objects, channels, h, w)
    got = net(x)
    for m in range(objects):
        sizes = [
            net.alpha[c].item() * math.sqrt(sum(v * v for v in x[m, c].flatten().tolist()) + EPSILON)
            for c in range(channels)
        ]
        rms = math.sqrt(sum(s * s for s in sizes) / channels + EPSILON)
        for c in range(channels):
            gate = 1 + math.tanh(net.gamma[c].item() * sizes[c] / rms + net.beta[c].item())
            torch.testing.assert_close(got[m, c], x[m, c] * gate)


def test_fresh_channel_transform_changes_nothing():
    x = noise(2, 3, 4, 5)
    assert torch.equal(ChannelTransform(3).double()(x), x)


def slow_means(frames, n):
    """Mean embedding where object n is, and where it is not, weighed by its soft mask, over all frames together."""
    channels = len(frames[0][0])
    inside, rest, area, other = [0.0] * channels, [0.0] * channels, EPSILON, EPSILON
    for embedding, masks in frames:
        for y in range(masks.shape[1]):
            for x in range(masks.shape[2]):
                m = masks[n, y, x].item()
                area, other = area + m, other + 1 - m
                for c in range(channels):
                    inside[c] += m * embedding[c, y, x].item()
                    rest[c] += (1 - m) * embedding[c, y, x].item()
    return [v / area for v in inside] + [v / other for v in rest]


@given(sizes=st.lists(st.tuples(sides, sides), min_size=1, max_size=3), objects=counts, channels=counts)
@settings(max_examples=15)
def test_instance_vector_is_four_means(sizes, objects, channels):
    frames = [(noise(channels, *s, seed=i), noise(objects, *s, seed=9 + i).sigmoid()) for i, s in enumerate(sizes)]
    sums = [Sums.of(*frame) for frame in frames]
    got = instance_vector(sums, sums[-1])
    wanted = [slow_means(frames, n) + slow_means(frames[-1:], n) for n in range(objects)]
    torch.testing.assert_close(got, torch.tensor(wanted, dtype=torch.double))


def test_absent_objects_have_a_vector_too():
    embedding = noise(2, 3, 3)
    nobody, all_of_it = torch.zeros(1, 3, 3).double(), torch.ones(1, 3, 3).double()
    got = instance_vector([Sums.of(embedding, nobody)], Sums.of(embedding, all_of_it))
    mean = embedding.mean((1, 2))
    torch.testing.assert_close(got[0], torch.cat([0 * mean, mean, mean, 0 * mean]), atol=1e-5, rtol=1e-5)


def test_gradients():
    gate, transform = build(InstanceGate(3, 2)), build(ChannelTransform(2))
    x, masks = noise(2, 2, 3, 3).requires_grad_(), noise(2, 3, 3, seed=4).sigmoid().requires_grad_()
    torch.autograd.gradcheck(gate, (x, noise(2, 3, seed=2).requires_grad_()))
    torch.autograd.gradcheck(transform, (x,))

    def vector(embeddings, masks):
        sums = [Sums.of(embedding, masks) for embedding in embeddings]
        return instance_vector(sums, sums[1])

    torch.autograd.gradcheck(vector, (x, masks))
    loss = (gate(x, noise(2, 3)) + transform(x)).square().sum()
    for grad in torch.autograd.grad(loss, [*gate.parameters(), *transform.parameters()]):
        assert grad.isfinite().all() and grad.any()


def test_gradients_of_an_empty_map_are_finite():
    x = torch.zeros(1, 2, 3, 3, dtype=torch.double, requires_grad=True)
    build(ChannelTransform(2))(x).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
