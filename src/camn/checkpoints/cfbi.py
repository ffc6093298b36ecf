"""Public CFBI and CFBI+ checkpoints (Yang et al. 2020, 2021) in our names.

The public files name the same layers otherwise, and hold some tensors two or three times because their network reaches
them by several paths. Every name and shape is checked in both directions: a translation that succeeds is complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from camn.checkpoints.state_dicts import check_shapes, misfit, plural, read_translated
from camn.config import ModelConfig, preset
from camn.errors import CheckpointError
from camn.model.build import expected_shapes

PRESETS = ("cfbi-r101", "cfbi-mobilenetv2", "cfbi-plus-r101")

# The beginning of our name, as a pattern -> of the public one. What needs counting is in `public_name`.
_COMMON = (
    (r"backbone\.", "feature_extracter.backbone."),
    (r"deeplab\.pyramid\.whole\.0\.", "feature_extracter.aspp.global_avg_pool.1."),
    (r"deeplab\.pyramid\.whole\.1\.", "feature_extracter.aspp.global_avg_pool.2."),
    (r"deeplab\.pyramid\.join\.0\.", "feature_extracter.aspp.conv1."),
    (r"deeplab\.pyramid\.join\.1\.", "feature_extracter.aspp.bn1."),
    (r"deeplab\.skip\.0\.", "feature_extracter.decoder.conv1."),
    (r"deeplab\.skip\.1\.", "feature_extracter.decoder.bn1."),
    (r"deeplab\.decoder\.0\.0\.", "feature_extracter.decoder.last_conv.0."),
    (r"deeplab\.decoder\.0\.1\.", "feature_extracter.decoder.last_conv.1."),
    (r"deeplab\.decoder\.1\.0\.", "feature_extracter.decoder.last_conv.4."),
    (r"deeplab\.decoder\.1\.1\.", "feature_extracter.decoder.last_conv.5."),
    (r"foreground_bias", "fg_bias"),
    (r"background_bias", "bg_bias"),
    (r"pre_head\.0\.0\.", "dynamic_prehead.conv."),
    (r"pre_head\.0\.1\.", "dynamic_prehead.bn."),
    (r"ensembler\.high\.whole\.", "dynamic_seghead.ASPP.global_avg_pool.1."),
    (r"ensembler\.high\.transform\.", "dynamic_seghead.ASPP.GCT."),
    (r"ensembler\.high\.join\.", "dynamic_seghead.ASPP.conv1."),
    (r"ensembler\.high\.norm\.", "dynamic_seghead.ASPP.bn1."),
    (r"ensembler\.decoder\.0\.transform\.", "dynamic_seghead.GCT_sc."),
    (r"ensembler\.decoder\.0\.skip\.", "dynamic_seghead.conv_sc."),
    (r"ensembler\.decoder\.0\.skip_norm\.", "dynamic_seghead.bn_sc."),
    (r"ensembler\.decoder\.0\.gates\.0\.linear\.", "dynamic_seghead.IA10.IA."),
    (r"ensembler\.decoder\.0\.gates\.1\.linear\.", "dynamic_seghead.IA11.IA."),
    (r"ensembler\.decoder\.0\.convolutions\.0\.", "dynamic_seghead.conv1."),
    (r"ensembler\.decoder\.0\.convolutions\.1\.", "dynamic_seghead.conv2."),
    (r"ensembler\.decoder\.0\.norms\.0\.", "dynamic_seghead.bn1."),
    (r"ensembler\.decoder\.0\.norms\.1\.", "dynamic_seghead.bn2."),
    (r"ensembler\.foreground\.linear\.", "dynamic_seghead.IA_final_fg."),
    (r"ensembler\.background\.linear\.", "dynamic_seghead.IA_final_bg."),
    # Pyramid of CFBI+; CFBI's one embedding.
    (r"embedding\.lateral\.0\.", "fpn.latlayer2."),
    (r"embedding\.lateral\.1\.", "fpn.latlayer1."),
    (r"embedding\.lateral\.2\.", "fpn.toplayer."),
    (r"embedding\.output\.0\.", "fpn.smooth2."),
    (r"embedding\.output\.1\.", "fpn.smooth1."),
    (r"embedding\.(?=\d)", "semantic_embedding."),
)
_INNER = {"transform": "GCT1", "norm1": "bn1", "norm2": "bn2", "norm3": "bn3", "shortcut": "downsample"}
_BRANCH = {"transforms": "GCT", "convolutions": "atrous_conv", "norms": "bn"}

# The public network reaches some tensors by several paths, and its files hold a copy for each. Loading such a file sets
# the tensor once for each path: the copy that it loads last counts. First and last MobileNetV2 block -> that path.
_LAST_PATHS = ((0, 3, "low_level_features"), (4, 6, "feautre_8x"), (7, 13, "feature_16x"), (14, 17, "feature_32x"))
_BLOCK = re.compile(
    r"(feature_extracter\.backbone\.)(?:features|\w+_level_features|feautre_8x|feature_16x|feature_32x)\.(\d+)\."
)
_EMBEDDING = {"seperate_conv": "0", "bn1": "1", "embedding_conv": "3", "bn2": "4"}


def last_copy(name: str) -> str:
    """The name of the copy that counts, for a public name of any; other names as they are."""
    if found := _BLOCK.match(name):
        for first, last, path in _LAST_PATHS:
            if first <= int(found[2]) <= last:
                return f"{found[1]}{path}.{found[2]}.{name[found.end() :]}"
    layer, _, rest = name.partition(".")
    return f"semantic_embedding.{_EMBEDDING[layer]}.{rest}" if layer in _EMBEDDING else name


def public_name(ours: str, config: ModelConfig) -> str:
    """The public name of one of our tensors. Raises CheckpointError if CFBI and CFBI+ have no such layer."""
    plus = config.pyramid == "fpn"
    if found := re.match(r"deeplab\.pyramid\.branches\.(\d)\.(\d)\.(.*)", ours):
        return f"feature_extracter.aspp.aspp{int(found[1]) + 1}.{('atrous_conv', 'bn')[int(found[2])]}.{found[3]}"
    if found := re.match(r"ensembler\.high\.(transforms|convolutions|norms)\.(\d)\.(.*)", ours):
        return f"dynamic_seghead.ASPP.aspp{int(found[2]) + 1}.{_BRANCH[found[1]]}.{found[3]}"
    if found := re.match(r"ensembler\.stages\.(\d)\.blocks\.(\d)\.(gate\.linear|bottleneck)\.(.*)", ours):
        stage, block = int(found[1]), int(found[2])
        before = sum(len(s.dilations) for s in config.ensembler.stages[:stage])
        prefix, number = (f"S{stage + 1}_", block + 1) if plus else ("", before + block + 1)
        if found[3] != "bottleneck":
            return f"dynamic_seghead.{prefix}IA{number}.IA.{found[4]}"
        inner, rest = found[4].split(".", 1)
        return f"dynamic_seghead.{prefix}layer{number}.{_INNER.get(inner, inner)}.{rest}"
    if found := re.match(r"ensembler\.high_gate\.linear\.(.*)", ours):
        return f"dynamic_seghead.{'ASPP_IA' if plus else 'IA9'}.IA.{found[1]}"
    for pattern, public in _COMMON:
        if found := re.match(pattern, ours):
            rest = ours[found.end() :]
            if public.startswith("fpn."):
                rest = rest.replace("conv.", "0.").replace("norm.", "1.")
            return last_copy(public + rest)
    raise CheckpointError(f"{ours}: CFBI and CFBI+ have no such layer; {config.name} cannot take their checkpoints")


def translate(state: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """A public `state_dict`, by its names, -> the same weights by ours, complete for `Camn(config)`.

    A `module.` prefix is taken off. Tensors that the file holds several times are taken from the copy that the public
    code loads last. Raises CheckpointError if a tensor is missing, left over or of another shape.
    """
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    wanted = expected_shapes(config)
    names = {ours: public_name(ours, config) for ours in wanted}
    _check_names(state, names.values(), config)
    made = {}
    for ours, public in names.items():
        tensor = state[public]
        made[ours] = tensor.flatten() if public.endswith((".alpha", ".gamma", ".beta", "g_bias")) else tensor
    check_shapes(made, wanted, config.name, names)
    return {ours: tensor.detach().clone() for ours, tensor in made.items()}


def _check_names(state: Mapping[str, Tensor], needed: Iterable[str], config: ModelConfig) -> None:
    need = set(needed)
    missing = sorted(need - set(state))
    have = {name: last_copy(name) for name in state if not name.endswith("num_batches_tracked")}
    extra = sorted(name for name, counts in have.items() if counts not in need)
    if said := misfit(missing, extra):
        raise CheckpointError(
            f"the file holds {plural(list(state), 'tensor')}; for {config.name}, which needs {len(need)}, it "
            f"{said}. Is it of another network? Public ones exist for {', '.join(PRESETS)}"
        )
    for name, counts in have.items():
        if state[name].shape != state[counts].shape:
            raise CheckpointError(
                f"{name} is {tuple(state[name].shape)} but its copy {counts} is {tuple(state[counts].shape)}: "
                "the file contradicts itself; download it again"
            )


def load_public(path: str | Path, name: str, trust: bool = False) -> tuple[ModelConfig, dict[str, Tensor]]:
    """A public CFBI or CFBI+ checkpoint file -> (configuration, state) for `Camn(configuration).load_state_dict`.

    name: one of `PRESETS`. trust: see `read_state`. Raises ConfigError for an unknown preset, CheckpointError for a
    file that cannot be read or belongs to another network.
    """
    config = preset(name)
    if name not in PRESETS:
        raise CheckpointError(f"{name}: there is no public CFBI checkpoint for it; choose one of {', '.join(PRESETS)}")
    return config, read_translated(path, lambda state: translate(state, config), trust)
