"""A segmenter of one network, or an ensemble of several networks and views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from camn import weights
from camn.api.options import Notice, Setup
from camn.checkpoints.state_dicts import check_shapes, misfit, plural
from camn.config import InferenceConfig
from camn.errors import CheckpointError, ConfigError, words_of
from camn.inference import AnySegmenter, Ensemble, Segmenter
from camn.inference.ensemble import Join, Way, fused
from camn.inference.postprocess import PostProcessor
from camn.inference.views import make_views
from camn.model.build import build_network
from camn.model.fusion import Fusion


@torch.random.fork_rng(devices=())  # building a network draws numbers, and those are the caller's
def assemble(
    read: Sequence[weights.Weights], device: torch.device, setup: Setup, notice: Notice = lambda note: None
) -> AnySegmenter:
    """What runs these networks as `setup` says. notice: as in `load`, and of what it costs. Raises CheckpointError for
    weights that do not fit, ConfigError for what cannot be joined."""
    if not read:
        raise ConfigError("model: give one or more, such as camn-mobile")
    views = make_views(setup.ensemble.scales, setup.ensemble.flip)
    join = _join(setup.join, read, device)
    ways = []
    for member, one in enumerate(read):
        first = segmenter_of(one, device, views[0].configured(setup.inference), notice)
        ways += [Way(member, view, first.configured(view.configured(setup.inference))) for view in views]
    post = None
    if setup.post.enabled:
        post = PostProcessor(setup.post, ways[0].segmenter.open_segmenter)
    if len(ways) == 1 and post is None and views[0].scale == 1:
        return ways[0].segmenter
    if len(ways) > 1:
        cost = setup.ensemble.cost(len(read))
        models = f"{plural(read, 'model')} x " if len(read) > 1 else ""
        notice(f"{models}{plural(views, 'view')}: about {cost:.1f} times the work of one")
    return Ensemble(ways, setup.ensemble, join, post)


def _join(join: str, read: Sequence[weights.Weights], device: torch.device) -> Join | None:
    """None for the mean."""
    if join == "mean" or (join == "fusion" and len(read) == 1):
        return None
    found = _shipped(read) if join == "fusion" else weights.read_fusion(join)
    names = [one.config.name for one in read]
    if sorted(names) != sorted(found.config.members):
        raise ConfigError(f"{found.path}: joins {', '.join(found.config.members)}, not {', '.join(names)}")
    network = filled(lambda: Fusion(found.config), found, "the fusion network")
    return fused(network, device, [names.index(name) for name in found.config.members])


def _shipped(read: Sequence[weights.Weights]) -> weights.FusionWeights:
    """The fusion network that was trained for just these weights."""
    there = [weights.read_fusion(path) for path in weights.shipped_fusions()]
    wanted = sorted(one.sha256 for one in read)
    for one in there:
        if sorted(one.notes.get("members_sha256", [])) == wanted:
            return one
    listed = "; ".join(" + ".join(one.config.members) for one in there) or "none"
    raise ConfigError(
        f"join fusion: no fusion network is shipped for these models; there is one for: {listed}. Use --join mean, or "
        "train one with `camn fuse`"
    )


Built = TypeVar("Built", bound=nn.Module)


def segmenter_of(
    read: weights.Weights,
    device: torch.device,
    config: InferenceConfig,
    notice: Notice = lambda note: None,
) -> Segmenter:
    """A segmenter with weights that were read. notice: as in `load`. Raises CheckpointError naming every kind of tensor
    that does not fit."""
    network = filled(lambda: build_network(read.config), read, read.config.name)
    return Segmenter(network, config, device, notice=notice)


def filled(make: Callable[[], Built], read: weights.WeightsOf[Any], name: str) -> Built:
    """What `make` makes with the weights that were read. The fit is told without memory for the network, whose size a
    file may misstate."""
    try:
        with torch.device("meta"):
            wanted = {key: tuple(tensor.shape) for key, tensor in make().state_dict().items()}
    except Exception as error:  # of any kind: a file may say anything of its network
        said = words_of(error)
        raise CheckpointError(f"{read.path}: its configuration makes no network ({said}); get it again") from None
    if said := misfit(sorted(wanted.keys() - read.state), sorted(read.state.keys() - wanted)):
        raise CheckpointError(
            f"{read.path}: does not fit {name}: it {said}; it was made by another version "
            "of camn or changed since: get it again, or convert it again"
        )
    try:
        check_shapes(read.state, wanted, name)
    except CheckpointError as error:
        raise CheckpointError(f"{read.path}: {error}; get the file again, or convert it again") from None
    network = make()
    network.load_state_dict(read.state)
    return network
