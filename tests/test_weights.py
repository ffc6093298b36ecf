"""Weights files: what goes in comes out, and everything else is refused in words."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from camn import weights
from camn.config import PRESETS, preset
from camn.errors import CamnError, CheckpointError, OutputError
from camn.model.build import build_network
from camn.model.network import Camn

CONFIG = preset("camn-mobile")
STATE = {"a.weight": torch.linspace(-2, 2, 24).view(2, 3, 4), "b.bias": torch.tensor([0.1, 1e-3])}
NOTES = {"recipe": "recipes/x.toml", "J&F": 77.7, "data": ["DAVIS"]}


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "net.safetensors"
    weights.write(path, CONFIG, STATE, NOTES)
    return path


@pytest.mark.parametrize("half", (True, False))
def test_round_trip(tmp_path, half):
    path = tmp_path / "new" / "folder" / "net.safetensors"
    weights.write(path, CONFIG, STATE, NOTES, half)
    read = weights.read(path)
    assert read.config == CONFIG and read.notes == NOTES and read.path == path
    assert read.state.keys() == STATE.keys() and len(read.sha256) == 64
    for key, tensor in STATE.items():
        assert read.state[key].dtype == torch.float32
        assert torch.equal(read.state[key], tensor.half().float() if half else tensor)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", PRESETS)
def test_configurations_of_all_presets_come_back(tmp_path, name):
    weights.write(tmp_path / "x.safetensors", preset(name), STATE)
    assert weights.read(str(tmp_path / "x.safetensors")).config == preset(name)


def test_a_whole_network_comes_back_and_loads(tmp_path):
    torch.manual_seed(0)
    network = Camn(CONFIG)
    weights.write(tmp_path / "x.safetensors", CONFIG, network.state_dict(), half=False)
    read = weights.read(tmp_path / "x.safetensors")
    twin = Camn(read.config)
    twin.load_state_dict(read.state)  # strict: no tensor is missing
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), twin.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("half", (True, False))
def test_tensors_that_share_memory_and_strided_ones_are_written(tmp_path, half):
    whole = torch.arange(12.0).view(3, 4)
    state = {"a": whole, "b": whole, "row": whole[1], "turned": whole.T}
    weights.write(tmp_path / "x.safetensors", CONFIG, state, half=half)
    read = weights.read(tmp_path / "x.safetensors").state
    assert all(torch.equal(read[key], state[key]) for key in state)


def test_what_is_overwritten_is_whole_and_the_argument_is_not_changed(path):
    state = {"a.weight": torch.ones(5, requires_grad=True)}
    weights.write(path, CONFIG, state)
    assert weights.read(path).state.keys() == {"a.weight"}
    assert state["a.weight"].dtype == torch.float32 and state["a.weight"].requires_grad


@pytest.mark.parametrize(
    ("value", "half"), ((float("nan"), False), (float("inf"), False), (float("-inf"), True), (1e5, True))
)
def test_values_that_are_not_finite_are_not_written(path, value, half):
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match="b.bias is not finite"):
        weights.write(path, CONFIG, STATE | {"b.bias": torch.tensor([0.0, value])}, half=half)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def test_values_that_are_not_finite_are_not_read(tmp_path):
    path = tmp_path / "x.safetensors"
    notes = {"camn.config": json.dumps(CONFIG.as_dict())}
    save_file({"a": torch.ones(3), "b": torch.tensor([1.0, float("nan")])}, path, notes)
    with pytest.raises(CheckpointError, match=r"x\.safetensors: b holds values that are not finite"):
        weights.read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_cut_anywhere_is_refused(path, data):
    whole = path.read_bytes()
    cut = path.with_name("cut.safetensors")
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(CheckpointError, match="cut.safetensors: not a readable safetensors file"):
        weights.read(cut)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_a_byte_changed_anywhere_never_ends_in_a_traceback(path, data):
    spoilt = bytearray(path.read_bytes())
    spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    other = path.with_name("spoilt.safetensors")
    other.write_bytes(spoilt)
    try:
        read = weights.read(other)
    except CamnError:
        return
    assert all(torch.isfinite(t).all() for t in read.state.values())


@pytest.mark.parametrize("content", (b"", b"hello", b"\xff" * 64, b"PK\x03\x04" + bytes(100)))
def test_files_of_another_kind(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        weights.read(path)


def test_a_torch_checkpoint(tmp_path):
    torch.save(STATE, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        weights.read(tmp_path / "x.pth")


@pytest.mark.parametrize("metadata", (None, {}, {"format": "pt"}))
def test_safetensors_without_configuration(tmp_path, metadata):
    path = tmp_path / "x.safetensors"
    save_file(STATE, path, metadata)
    with pytest.raises(CheckpointError, match="no camn configuration"):
        weights.read(path)


@pytest.mark.parametrize("text", ("", "{", "null", "3", "[]", "{}", '"x"', '{"name": "x"}'))
def test_configurations_not_understood(tmp_path, text):
    path = tmp_path / "x.safetensors"
    save_file(STATE, path, {"camn.config": text})
    with pytest.raises(CheckpointError, match="configuration is not of this version"):
        weights.read(path)


@pytest.mark.parametrize("field", CONFIG.as_dict())
@pytest.mark.parametrize("value", ("x", 7, None, [], ["x"], {"x": 1}))
def test_configurations_with_a_field_of_another_kind_never_end_in_a_traceback(tmp_path, field, value):
    path = tmp_path / "x.safetensors"
    save_file(STATE, path, {"camn.config": json.dumps(CONFIG.as_dict() | {field: value})})
    try:
        weights.read(path)
    except CheckpointError as error:
        assert "configuration is not of this version" in str(error)


def test_names_and_paths_that_are_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="unknown model 'camn-mobil'.*shipped are"):
        weights.find("camn-mobil")
    with pytest.raises(CheckpointError, match="no such weights file"):
        weights.find(tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="no such weights file"):
        weights.find(tmp_path)
    unshipped = [name for name in PRESETS if name not in weights.shipped()]
    for name in unshipped:
        with pytest.raises(CheckpointError, match=f"{name}: a known network without shipped weights"):
            weights.find(name)


def test_shipped_weights_fit_their_networks():
    if not weights.shipped():
        pytest.skip("no weights are shipped with this checkout")
    for name, path in weights.shipped().items():
        read = weights.read(name)
        assert read.path == path and read.config.name == name
        build_network(read.config).load_state_dict(read.state)


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "folder.safetensors").mkdir()
    for path in ("file/x.safetensors", "file/deeper/x.safetensors", "folder.safetensors", "x" * 300):
        with pytest.raises(OutputError, match=rf"{path}: .*; c(heck|hoose)"):
            weights.write(tmp_path / path, CONFIG, STATE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.safetensors"]
    assert (tmp_path / "file").read_bytes() == b"mine"


FULL = """
import resource, signal, sys
import torch
from pathlib import Path
from camn import weights
from camn.config import preset
from camn.errors import OutputError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    weights.write(Path(sys.argv[1]), preset("camn-mobile"), {"a": torch.ones(1 << 16)})
except OutputError as error:
    print(error)
"""


def test_no_more_room_leaves_the_old_file(path):
    """A process that may write 20 kB to a file, as on a disk with no more room, and has 128 kB to write."""
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True)
    assert done.returncode == 0 and "net.safetensors: no room left to write it" in done.stdout, done.stderr
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == [path.name]
