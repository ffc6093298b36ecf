"""The public STM checkpoint (Oh et al. 2019) in our names.

Every name and shape is checked in both directions: a translation that succeeds is complete.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from camn.checkpoints.state_dicts import check_shapes, misfit, plural, read_translated
from camn.config import StmConfig, network_preset
from camn.errors import CheckpointError
from camn.model.build import expected_shapes

# The beginning of our name, as a pattern -> of the public one. The first that fits counts.
_NAMES = (
    (r"query\.(key|value)\.", "KV_Q_r4."),
    (r"memory\.(key|value)\.", "KV_M_r4."),
    (r"memory\.conv1_object\.", "Encoder_M.conv1_m."),
    (r"memory\.conv1_others\.", "Encoder_M.conv1_o."),
    (r"query\.", "Encoder_Q."),
    (r"memory\.", "Encoder_M."),
    (r"decoder\.squeeze\.", "Decoder.convFM."),
    (r"decoder\.residual\.", "Decoder.ResMM."),
    (r"decoder\.middle\.", "Decoder.RF3."),
    (r"decoder\.fine\.", "Decoder.RF2."),
    (r"decoder\.predict\.", "Decoder.pred2."),
)
# What follows, by its beginning: the stages that He et al. call res2 to res4; parts of a refinement.
_PARTS = {
    "layer1": "res2",
    "layer2": "res3",
    "layer3": "res4",
    "skip": "convFS",
    "skip_residual": "ResFS",
    "residual": "ResMM",
}

# Files carry the normalisation too. It is a constant of the published network, whatever a file says, so it is only
# checked to be there: the golden arrays were made that way, with other numbers in these places.
CONSTANTS = {f"Encoder_{which}.{what}": (1, 3, 1, 1) for which in "QM" for what in ("mean", "std")}


def public_name(ours: str) -> str:
    """The public name of one of our tensors. Raises CheckpointError if the public network has no such layer."""
    for pattern, public in _NAMES:
        if found := re.match(pattern, ours):
            head = f"{public}{found[1].capitalize()}." if found.groups() else public
            part, dot, rest = ours[found.end() :].partition(".")
            return f"{head}{_PARTS.get(part, part)}{dot}{rest}"
    raise CheckpointError(f"{ours}: STM has no such layer")


def translate(state: Mapping[str, Tensor], config: StmConfig) -> dict[str, Tensor]:
    """A public `state_dict`, by its names, -> the same weights by ours, complete for `Stm(config)`.

    A `module.` prefix is taken off. Raises CheckpointError if a tensor is missing, left over or of another shape.
    """
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    wanted = expected_shapes(config)
    names = {ours: public_name(ours) for ours in wanted}
    have = {name for name in state if not name.endswith("num_batches_tracked")}
    need = {*names.values(), *CONSTANTS}
    if said := misfit(sorted(need - have), sorted(have - need)):
        raise CheckpointError(
            f"the file holds {plural(list(state), 'tensor')}; for {config.name}, which needs {len(need)}, it {said}. "
            "Is it of another network?"
        )
    made = {ours: state[public] for ours, public in names.items()}
    check_shapes(made, wanted, config.name, names)
    check_shapes(state, CONSTANTS, config.name)
    return {ours: tensor.detach().clone() for ours, tensor in made.items()}


def load_public(path: str | Path, name: str = "stm-r50", trust: bool = False) -> tuple[StmConfig, dict[str, Tensor]]:
    """The public STM checkpoint file -> (configuration, state) for `Stm(configuration).load_state_dict`.

    name: its preset. trust: see `read_state`. Raises ConfigError for an unknown preset, CheckpointError for a file that
    cannot be read or belongs to another network.
    """
    config = network_preset(name)
    if not isinstance(config, StmConfig):
        raise CheckpointError(f"{name}: it is not STM, whose checkpoint is that of stm-r50")
    return config, read_translated(path, lambda state: translate(state, config), trust)
