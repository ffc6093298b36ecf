"""Lean networks in half precision, as on CUDA, on maps whose sums of squares go far beyond what that holds."""

from dataclasses import fields, replace

import pytest
import torch
from torch.nn import functional as F

from camn import lean
from camn.config import NETWORKS, network_preset
from camn.lean.ensembler import energies
from camn.lean.joined import energy
from camn.model.attention import ChannelTransform
from camn.model.build import build_network
from camn.model.frames import Matched

torch.set_num_threads(1)
SIZE = (65, 65)
LARGE = 30.0  # what the maps are multiplied by: all values stay within half precision, sums of their squares do not
ENLARGED = ("current", "previous", "readout", "low")
HALVES = {torch.float16: 0.04, torch.bfloat16: 0.25}  # and the error that is rounding's, over the largest logit
MOST = torch.finfo(torch.float16).max


def matched(network):
    """A frame of two objects matched against the one before it, its shared maps enlarged in value. Those of STM, which
    has no such sums and no norms, stay."""
    images = torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    labels = torch.zeros(SIZE, dtype=torch.long)
    labels[10:40, 10:40], labels[40:60, 30:60] = 1, 2
    embedded = network.encode(images[:1]), network.encode(images[1:])
    first = network.label(embedded[0], F.one_hot(labels, 3).permute(2, 0, 1).float())
    entries = [] if network.memory is None else [network.remember(first)]
    found = network.match(embedded[1], [first], first, entries)
    if not isinstance(found, Matched):
        return found
    return replace(found, **{f.name: large(getattr(found, f.name)) for f in fields(found) if f.name in ENLARGED})


def large(maps):
    return tuple(map(large, maps)) if isinstance(maps, tuple) else None if maps is None else LARGE * maps


@pytest.mark.parametrize("name", NETWORKS)
@torch.inference_mode()
def test_large_maps_are_decoded_in_half_precision(name):
    torch.manual_seed(0)
    network = lean.of(build_network(network_preset(name)).eval())
    frame = matched(network)
    if isinstance(frame, Matched):
        assert max(float(e.max()) for e in energies(frame)) > MOST
    (full,) = network.decode([frame])
    for half, error in HALVES.items():
        with torch.autocast("cpu", half):
            (found,) = network.decode([frame])
        assert found.isfinite().all()
        assert (found.float() - full).abs().max() < error * full.abs().max()


@pytest.mark.parametrize("half", HALVES)
@torch.inference_mode()
def test_sums_over_large_maps_are_in_single_precision(half):
    torch.manual_seed(0)
    x = (LARGE * torch.randn(2, 8, 40, 60)).to(half)
    wide = x.float().square().sum((2, 3))
    transform = ChannelTransform(8)
    transform.gamma.fill_(0.5)
    masks = torch.rand(3, 40, 60)
    one = Matched((), (masks,), (x[:1],), (x[1:],), None, torch.zeros(3, 4), x[:1])
    parts = [(x[1:].float() * m).square().sum((2, 3)) for m in (masks[:, None], 1 - masks[:, None])]
    with torch.autocast("cpu", half):
        assert wide.min() > MOST and energy(x).dtype == torch.float32
        torch.testing.assert_close(energy(x), wide)
        torch.testing.assert_close(energies(one)[0], torch.cat([wide[:1].expand(3, -1), *parts], 1))
        torch.testing.assert_close(transform(x).float(), transform(x.float()), rtol=2e-2, atol=0)
