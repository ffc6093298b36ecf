"""The whole network: every preset builds, every part runs in it, objects are interchangeable, gradients arrive."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from camn import lean
from camn.config import PRESETS, DecoderStep, Ensembler, Matching, Memory, ModelConfig, Scale, Stage, preset
from camn.model.network import Camn, Embedding, Labelled, enlarge, work_size

torch.set_num_threads(1)
SIZE = (65, 97)


def frames(count, dtype=torch.float32, seed=1, size=SIZE):
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def masks(objects, dtype=torch.float32, seed=2, size=SIZE):
    """(N+1, H, W) soft masks that add up to one; each object has a place of its own, whatever their order."""
    seeds = torch.randn(objects + 1, 5, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.double) * 6
    return enlarge(seeds, size).softmax(0).to(dtype)


def segment(network, images, first, known=None):
    """Roll out: images (T, 3, H, W), masks of frame 0 -> logits (N+1, h, w) of each later frame, at the decoder's."""
    embedded = network.encode(images)
    start = network.label(embedded[0], first if known is None else known)
    previous, entries, answers = start, [], []
    for t in range(1, len(images)):
        if network.memory is not None:
            entries.append(network.remember(previous))
        (logits,) = network.decode([network.match(embedded[t], [start], previous, entries)])
        answers.append(logits)
        previous = network.label(embedded[t], enlarge(logits, images.shape[-2:]).softmax(0))
    return answers


@pytest.mark.parametrize("name", PRESETS)
def test_presets_build(name):
    with torch.device("meta"):
        network = Camn(preset(name))
    trained = {n for n, p in network.named_parameters() if p.requires_grad}
    assert trained and "mean" not in network.state_dict()  # normalisation is configuration, not weights


@pytest.mark.parametrize("name", [n for n in PRESETS if n.endswith(("r50", "base")) or "mobile" in n])
@pytest.mark.parametrize("objects", [1, 3])
def test_presets_run(name, objects):
    torch.manual_seed(0)
    network = Camn(preset(name)).eval()
    with torch.no_grad():
        (logits,) = segment(network, frames(2), masks(objects))
    size = (33, 49) if preset(name).ensembler.edges else (17, 25)
    assert logits.shape == (objects + 1, *size) and logits.isfinite().all()


def mobile():
    """camn-mobile in double, its gates and biases off their rest position."""
    torch.manual_seed(0)
    network = Camn(preset("camn-mobile")).double()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return network


@given(objects=st.integers(1, 4), data=st.data())
@settings(max_examples=6)
def test_permuted_objects_permute_the_answer(objects, data):
    order = [0, *data.draw(st.permutations(range(1, objects + 1)))]
    network, images, first = mobile(), frames(3, torch.double), masks(objects, torch.double)
    with torch.no_grad():
        for a, b in zip(segment(network, images, first), segment(network, images, first[order]), strict=True):
            torch.testing.assert_close(a[order], b)


def test_permuted_objects_with_a_background_channel():
    torch.manual_seed(0)
    network, order = Camn(small()).double(), [0, 3, 1, 2]
    images, first = frames(3, torch.double), masks(3, torch.double)
    with torch.no_grad():
        for a, b in zip(segment(network, images, first), segment(network, images, first[order]), strict=True):
            torch.testing.assert_close(a[order], b)


@pytest.mark.parametrize("own", [True, False])
def test_frames_encoded_and_decoded_together_are_each_alone(own):
    config = small(ensembler=dataclasses.replace(small().ensembler, background_channel=own))
    torch.manual_seed(0)
    network, images = Camn(config).double(), frames(4, torch.double)
    with torch.no_grad():
        embedded = network.encode(images)
        for i in range(4):
            alone = network.encode(images[i : i + 1])
            for a, b in zip((*embedded[i].maps, *embedded[i].keys), (*alone.maps, *alone.keys), strict=True):
                torch.testing.assert_close(a, b)
        matched = []
        for i, objects in ((0, 1), (2, 3)):
            known = network.label(embedded[i], masks(objects, torch.double))
            matched.append(network.match(embedded[i + 1], [known], known, [network.remember(known)]))
        for together, one in zip(network.decode(matched), matched, strict=True):
            torch.testing.assert_close(together, network.decode([one])[0])


def test_selected_channels_are_those_of_a_frame_labelled_so():
    network, first = mobile(), masks(3, torch.double)
    with torch.no_grad():
        embedding = network.encode(frames(1, torch.double))
        known = network.label(embedding, first)
        chosen = known.select([0, 3, None, 1])
        again = network.label(embedding, torch.stack([first[0], first[3], torch.zeros(SIZE).double(), first[1]]))
    assert chosen.embedding is known.embedding
    for a, b, scale in zip(chosen.masks, again.masks, preset("camn-mobile").scales, strict=True):
        torch.testing.assert_close(a, b)
        assert a.shape == (4, *((s - 1) // scale.stride + 1 for s in SIZE)) and not a[2].any()


def test_selection_by_hand():
    plane = torch.arange(3.0)[:, None, None].expand(3, 1, 2)
    embedding = Embedding((), (), torch.zeros(0))
    assert Labelled(embedding, (plane,)).select([2, None, 2]).masks[0][:, 0, 0].tolist() == [2, 0, 2]


def test_area_masks_are_means_over_cells():
    """On sides 16 k + 1: the cell of map pixel i reaches stride / 2 to each side of frame pixel stride * i."""
    network, first = mobile(), masks(2, torch.double)
    known = network.label(network.encode(frames(1, torch.double)), first)
    for got, stride in zip(known.masks, (8, 16), strict=True):
        for r in range(got.shape[1]):
            for c in range(got.shape[2]):
                top, left = max(stride * r - stride // 2, 0), max(stride * c - stride // 2, 0)
                cell = first[:, top : stride * r + stride // 2 + 1, left : stride * c + stride // 2 + 1]
                torch.testing.assert_close(got[:, r, c], cell.mean((1, 2)))


def test_an_object_unknown_on_the_first_frame_is_answered():
    """Given on a later reference only: absent from the first, and from that frame's memory."""
    network = mobile()
    with torch.no_grad():
        embedded = network.encode(frames(3, torch.double))
        early = network.label(embedded[0], masks(1, torch.double)).select([0, 1, None])
        late = network.label(embedded[1], masks(2, torch.double))
        entries = [network.remember(early).select([0, None]), network.remember(late)]
        (logits,) = network.decode([network.match(embedded[2], [early, late], late, entries)])
    assert logits.shape == (3, 33, 49) and logits.isfinite().all()


def test_gradients_reach_every_parameter():
    network, (*_, last) = mobile(), [None]
    *_, last = segment(network, frames(3, torch.double), masks(2, torch.double))
    last.square().mean().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    broken = [n for n, p in network.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
    assert not silent and not broken


@given(
    height=st.integers(32, 3000),
    width=st.integers(32, 3000),
    short=st.integers(33, 800),
    longer=st.floats(1, 3),
)
@settings(max_examples=300)
def test_work_sizes(height, width, short, longer):
    """Sides 16 k + 1, each the nearest to a frame scaled to the short side or, where that is too long, to max_side."""
    most = int(short * longer)
    scale = min(short / min(height, width), most / max(height, width))
    for side, wanted in zip(work_size(height, width, short, most), (height * scale, width * scale), strict=True):
        assert side % 16 == 1 and side >= 17
        assert abs(side - wanted) <= 8 + 1e-9 or side in (17, (most - 1) // 16 * 16 + 1)
        assert side <= most


@pytest.mark.parametrize("most", [1040, 1041, 721, 900])
def test_work_size_stays_within_the_longest_side(most):
    for width in range(854, 2400, 7):
        assert max(work_size(480, width, 480, most)) <= most


def test_work_size_by_hand():
    assert work_size(480, 854, 480, 1040) == (481, 849)
    assert work_size(1080, 1920, 480, 1040) == (481, 849)
    assert work_size(1920, 1080, 480, 1040) == (849, 481)


# --- every part in one network ---------------------------------------------------------------------------------------


def small(**fields) -> ModelConfig:
    """A narrow network with every part, over the smallest backbone."""
    config = ModelConfig(
        name="small",
        backbone="efficientnet_lite0",
        scales=(Scale(4, 16, 8, (2, 4), 2, 2, 10), Scale(8, 16, 8, (1, 2)), Scale(16, 24, 8, (1, 2))),
        ensembler=Ensembler(
            (Stage(4, 16, (1, 2)), Stage(8, 16, (1, 2)), Stage(16, 16, (1, 2))),
            (DecoderStep(4, 8, (8,)),),
            high_level="fpa",
            high_level_width=16,
        ),
        deeplab=16,
        context="base",
        context_keys=8,
        path_aggregation=True,
        memory=Memory("multiply", 8, 8),
    )
    return dataclasses.replace(config, **fields)


def ensemble(**fields):
    return {"ensembler": dataclasses.replace(small().ensembler, **fields)}


ONE = (Scale(4, 32, 32, (2, 4)),)
SINGLE = {"scales": ONE, "pyramid": "single", "context": "none", "path_aggregation": False, "memory": None}
PARTS = {
    "as it is": {},
    "memory by prior": {"memory": Memory("prior", 8, 8)},
    "no memory": {"memory": None},
    "context none": {"context": "none"},
    "context pyramid": {"context": "pyramid"},
    "context aspp": {"context": "aspp"},
    "no path aggregation": {"path_aggregation": False},
    "aspp": ensemble(high_level="aspp"),
    "no background channel": ensemble(background_channel=False),
    "pre-head": ensemble(pre_head=8),
    "bilinear": ensemble(upsample="bilinear"),
    "decoder of two steps": ensemble(decoder=(DecoderStep(8, 8, (8,)), DecoderStep(4, 8, (8, 8)))),
    "no stage at the last step": {
        "scales": small().scales[1:],
        "deeplab": 0,
        **ensemble(stages=small().ensembler.stages[1:], decoder=(DecoderStep(8, 8, (8,)), DecoderStep(4, 8, (8, 8)))),
    },
    "no deeplab": {"deeplab": 0},
    "cosine, area": {"matching": Matching("cosine", "area")},
    "half size windows": {"matching": Matching(half_size_windows=True)},
    "single pyramid": {**SINGLE, "deeplab": 32},
    "two scales": {"scales": small().scales[::2]},
    "mobilenet": {"backbone": "mobilenet_v2", "bgr": True},
    "resnet": {"backbone": "resnet50"},
    "edges": ensemble(edges=8),
    "edges, mobilenet": {"backbone": "mobilenet_v2", **ensemble(edges=8, background_channel=False)},
    "edges, resnet": {"backbone": "resnet50", **ensemble(edges=8)},
    "edges, lite2": {"backbone": "efficientnet_lite2", **ensemble(edges=8)},
}


@pytest.mark.parametrize("name", PARTS)
def test_each_part_runs_and_learns(name):
    torch.manual_seed(0)
    network = Camn(small(**PARTS[name]))
    answers = segment(network, frames(3), masks(2))
    size = (33, 49) if "edges" in name else (17, 25)
    assert all(x.shape == (3, *size) and x.isfinite().all() for x in answers)
    torch.stack(answers).square().mean().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)
    assert {n for n, p in network.named_parameters() if p.grad is None} == set()


@pytest.mark.parametrize("name", ["memory by prior", "context pyramid", "aspp", "no path aggregation"])
def test_a_choice_makes_a_difference(name):
    """The same seed, another part: another network."""
    answers = []
    for config in (small(), small(**PARTS[name])):
        torch.manual_seed(0)
        with torch.no_grad():
            answers.append(segment(Camn(config), frames(3), masks(2))[-1])
    assert not torch.allclose(*answers)


def test_edges_change_nothing_until_they_are_trained():
    """So that a trained network may be given them."""
    torch.manual_seed(0)
    plain, edged = Camn(small()), Camn(small(**PARTS["edges"]))
    assert {k for k, _ in edged.named_parameters()} - {k for k, _ in plain.named_parameters()}
    edged.load_state_dict(plain.state_dict(), strict=False)
    with torch.no_grad():
        for a, b in zip(segment(plain, frames(2), masks(1)), segment(edged, frames(2), masks(1)), strict=True):
            torch.testing.assert_close(enlarge(a, b.shape[-2:]), b)


def test_a_network_without_memory_remembers_nothing():
    network = Camn(small(memory=None))
    with pytest.raises(ValueError, match="small has no space-time memory"):
        network.remember(network.label(network.encode(frames(1)), masks(1)))


def test_blue_first_is_red_first_turned_round():
    torch.manual_seed(0)
    rgb, bgr = Camn(small()), Camn(small(bgr=True))
    bgr.load_state_dict(rgb.state_dict())
    images = frames(1)
    with torch.no_grad():
        torch.testing.assert_close(bgr.encode(images).maps[0], rgb.encode(images.flip(1)).maps[0])


def test_frames_of_an_embedding_end_with_the_last():
    embedding = Embedding((torch.rand(2, 3, 5, 5),), (torch.rand(2, 3, 5, 5),), (torch.rand(2, 4, 9, 9),))
    assert [torch.equal(e.low[0], embedding.low[0][b : b + 1]) for b, e in enumerate(embedding)] == [True, True]
    for index in (2, -1):
        with pytest.raises(IndexError, match=f"frame {index} of 2"):
            embedding[index]


# --- for inference only ----------------------------------------------------------------------------------------------


def shaken(config: ModelConfig) -> Camn:
    """In double, with its gates, norms and biases off their rest position."""
    torch.manual_seed(0)
    network = Camn(config).double().eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.dim() == 1 or "edges" in name:
                tensor.add_(0.2 * torch.rand_like(tensor) if "var" in name else 0.2 * torch.randn_like(tensor))
    return network


@pytest.mark.parametrize("name", PARTS)
@torch.no_grad()
def test_lean_answers_the_same(name):
    network = shaken(small(**PARTS[name]))
    images, first = frames(3, torch.double), masks(2, torch.double)
    first = F.one_hot(first.argmax(0)).permute(2, 0, 1).double() if network.hard_masks else first
    before = {n: t.clone() for n, t in network.state_dict().items()}
    for a, b in zip(segment(lean.of(network), images, first), segment(network, images, first), strict=True):
        torch.testing.assert_close(a, b)
    assert all(torch.equal(t, before[n]) for n, t in network.state_dict().items())


@torch.no_grad()
def test_parts_may_run_elsewhere():
    network, calls = lean.of(shaken(small())), []

    def counted(name, part):
        return lambda *tensors: calls.append((name, [t.shape for t in tensors])) or part(*tensors)

    images, first = frames(2, torch.double), masks(2, torch.double)
    parts = network.parts()
    other = network.with_parts({name: counted(name, part) for name, part in parts.items()})
    for a, b in zip(segment(other, images, first), segment(network, images, first), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert [name for name, _ in calls] == ["encode"] + ["decode"] * 3 and network.parts() == parts
    assert not other.parts() and not any("decode" in n for n, _ in other.named_modules())
    assert all(shapes == calls[1][1] for _, shapes in calls[2:])  # one object at a time, all alike
    with pytest.raises(ValueError, match="no such parts: encoder; this network has encode, decode"):
        network.with_parts({"encoder": print})
