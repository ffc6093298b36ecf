"""Files that are no weights, wherever weights can be named: always a CheckpointError that names the file, and nothing
of them is ever run."""

import io
import json
import os
import pickle
import random
import struct
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import camn
from camn import weights
from camn.checkpoints.backbones import backbone_state
from camn.checkpoints.state_dicts import read_state
from camn.errors import CheckpointError
from camn.training import checkpoint
from camn.training.recipe import Recipe

RECIPE = Recipe("any", videos=("none",))
WAYS = {
    "model": lambda path: camn.load(path, device="cpu"),
    "fusion": weights.read_fusion,
    "state": read_state,
    "trusted state": lambda path: read_state(path, trust=True),
    "backbone": lambda path: backbone_state(path, "resnet50"),
    "resumed": lambda path: checkpoint.read(path, RECIPE),
}


class Runs:
    """Unpickled, it would leave a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def written(write) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zipped(file) -> None:
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("archive/data.pkl", pickle.dumps({"a": 1}))
        made.writestr("archive/version", "3")


def tarred(file) -> None:
    with tarfile.open(fileobj=file, mode="w") as made:
        made.addfile(tarfile.TarInfo("pickle"))


def tensors(header, body: bytes = b"\0" * 8, length: int | None = None) -> bytes:
    """A safetensors file."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(dtype="F32", shape=(1,), size=4) -> dict:
    return {"a": {"dtype": dtype, "shape": list(shape), "data_offsets": [0, size]}}


CONFIG = weights.read("camn-mobile").config.as_dict()
PLAIN = written(lambda file: torch.save({"a": torch.ones(3, 4), "b": torch.zeros(2)}, file))
OLD = written(lambda file: torch.save({"a": torch.ones(3)}, file, _use_new_zipfile_serialization=False))

FILES = {
    "nothing": b"",
    "text": b"root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n",
    "JSON": b'{"a": 1}',
    "page": b"<!DOCTYPE html><html><title>404</title></html>",
    "pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n",
    "PNG": written(lambda file: Image.new("RGB", (9, 9)).save(file, "PNG")),
    "zip": written(lambda file: zipfile.ZipFile(file, "w").close()),
    "zip with a pickle": written(zipped),
    "tar": written(tarred),
    "array": written(lambda file: np.save(file, np.ones(3))),
    "list": pickle.dumps([1, 2]),
    "deep pickle": b"\x80\x02" + b"]" * 100_000 + b".",
    "huge header": tensors(b"{}", b"", 1 << 62),
    "header beyond the end": tensors(b"{}", b"", 100),
    "header that is a list": tensors(b"[]"),
    "deep header": tensors(b"[" * 100_000),
    "negative shape": tensors(entry(shape=[-1])),
    "shape beyond all bounds": tensors(entry(shape=[1 << 40, 1 << 40])),
    "unknown kind": tensors(entry("Q9")),
    "complex": tensors(entry("C64", size=8)),
    "not finite": tensors(entry(), struct.pack("<f", float("nan"))),
}


@pytest.mark.filterwarnings("ignore")  # of the unpickler, on what it reads
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_files_of_other_kinds(tmp_path, way, name):
    for suffix in (".safetensors", ".pth"):
        path = tmp_path / f"file{suffix}"
        path.write_bytes(FILES[name])
        if name in ("complex", "not finite") and "state" in way and suffix == ".safetensors":
            continue  # files of tensors they are
        with pytest.raises(CheckpointError, match=path.name):
            WAYS[way](path)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "trusted state"])
def test_what_is_cut_short_or_damaged(tmp_path, way):
    """Whatever the unpickler comes upon."""
    path, good = tmp_path / "file.pth", 0
    for seed in range(60):
        draw = random.Random(seed)
        data = bytearray(draw.choice((PLAIN, OLD)))
        for _ in range(draw.randrange(1, 8)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes((data if seed % 3 else data[: draw.randrange(len(data))]) if seed % 5 else draw.randbytes(99))
        try:
            WAYS[way](path)
            good += 1  # the damage was to a number alone
        except CheckpointError as error:
            assert "file.pth" in str(error)
    assert good == 0 or way == "state"


@pytest.mark.parametrize("way", [way for way in WAYS if way != "trusted state"])
def test_nothing_is_run(tmp_path, way):
    path, mark = tmp_path / "file.pth", tmp_path / "was here"
    for content in (Runs(mark), {"a": torch.ones(1), "b": Runs(mark)}):
        for new in (True, False):
            torch.save(content, path, _use_new_zipfile_serialization=new)
            with pytest.raises(CheckpointError, match=r"file\.pth"):
                WAYS[way](path)
    assert not mark.exists()


@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_file(tmp_path, way):
    """Some of these never end."""
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "link.safetensors").symlink_to("/dev/zero")
    (tmp_path / "lost.pth").symlink_to(tmp_path / "nowhere")
    names = [tmp_path / "pipe.pth", tmp_path / "link.safetensors", tmp_path / "lost.pth", tmp_path, "/dev/zero"]
    for path in [*names, "x" * 5000, "a\0b", "/etc/hosts/x.pth"]:
        with pytest.raises(CheckpointError):
            WAYS[way](Path(path))


@pytest.mark.parametrize("key", CONFIG)
def test_configurations_that_make_no_network(tmp_path, key):
    """None of them is built before it is known to fit the file: it may be as large as memory."""
    path = tmp_path / "file.safetensors"
    for value in (None, "x", -1, 10**9, 1.5, [], {}, True, float("nan")):
        notes = {"camn.config": json.dumps(CONFIG | {key: value}), "camn.notes": "{}"}
        path.write_bytes(tensors({"__metadata__": notes, **entry(size=8, shape=[2])}))
        with pytest.raises(CheckpointError, match=r"file\.safetensors"):
            camn.load(path, device="cpu")


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The shipped model by another name."""
    read, path = weights.read("camn-mobile"), tmp_path_factory.mktemp("weights") / "another.safetensors"
    weights.write(path, replace(read.config, name="another"), read.state)
    return str(path)


@pytest.mark.parametrize(
    "said", ["[]", "3", "null", "{", '"x"', "[" * 100_000, '{"members": 3}', '{"members": ["a", 1]}']
)
def test_what_a_file_says_of_itself(tmp_path, another, said):
    path = tmp_path / "file.safetensors"
    for kind in ("camn.config", "camn.fusion", "camn.notes"):
        mine = {"camn.config": json.dumps(CONFIG), "camn.fusion": '{"members": ["camn-mobile", "another"]}'}
        path.write_bytes(tensors({"__metadata__": mine | {kind: said}, **entry(size=8, shape=[2])}))
        for options in ({"model": path}, {"model": ["camn-mobile", another], "join": str(path)}):
            with pytest.raises(CheckpointError, match=r"file\.safetensors"):
                camn.load(**options, device="cpu")


def test_public_checkpoints_are_to_be_converted(tmp_path):
    (tmp_path / "public.pth").write_bytes(PLAIN)
    with pytest.raises(CheckpointError, match="camn convert"):
        camn.load(tmp_path / "public.pth")
