"""What has no lean form is refused by name, at every place where a part might be left out without a word."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from camn import lean
from camn.config import BACKBONES, DecoderStep, Ensembler, Memory, ModelConfig, Scale, Stage, StmConfig
from camn.lean.ensembler import LeanEnsembler
from camn.lean.folding import folded
from camn.lean.winograd import WinogradConvolution, quickened
from camn.model import ensembler
from camn.model.attention import ChannelTransform, InstanceGate
from camn.model.backbones import FrozenBatchNorm, ResidualBottleneck, build_backbone
from camn.model.deeplab import DeepLab
from camn.model.memory import SpaceTimeMemory
from camn.model.network import Camn
from camn.model.pyramid import FeaturePyramidAttention
from camn.model.stm import Stm
from camn.model.stm_encoders import ResNetMemory

STAGES = (Stage(4, 32, (1, 2)), Stage(8, 32, (1, 2)), Stage(16, 32, (1, 2)))
CONFIG = ModelConfig(
    name="small",
    backbone="efficientnet_lite0",
    scales=(Scale(4, 16, 8, (2,)), Scale(8, 16, 8, (1,)), Scale(16, 16, 8, (1,))),
    ensembler=Ensembler(STAGES, (DecoderStep(4, 8, (16,)),), high_level_width=32, edges=8),
    deeplab=16,
    memory=Memory("multiply", key_channels=8, value_channels=8),
)


@pytest.fixture
def network() -> Camn:
    torch.manual_seed(0)
    return Camn(CONFIG).eval()


@pytest.fixture
def stm() -> Stm:
    torch.manual_seed(0)
    return Stm(StmConfig("s", blocks=(1, 1, 1), planes=8, key_channels=8, value_channels=16, width=16)).eval()


def variant(module: nn.Module) -> None:
    """Make it one of a kind derived from its own, as one would whose forward does something else."""
    module.__class__ = type(f"Other{type(module).__name__}", (type(module),), {})


def modules(whole: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in whole.modules() if type(module) is kind]


def lean_ensembler(whole: ensembler.CollaborativeEnsembler) -> LeanEnsembler:
    return LeanEnsembler(whole, None, True)


def test_what_is_known_is_taken(network, stm):
    for one in (network, stm):
        quick = lean.of(one)
        assert lean.of(quick) is quick and lean.at_once(quick) is quick
    assert lean.at_once(stm) is stm


def test_a_network_derived_from_one_that_is_known_is_not_known(network, stm):
    for one in (network, stm):
        variant(one)
        for form in (lean.of, lean.at_once):
            with pytest.raises(TypeError, match=f"{type(one).__name__} has no lean form .*Camn, Stm are known"):
                form(one)


@pytest.mark.parametrize("form", [lean.of, lean.at_once])
def test_a_new_head_of_the_network_is_not_left_out(network, form):
    network.head = nn.Conv2d(1, 1, 1)
    with pytest.raises(TypeError, match="Camn has no lean form .its head would be left out"):
        form(network)


KINDS = (
    ensembler.GatedStage,
    ensembler.GatedBlock,
    ensembler.GatedBottleneck,
    ensembler.GatedAtrousPyramid,
    ensembler.DecoderUp,
    ensembler.DynamicClassifier,
    ensembler.Edges,
    InstanceGate,
    ChannelTransform,
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_another_kind_in_the_ensembler(network, kind):
    for at in range(len(modules(network.ensembler, kind))):
        other = deepcopy(network.ensembler)
        variant(modules(other, kind)[at])
        with pytest.raises(TypeError, match=f"Other{kind.__name__} has no lean form"):
            lean_ensembler(other)


@pytest.mark.parametrize("kind", [ensembler.CollaborativeEnsembler, *KINDS])
def test_a_new_part_of_a_part_in_the_ensembler(network, kind):
    for at in range(len(modules(network.ensembler, kind))):
        for more in (nn.Identity(), nn.Parameter(torch.zeros(1))):
            other = deepcopy(network.ensembler)
            modules(other, kind)[at].more = more
            with pytest.raises(TypeError, match=f"{kind.__name__} has no lean form .its more would be left out"):
                lean_ensembler(other)


def test_a_bias_that_would_not_be_read(network):
    network.ensembler.stages[0].blocks[0].bottleneck.conv1.bias = nn.Parameter(torch.zeros(8))
    with pytest.raises(TypeError, match="Conv2d has no lean form .its bias would be left out"):
        lean_ensembler(network.ensembler)


def test_another_high_level_part_is_not_taken_for_attention(network):
    network.ensembler.high = nn.Conv2d(32, 32, 1)
    with pytest.raises(TypeError, match="Conv2d has no lean form .GatedAtrousPyramid, FeaturePyramidAtt.* are known"):
        lean_ensembler(network.ensembler)
    network.ensembler.high = FeaturePyramidAttention(32, 32)
    lean_ensembler(network.ensembler)


@pytest.mark.parametrize("name, kind", [("memory", SpaceTimeMemory), ("deeplab", DeepLab)])
def test_a_part_of_another_kind_beside_the_ensembler(network, name, kind):
    part = getattr(network, name)
    assert type(part) is kind
    variant(part)
    with pytest.raises(TypeError, match=f"Other{kind.__name__} has no lean form"):
        lean.of(network)


def test_parts_of_stm(stm):
    assert type(stm.memory) is ResNetMemory
    stm.head = nn.Identity()
    with pytest.raises(TypeError, match="Stm has no lean form .its head would be left out"):
        lean.of(stm)
    del stm.head
    variant(stm.memory)
    with pytest.raises(TypeError, match="OtherResNetMemory has no lean form"):
        lean.of(stm)


# --- norms -----------------------------------------------------------------------------------------------------------


class NormFirst(nn.Module):
    """A norm registered behind the convolution and applied before it: the order of names says nothing."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), FrozenBatchNorm(3)

    def forward(self, x):
        return self.conv(self.norm(x))


def test_a_module_whose_norms_nobody_tells_of_is_not_folded():
    for module in (NormFirst(), nn.Sequential(NormFirst())):
        with pytest.raises(TypeError, match="NormFirst has no lean form .what its norm norm follows is not told"):
            folded(module)
    block = ResidualBottleneck(16, 4)
    variant(block)
    with pytest.raises(TypeError, match="OtherResidualBottleneck"):
        folded(block)


@pytest.mark.parametrize("name", BACKBONES)
def test_no_norm_of_a_backbone_is_left(name):
    assert not [m for m in folded(build_backbone(name)).modules() if isinstance(m, FrozenBatchNorm)]


class Halved(nn.Conv2d):
    """A convolution that does something of its own."""

    def forward(self, input):
        return super().forward(input) / 2


@torch.no_grad()
def test_convolutions_and_norms_of_other_kinds_stay():
    x = torch.rand(1, 128, 40, 40)
    for other in (Halved(128, 128, 3, padding=1), nn.Sequential(Halved(128, 128, 3, padding=1), FrozenBatchNorm(128))):
        norms = [m for m in other.modules() if isinstance(m, FrozenBatchNorm)]
        for norm in norms:
            norm.weight.fill_(3)
        assert torch.equal(folded(other)(x), other(x)) and torch.equal(quickened(nn.Sequential(other))(x), other(x))
    plain = quickened(nn.Sequential(nn.Conv2d(128, 128, 3, padding=1)))
    assert type(plain[0]) is WinogradConvolution
