"""The collaborative ensembler: its parts written out, hand cases of the background, samples kept apart."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import build, noise

from camn.config import PRESETS, DecoderStep, Ensembler, Stage, preset
from camn.model.attention import ChannelTransform, InstanceGate
from camn.model.ensembler import (
    CollaborativeEnsembler,
    DecoderUp,
    DynamicClassifier,
    Edges,
    GatedAtrousPyramid,
    GatedBottleneck,
    GatedStage,
    join_background,
)

torch.set_num_threads(1)
VECTOR = 6
counts = st.integers(1, 4)


def slow_gate(x, vector, gate: InstanceGate):
    weights = [1 + torch.tanh(gate.linear.weight @ v + gate.linear.bias) for v in vector]
    return torch.stack([y * w[:, None, None] for y, w in zip(x, weights, strict=True)])


def slow_transform(x, net: ChannelTransform):
    made = []
    for y in x:
        size = net.alpha * (y.flatten(1).square().sum(1) + 1e-5).sqrt()
        normed = size / (size.square().mean() + 1e-5).sqrt()
        made.append(y * (1 + torch.tanh(net.gamma * normed + net.beta))[:, None, None])
    return torch.stack(made)


def slow_conv(x, weight, stride=1, dilation=1):
    """A convolution by explicit windows; zeros beyond the border, size kept at stride 1."""
    reach = dilation * (weight.shape[-1] // 2)
    padded = F.pad(x, (reach,) * 4)
    rows = []
    for r in range(0, x.shape[2], stride):
        windows = [
            padded[:, :, r : r + 2 * reach + 1 : dilation, c : c + 2 * reach + 1 : dilation]
            for c in range(0, x.shape[3], stride)
        ]
        rows.append(torch.stack([torch.einsum("bcij,ocij->bo", w, weight) for w in windows], -1))
    return torch.stack(rows, -2)


def slow_norm(x, norm):
    parts = x.unflatten(1, (norm.num_groups, -1)).flatten(2)
    centred = parts - parts.mean(2, keepdim=True)
    normed = (centred / (centred.square().mean(2, keepdim=True) + norm.eps).sqrt()).view_as(x)
    return normed * norm.weight[:, None, None] + norm.bias[:, None, None]


def slow_bottleneck(x, net, stride, dilation):
    y = slow_norm(slow_conv(slow_transform(x, net.transform), net.conv1.weight), net.norm1).relu()
    y = slow_norm(slow_conv(y, net.conv2.weight, stride, dilation), net.norm2).relu()
    y = slow_norm(slow_conv(y, net.conv3.weight), net.norm3)
    if net.shortcut is not None:
        x = slow_norm(slow_conv(x, net.shortcut[0].weight, stride), net.shortcut[1])
    return (y + x).relu()


@given(
    h=st.integers(1, 6),
    w=st.integers(1, 6),
    widths=st.sampled_from([(8, 8), (6, 8)]),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 3),
)
@settings(max_examples=15)
def test_bottleneck_is_its_layers(h, w, widths, stride, dilation):
    net, x = build(GatedBottleneck(*widths, stride, dilation)), noise(2, widths[0], h, w)
    torch.testing.assert_close(net(x), slow_bottleneck(x, net, stride, dilation))


@pytest.mark.parametrize("down, dilations", [(False, (1, 2)), (True, (1, 2, 4))])
def test_later_stages_stride_first_then_join(down, dilations):
    net, vector = build(GatedStage(VECTOR, 4, 3 if down else 0, 8, dilations, down)), noise(2, VECTOR)
    x = noise(2, 4, 5, 7)
    joining = noise(2, 3, 3, 4, seed=2) if down else None
    y = x
    for i, (block, dilation) in enumerate(zip(net.blocks, dilations, strict=True)):
        if i == 1 and joining is not None:
            y = torch.cat([y, joining], 1)
        y = slow_bottleneck(slow_gate(y, vector, block.gate), block.bottleneck, 2 if down and i == 0 else 1, dilation)
    torch.testing.assert_close(net(x, joining, vector), y)


@pytest.mark.parametrize("size", [(1, 1), (4, 7), (3, 20)])
def test_atrous_pyramid_is_its_branches(size):
    net, x = build(GatedAtrousPyramid(4, 8)), noise(2, 4, *size)
    maps = [
        slow_norm(slow_conv(slow_transform(x, t), c.weight, dilation=d), n).relu()
        for t, c, n, d in zip(net.transforms, net.convolutions, net.norms, (1, 6, 12, 18), strict=True)
    ]
    whole = slow_conv(x.flatten(2).mean(2)[..., None, None], net.whole.weight).relu().repeat(1, 1, *size)
    joined = slow_transform(torch.cat([*maps, whole], 1), net.transform)
    torch.testing.assert_close(net(x), slow_norm(slow_conv(joined, net.join.weight), net.norm).relu())


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
def test_decoder_step_enlarges_joins_and_convolves(mode):
    net = build(DecoderUp(DecoderStep(4, 8, (6, 4)), VECTOR, 5, 3, mode))
    x, vector, skip, sample = noise(3, 5, 2, 3), noise(3, VECTOR, seed=2), noise(2, 3, 4, 5, seed=3), [1, 0, 1]
    side = slow_norm(slow_conv(slow_transform(skip, net.transform), net.skip.weight), net.skip_norm).relu()
    large = F.interpolate(x, (4, 5), mode=mode, align_corners=True)
    y = torch.stack([torch.cat([large[m], side[b]]) for m, b in enumerate(sample)])
    for gate, convolution, norm in zip(net.gates, net.convolutions, net.norms, strict=True):
        y = slow_norm(slow_conv(slow_gate(y, vector, gate), convolution.weight), norm).relu()
    torch.testing.assert_close(net(x, skip, vector, torch.tensor(sample)), y)
    torch.testing.assert_close(net(x, skip[sample], vector), y)


@given(objects=counts, channels=counts, h=st.integers(1, 4), w=st.integers(1, 4))
@settings(max_examples=15)
def test_classifier_is_made_of_the_instance_vector(objects, channels, h, w):
    net, x, vector = build(DynamicClassifier(VECTOR, channels)), noise(objects, channels, h, w), noise(objects, VECTOR)
    got = net(x, vector)
    for m in range(objects):
        weights = net.linear.weight @ vector[m] + net.linear.bias
        for r in range(h):
            for c in range(w):
                wanted = sum(weights[i] * x[m, i, r, c] for i in range(channels)) + weights[channels]
                torch.testing.assert_close(got[m, r, c], wanted)


def logits(*rows):
    return torch.tensor(rows, dtype=torch.double)[:, None]


def test_background_is_what_all_objects_leave():
    foreground, background = logits([1, 2], [3, 4]), logits([5, -6], [-7, 8])
    got = join_background(foreground, background, own_channel=False)
    assert got[:, 0].tolist() == [[-7, -6], [1, 2], [3, 4]]


def test_background_of_its_own_is_augmented_by_the_objects():
    foreground, background = logits([10, 20], [1, 2], [3, 4]), logits([-99, -99], [5, -6], [-7, 8])
    got = join_background(foreground, background, own_channel=True)
    assert got[:, 0].tolist() == [[3, 14], [1, 2], [3, 4]]  # entry 0 of the background's logits is heard by no one


def test_background_alone_stays_as_it_is():
    assert torch.equal(join_background(logits([1, 2]), logits([3, 4]), own_channel=True), logits([1, 2]))


def tiny(config: Ensembler) -> Ensembler:
    """The same shape of network at small widths."""
    return replace(
        config,
        stages=tuple(replace(s, width=8) for s in config.stages),
        decoder=tuple(replace(d, skip=8, widths=tuple(8 for _ in d.widths)) for d in config.decoder),
        high_level_width=8,
    )


def ensembler(config, scales, low=(3, 2)):
    return build(CollaborativeEnsembler(tiny(config), [4 + i for i in range(len(scales))], scales, VECTOR, low))


def arguments(scales, objects, frames=1, size=(33, 49), seed=1):
    maps = [
        noise(objects, 4 + i, *((s - 1) // stride + 1 for s in size), seed=seed + i) for i, stride in enumerate(scales)
    ]
    low = [noise(frames, 3 - i, *((s - 1) // k + 1 for s in size), seed=seed + 9 + i) for i, k in enumerate((4, 2))]
    return maps, noise(objects, VECTOR, seed=seed + 5), low


def test_edges_written_out():
    """What its parts give, layer by layer and object by object."""
    net, sample = build(Edges(VECTOR, 5, 3, 4)), torch.tensor([1, 0, 1])
    x, vector, stem = noise(3, 5, 3, 4), noise(3, VECTOR, seed=2), noise(2, 3, 5, 7, seed=3)
    logits = noise(3, 3, 4, seed=4), noise(3, 3, 4, seed=5)

    def large(one):
        return F.interpolate(one[None], (5, 7), mode="bilinear", align_corners=True)[0]

    got = net(x, logits, stem, vector, sample)
    for m, frame in enumerate(sample):
        seen = slow_conv(stem[frame, None], net.fine.weight)[0]
        coarse = slow_conv(large(x[m])[None], net.coarse.weight)[0] + net.coarse.bias[:, None, None]
        mixed = slow_conv((seen + coarse).relu()[None], net.mixed.weight)[0] + net.mixed.bias[:, None, None]
        for classifier, before, after in zip((net.foreground, net.background), logits, got, strict=True):
            *weights, bias = classifier.linear(vector[m])
            more = sum(w * channel for w, channel in zip(weights, mixed.relu(), strict=True)) + bias
            torch.testing.assert_close(after[m], large(before[m, None])[0] + more)


SHAPES = {name: (preset(name).ensembler, [s.stride for s in preset(name).scales]) for name in PRESETS}
SHAPES["coarse scale alone joins late"] = (
    Ensembler((Stage(4, 8, (1,)), Stage(8, 8, (1, 2)), Stage(16, 8, (1, 2))), (DecoderStep(8, 8, (8,)),)),
    [4, 16],
)
SHAPES["edges"] = (replace(preset("camn-mobile").ensembler, edges=6), [8, 16])


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("objects", [1, 3])
def test_shapes(name, objects):
    config, scales = SHAPES[name]
    maps, vector, low = arguments(scales, objects)
    pair = ensembler(config, scales)(maps, vector, low, torch.zeros(objects, dtype=torch.long))
    stride = 2 if config.edges else config.decoder[-1].stride
    assert all(x.shape == (objects, 32 // stride + 1, 48 // stride + 1) and x.isfinite().all() for x in pair)


@pytest.mark.parametrize("name", SHAPES)
def test_frames_decoded_together_are_each_decoded_alone(name):
    config, scales = SHAPES[name]
    net = ensembler(config, scales)
    maps, vector, low = arguments(scales, objects=3, frames=2)
    with torch.no_grad():
        together = net(maps, vector, low, torch.tensor([0, 0, 1]))
        for frame, mine in ((0, slice(0, 2)), (1, slice(2, 3))):
            zeros = torch.zeros(mine.stop - mine.start, dtype=torch.long)
            alone = net([m[mine] for m in maps], vector[mine], [m[frame : frame + 1] for m in low], zeros)
            for a, b in zip(together, alone, strict=True):
                torch.testing.assert_close(a[mine], b)


@pytest.mark.parametrize("name", ["camn-mobile", "cfbi-plus-r101", "edges"])
def test_as_many_frames_as_objects_keep_their_order(name):
    """One object a frame, in another order than the frames'."""
    config, scales = SHAPES[name]
    net = ensembler(config, scales)
    maps, vector, low = arguments(scales, objects=2, frames=2)
    with torch.no_grad():
        a = net(maps, vector, low, torch.tensor([1, 0]))
        b = net(maps, vector, [m.flip(0) for m in low], torch.tensor([0, 1]))
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y)


def test_gradients():
    config = Ensembler((Stage(8, 4, (1,)), Stage(16, 4, (1, 2))), (DecoderStep(4, 4, (4,)),), upsample="bilinear")
    net = build(CollaborativeEnsembler(replace(tiny(config), edges=3), [2, 2], [8, 16], 2, (2, 2)))
    maps = [noise(2, 2, 3, 3), noise(2, 2, 2, 2, seed=2)]
    lows = [noise(1, 2, 5, 5, seed=4), noise(1, 2, 9, 9, seed=5)]
    inputs = [x.requires_grad_() for x in (*maps, noise(2, 2, seed=3), *lows)]
    sample = torch.zeros(2, dtype=torch.long)
    torch.autograd.gradcheck(lambda a, b, v, *low: net([a, b], v, low, sample), inputs, fast_mode=True)
    outputs = net(inputs[:2], inputs[2], inputs[3:], sample)
    grads = torch.autograd.grad([x.square().sum() for x in outputs], list(net.parameters()))
    assert all(g.isfinite().all() for g in grads)
