"""Configurations: presets are valid, survive JSON, and what contradicts itself is refused with its reason."""

import dataclasses
import json

import pytest
import torch

from camn.config import (
    BACKBONES,
    NETWORKS,
    PRESETS,
    DecoderStep,
    Ensembler,
    InferenceConfig,
    Matching,
    Memory,
    ModelConfig,
    Scale,
    Stage,
    StmConfig,
    ablation,
    config_from_dict,
    network_preset,
    preset,
)
from camn.errors import CamnError, ConfigError
from camn.model.network import Camn

BASE = preset("camn-mobile")
SINGLE = preset("cfbi-r101")


@pytest.mark.parametrize("name", PRESETS)
def test_preset_is_valid_and_survives_json(name):
    config = preset(name)
    assert config.name == name
    assert ModelConfig.from_dict(config.as_dict()) == config
    assert ModelConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


@pytest.mark.parametrize("name", NETWORKS)
def test_any_network_survives_json(name):
    config = network_preset(name)
    assert config.name == name
    assert config_from_dict(json.loads(json.dumps(config.as_dict()))) == config


def test_stm_is_of_another_kind():
    with pytest.raises(ConfigError, match="stm-r50 is an STM, of another kind; .*camn-mobile"):
        preset("stm-r50")
    with pytest.raises(ConfigError, match="unknown model 'stm-r18'.*stm-r50"):
        network_preset("stm-r18")
    with pytest.raises(ConfigError, match="unknown kind of network 'xmem'"):
        config_from_dict({"network": "xmem"})
    for change in ({"colour": 3}, {"blocks": 3}):
        with pytest.raises(ConfigError, match="STM configuration not understood"):
            config_from_dict(network_preset("stm-r50").as_dict() | change)


def test_files_of_stm_from_before_it_had_a_choice_of_backbone_are_read():
    old = {"network": "stm", "name": "stm-r50", "blocks": [3, 4, 6], "planes": 64}
    old |= {"key_channels": 128, "value_channels": 512, "width": 256}
    assert config_from_dict(old) == network_preset("stm-r50")


@pytest.mark.parametrize("name", BACKBONES)
def test_images_are_normalised_as_the_backbone_wants_it_unless_told_otherwise(name):
    mean, std = BACKBONES[name].mean, BACKBONES[name].std
    made = dataclasses.replace(BASE, backbone=name, mean=(), std=())
    assert (made.mean, made.std) == (mean, std)
    other = dataclasses.replace(made, std=(0.1, 0.2, 0.3))
    assert (other.mean, other.std) == (mean, (0.1, 0.2, 0.3))
    if BACKBONES[name].spread:
        assert (StmConfig(backbone=name).mean, StmConfig(backbone=name).std) == (mean, std)


def test_presets_differ():
    assert len({preset(name) for name in PRESETS}) == len(PRESETS)


def test_unknown_preset_names_the_known_ones():
    with pytest.raises(ConfigError, match="unknown model 'camn-huge'.*camn-mobile"):
        preset("camn-huge")


def test_configurations_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BASE.name = "other"  # type: ignore[misc]


def changed(config=BASE, **fields):
    return lambda: dataclasses.replace(config, **fields)


BAD = {
    "backbone": (changed(backbone="vgg16"), "backbone is 'vgg16'.*'resnet50'"),
    "context": (changed(context="global"), "context is 'global'"),
    "pyramid": (changed(pyramid="bifpn"), "pyramid is 'bifpn'"),
    "scales fall": (changed(scales=BASE.scales[::-1]), r"\[16, 8\] must be distinct, finest first"),
    "scale twice": (changed(scales=BASE.scales[:1] * 2), "must be distinct"),
    "no scale": (changed(scales=()), "must be distinct"),
    "pyramid of one": (changed(scales=BASE.scales[:1]), "two scales or more"),
    "single of two": (changed(SINGLE, scales=BASE.scales), "one scale, of stride 4"),
    "ensembler starts late": (
        changed(ensembler=dataclasses.replace(BASE.ensembler, stages=(Stage(16, 64, (1,)),), decoder=())),
        "start at the finest scale",
    ),
    "context without stride 16": (changed(SINGLE, context="base"), "object context works at stride 16"),
    "memory without stride 16": (
        changed(
            scales=(Scale(4, 32, 32, (2,)), Scale(8, 32, 32, (2,))),
            ensembler=Ensembler((Stage(4, 64, (1,)), Stage(8, 64, (1, 2))), ()),
        ),
        "memory reads at stride 16",
    ),
    "scale stride": (lambda: Scale(32, 64, 64, (2,)), "scale stride is 32"),
    "radius between steps": (lambda: Scale(8, 64, 64, (2, 3), local_stride=2), "multiples of stride 2"),
    "local stride 0": (lambda: Scale(8, 64, 64, (2,), local_stride=0), "strides must be 1 or more"),
    "global stride 0": (lambda: Scale(8, 64, 64, (2,), global_stride=0), "strides must be 1 or more"),
    "no channels": (lambda: Scale(8, 0, 64, (2,)), "channels and strides must be 1 or more"),
    "no radii": (lambda: Scale(8, 64, 64, ()), "positive multiples"),
    "radius 0": (lambda: Scale(8, 64, 64, (0, 2)), "positive multiples"),
    "radii fall": (lambda: Scale(8, 64, 64, (4, 2)), "rise from small to large"),
    "metric": (lambda: Matching(metric="l1"), "metric is 'l1'"),  # type: ignore[arg-type]
    "masks": (lambda: Matching(masks="bilinear"), "masks is 'bilinear'"),  # type: ignore[arg-type]
    "memory": (lambda: Memory("add"), "separation is 'add'"),  # type: ignore[arg-type]
    "stage stride": (lambda: Stage(2, 64, (1,)), "stage stride is 2"),
    "stage width": (lambda: Stage(4, 66, (1,)), "multiple of 4"),
    "stage without blocks": (lambda: Stage(4, 64, ()), "at least one block"),
    "decoder stride": (lambda: DecoderStep(2, 16, (32,)), "decoder stride is 2"),
    "decoder without widths": (lambda: DecoderStep(4, 16, ()), "one width or more"),
    "decoder rises": (
        lambda: Ensembler(BASE.ensembler.stages, BASE.ensembler.decoder[::-1]),
        r"decoder strides \[4, 8\] must fall",
    ),
    "decoder beside the stages": (
        lambda: Ensembler((Stage(4, 64, (1,)),), (DecoderStep(8, 16, (32,)),)),
        "each 4 or the stride of a stage",
    ),
    "scale that joins nothing": (
        changed(ensembler=dataclasses.replace(BASE.ensembler, stages=BASE.ensembler.stages[:1])),
        r"scales of strides \[16\] join no stage",
    ),
    "scale that finds no second block": (
        changed(ensembler=dataclasses.replace(BASE.ensembler, stages=(Stage(8, 64, (1,)), Stage(16, 64, (1,))))),
        r"strides \[16\]: scales join behind the first block",
    ),
    "more to match than there is": (changed(SINGLE, scales=(Scale(4, 64, 100, (2,)),)), "more channels to match"),
    "high level": (lambda: Ensembler((Stage(4, 64, (1,)),), (), high_level="ppm"), "high_level is 'ppm'"),  # type: ignore[arg-type]
    "pre-head": (lambda: Ensembler((Stage(4, 64, (1,)),), (), pre_head=62), "pre_head is 62.*multiple of 4"),
    "pre-head below": (lambda: Ensembler((Stage(4, 64, (1,)),), (), pre_head=-4), "pre_head is -4"),
    "odd ASPP": (lambda: Ensembler((Stage(4, 64, (1,)),), (), high_level_width=95), "high_level_width is 95.*even"),
    "no high level": (lambda: Ensembler((Stage(4, 64, (1,)),), (), "fpa", high_level_width=0), "high_level_width is 0"),
    "DeepLab between groups": (changed(SINGLE, deeplab=240), "deeplab is 240.*multiple of 32"),
    "single of a slim backbone": (changed(SINGLE, deeplab=0, backbone="mobilenet_v2"), "deeplab is 0.*mobilenet_v2"),
    "DeepLab below": (changed(deeplab=-32), "deeplab is -32"),
    "single between groups": (changed(SINGLE, scales=(Scale(4, 66, 66, (2,)),)), "multiple of 4"),
    "stages": (lambda: Ensembler((Stage(4, 64, (1,)), Stage(16, 64, (1,))), ()), "must double"),
    "no stages": (lambda: Ensembler((), ()), "must double"),
    "memory_every": (lambda: InferenceConfig(memory_every=0), "memory_every is 0"),
    "memory_frames": (lambda: InferenceConfig(memory_frames=-1), "memory_frames is -1"),
    "matched_frames": (lambda: InferenceConfig(matched_frames=-1), "matched_frames is -1"),
    "STM's stages": (lambda: StmConfig(blocks=(3, 4)), "three stages"),
    "STM's blocks": (lambda: StmConfig(blocks=(3, 0, 6)), "three stages"),
    "STM's widths": (lambda: StmConfig(width=0), "every width must be 1 or more"),
    "reference_frames": (lambda: InferenceConfig(reference_frames=1), "reference_frames is 1"),
    "match_above": (lambda: InferenceConfig(match_above=1.5), "match_above is 1.5"),
    "short side": (lambda: InferenceConfig(short_side=16), "32 <= short_side"),
    "max side": (lambda: InferenceConfig(short_side=480, max_side=400), "short_side <= max_side"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_configuration_is_refused(case):
    make, said = BAD[case]
    with pytest.raises(ConfigError, match=said) as caught:
        make()
    assert isinstance(caught.value, CamnError) and isinstance(caught.value, ValueError)


@pytest.mark.parametrize("make", [
    changed(SINGLE, deeplab=32), changed(SINGLE, deeplab=0, backbone="resnet50"), changed(deeplab=30),
    changed(ensembler=dataclasses.replace(BASE.ensembler, pre_head=4)),
    changed(ensembler=dataclasses.replace(BASE.ensembler, high_level="fpa", high_level_width=95)),
    changed(SINGLE, scales=(Scale(4, 60, 60, (2,)),)),
])  # fmt: skip
def test_networks_at_the_edge_of_the_rules_can_be_made(make):
    with torch.device("meta"):
        Camn(make())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("scales"), "scales"),
        (lambda d: d.pop("matching"), "matching"),
        (lambda d: d.update(colour=3), "colour"),
        (lambda d: d["scales"][0].update(zoom=2), "zoom"),
        (lambda d: d["ensembler"].pop("stages"), "stages"),
    ],
)
def test_dictionary_that_is_not_understood(change, said):
    data = json.loads(json.dumps(BASE.as_dict()))
    change(data)
    with pytest.raises(ConfigError, match=f"not understood: .*{said}"):
        ModelConfig.from_dict(data)


@pytest.mark.parametrize("part", ablation.PARTS)
def test_every_row_of_the_ablation_differs_by_its_parts_alone(part):
    """What is ours and no row of the paper is on in all of them."""
    whole, row = preset("camn-mobile"), preset(f"camn-mobile-{part}")
    assert row.ensembler.edges == whole.ensembler.edges > 0 and row.matching.metric == whole.matching.metric
    assert (row.backbone, row.name) == (whole.backbone, f"camn-mobile-{part}")
