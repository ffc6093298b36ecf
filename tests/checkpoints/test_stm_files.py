"""The public STM checkpoint: the same answers as the public network, and errors that say what does not fit."""

import copy
import hashlib
import json

import numpy as np
import pytest
import torch

import camn
from camn import weights
from camn.checkpoints.stm import CONSTANTS, load_public, public_name, translate
from camn.config import Backend, InferenceConfig, StmConfig
from camn.errors import CheckpointError, ConfigError
from camn.inference import Segmenter
from camn.model.build import expected_shapes
from camn.model.stm import Stm

CONFIG = StmConfig()
SMALL = StmConfig("small", blocks=(1, 1, 1), planes=4, key_channels=3, value_channels=5, width=6)


def public_state(config: StmConfig) -> dict[str, torch.Tensor]:
    """A public state dictionary, counters included, that takes next to no room: each tensor is one number, repeated, so
    small that what the network answers is finite."""
    shapes = {public_name(ours): shape for ours, shape in expected_shapes(config).items()} | CONSTANTS
    state = {name: torch.tensor((1 + i / 1024) / 1024).expand(shape) for i, (name, shape) in enumerate(shapes.items())}
    counters = [name for name in state if name.endswith("running_mean")]
    return state | {n.replace("running_mean", "num_batches_tracked"): torch.tensor(0) for n in counters}


# --- parity ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(parity, fill) -> Stm:
    network = Stm(CONFIG).eval()
    network.load_state_dict(translate(fill.fill(json.loads((parity / "stm.shapes.json").read_text())), CONFIG))
    return network


CASES = ("a", "b", "a-odd", "b-odd")


@pytest.mark.parametrize("case", CASES)
def test_answers_are_those_of_the_public_network(parity, fill, filled, case):
    check_answers(parity, fill, filled, case, "eager")


@pytest.mark.parametrize("backend", ("onnx", pytest.param("compile", marks=pytest.mark.slow)), indirect=True)
def test_every_backend_answers_the_same(parity, fill, filled, backend):
    check_answers(parity, fill, filled, "a-odd", backend)


def check_answers(parity, fill, filled, case: str, backend: Backend) -> None:
    """Through the segmenter: its memory and sizes are part of what was published."""
    golden = np.load(parity / f"stm.{case}.npz")
    height, width = golden["size"].tolist()
    objects, seed, length = int(golden["objects"]), int(golden["seed"]), len(golden["rollout"]) + 1
    frames = fill.frames(length, height, width, seed)
    config = InferenceConfig(memory_every=int(golden["memorize_every"]), backend=backend)
    segmenter = Segmenter(copy.deepcopy(filled), config)  # which is made lean
    result = segmenter.start(frames[0], fill.masks(length, height, width, objects, seed)[0])
    for t in range(1, length):
        result = segmenter.step(frames[t])
        assert (result.ids == golden["rollout"][t - 1]).mean() >= 0.99
    for id in range(1, objects + 1):
        wanted = golden["probabilities_last"][id]
        np.testing.assert_allclose(result.probability(id), wanted, rtol=0, atol=1e-3)


def test_every_public_name_has_its_place(parity):
    shapes = json.loads((parity / "stm.shapes.json").read_text())
    wanted = {public_name(ours): list(shape) for ours, shape in expected_shapes(CONFIG).items()}
    assert len(wanted) == len(expected_shapes(CONFIG))
    public = {n: s for n, s in shapes.items() if not n.endswith("num_batches_tracked")}
    assert public == wanted | {name: list(shape) for name, shape in CONSTANTS.items()}


# --- converter -------------------------------------------------------------------------------------------------------


def test_convert_and_run(tmp_path):
    """A file as it is published: nested, prefixed, of the old format. What comes out runs, and names its origin."""
    source, target = tmp_path / "STM_weights.pth", tmp_path / "stm.safetensors"
    state = public_state(CONFIG)
    torch.save({f"module.{n}": t for n, t in state.items()}, source, _use_new_zipfile_serialization=False)
    assert camn.convert("stm", source, target, half=True) == target
    read = weights.read(target)
    assert read.config == CONFIG and {n: tuple(t.shape) for n, t in read.state.items()} == expected_shapes(CONFIG)
    assert all((t == state[public_name(n)].half()).all() for n, t in read.state.items())
    assert read.notes == {
        "origin": "converted from STM_weights.pth",
        "origin_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }
    frame = np.zeros((20, 33, 3), np.uint8)
    segmenter = camn.load(target, "cpu")
    segmenter.start(frame, np.eye(20, 33, dtype=np.uint8) * 9)
    assert segmenter.step(frame).ids.shape == (20, 33)


def test_translation_leaves_the_file_alone():
    state = {name: tensor.clone() for name, tensor in public_state(SMALL).items()}
    translate(state, SMALL)["decoder.squeeze.weight"].zero_()
    assert state["Decoder.convFM.weight"].min() > 0


def test_normalisation_is_not_the_files():
    state = public_state(SMALL)
    network = Stm(SMALL)
    network.load_state_dict(translate(state, SMALL))
    assert network.query.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert state["Encoder_Q.mean"].flatten().tolist() != pytest.approx([0.485, 0.456, 0.406])


@pytest.mark.parametrize("name", ("Decoder.pred2.bias", "Encoder_M.std", "KV_M_r4.Key.weight"))
def test_missing_tensor(name):
    state = public_state(SMALL)
    del state[name]
    with pytest.raises(CheckpointError, match=rf"lacks 1 tensor \({name}\)"):
        translate(state, SMALL)


def test_extra_tensor():
    with pytest.raises(CheckpointError, match=r"has 1 tensor without a place \(Decoder.pred3.weight\)"):
        translate(public_state(SMALL) | {"Decoder.pred3.weight": torch.zeros(1)}, SMALL)


@pytest.mark.parametrize("name", ("Decoder.RF2.ResFS.conv1.weight", "Encoder_Q.mean"))
def test_other_shape(name):
    with pytest.raises(CheckpointError, match=rf"{name}: the file has \(2, 7\), the model needs"):
        translate(public_state(SMALL) | {name: torch.zeros(2, 7)}, SMALL)


def test_layer_that_stm_lacks():
    with pytest.raises(CheckpointError, match="no such layer"):
        public_name("ensembler.high.norm.weight")


def test_checkpoint_of_another_network(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"fg_bias": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match=r"other.pth: .*for stm-r50.*lacks \d+ tensors .*has 1 tensor"):
        load_public(path)
    with pytest.raises(CheckpointError, match="not STM"):
        load_public(path, "cfbi-r101")
    with pytest.raises(ConfigError, match="unknown model"):
        load_public(path, "stm-r18")


class Options:
    """What a training program may put beside the weights."""


def test_pickles_of_more_than_tensors_need_trust(tmp_path):
    path = tmp_path / "run.pth"
    torch.save({"state_dict": public_state(CONFIG), "options": Options()}, path)
    with pytest.raises(CheckpointError, match="run any code.*--trust"):
        load_public(path)
    config, state = load_public(path, trust=True)
    assert config == CONFIG and state.keys() == expected_shapes(CONFIG).keys()
