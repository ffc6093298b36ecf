"""One part by every backend: small ones, whose answers and failures are plain."""

import shutil

import pytest
import torch
from torch import Tensor, nn
from torch._inductor import config as inductor

from camn.errors import ConfigError
from camn.inference.backends import Backends
from camn.inference.backends.cache import Cache
from camn.inference.backends.runner import PartRunner, check_same

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")


class Plain(nn.Module):
    """Two convolutions and a matrix product, of a map and a vector. -> (B, 3, h, w), (B, 3)."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 3, 1)
        self.linear = nn.Linear(5, 3)

    def forward(self, x: Tensor, vector: Tensor) -> tuple[Tensor, Tensor]:
        made = self.second(torch.relu(self.first(x)))
        return made, self.linear(vector) + made.mean((2, 3))


class Moody(nn.Module):
    """What it does depends on values, which no graph of fixed operations can follow."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (x + 1 if x[0, 0, 0, 0] > 0 else x - 1,)


def runner(part: nn.Module, asked: str, notes: list[str] | None = None) -> tuple[PartRunner, list]:
    chosen: list = []
    notes = [] if notes is None else notes
    return PartRunner("plain", part.eval(), "", asked, Cache(), chosen.append, notes.append), chosen


def inputs(height: int = 9, width: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height)
    x = torch.rand(1, 4, height, width, generator=generator)
    return x.contiguous(memory_format=torch.channels_last), torch.rand(1, 5, generator=generator)


@pytest.fixture
def plain() -> Plain:
    torch.manual_seed(0)
    return Plain()


@torch.inference_mode()
def test_a_part_is_made_for_each_size(plain, folder):
    part = plain
    run, chosen = runner(part, "onnx")
    for size in ((9, 7), (5, 6), (9, 7)):
        for ours, theirs in zip(run(*inputs(*size)), part(*inputs(*size)), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert [choice.size for choice in chosen] == [(9, 7), (5, 6)] and len(list(folder.glob("*.onnx"))) == 2


@torch.inference_mode()
def test_what_ran_a_part_before_may_be_held(plain, folder):
    """Then nothing is measured, at that size."""
    chosen: list = []
    held = {("plain", (9, 7)): "onnx"}
    run = PartRunner("plain", plain.eval(), "", "auto", Cache(), chosen.append, lambda note: None, held)
    run(*inputs())
    assert [(choice.backend, choice.seconds) for choice in chosen] == [("onnx", {})]
    assert len(list(folder.glob("*.onnx"))) == 1 and not list(folder.glob("*.json"))


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no compiler")
@inductor.patch({"aot_inductor.precompile_headers": False})  # which takes long, and pays off from the second part on
@torch.inference_mode()
def test_compiled(plain, folder):
    """Compiled once; the next runner finds it, and `auto` then measures it, too. Inputs come in any order of memory."""
    notes: list[str] = []
    x, vector = inputs(10, 8)
    strided = x.new_zeros(1, 8, 10, 16)[:, ::2, :, ::2].copy_(x)
    wanted = plain(x, vector)
    for given in ((x, vector), (x.contiguous(), vector), (strided, vector.expand(2, -1)[1:])):
        run, _ = runner(plain, "compile", notes)
        for _ in range(2):
            for ours, theirs in zip(run(*given), wanted, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert len(notes) == 1 and "kept for later runs" in notes[0]
    auto, chosen = runner(plain, "auto", notes)
    auto(x, vector)
    assert len(notes) == 2 and chosen[0].seconds.keys() == {"eager", "onnx", "compile"}
    assert notes[1].startswith("Measured once what runs this network fastest here: for plain of 8x10 ")
    assert chosen[0].backend == min(chosen[0].seconds, key=chosen[0].seconds.__getitem__)
    assert len(list(folder.glob("*.pt2"))) == 1


@torch.inference_mode()
def test_a_part_that_depends_on_values():
    x = torch.full((1, 1, 2, 3), 0.5) * torch.tensor([1.0, 1, -1])
    for backend in ("onnx", "compile"):
        with pytest.raises(ConfigError, match=f"backend {backend} cannot run this network's plain .*--backend eager"):
            runner(Moody(), backend)[0](x)
    run, chosen = runner(Moody(), "auto")
    for given in (x, -x):
        torch.testing.assert_close(run(given)[0], Moody()(given)[0])
    assert chosen[0].backend == "eager" and "off by" in chosen[0].failed["onnx"]
    assert "onnx failed" in str(chosen[0])


def test_answers_are_compared():
    wanted = (torch.tensor([1.0, -50.0]), torch.zeros(2))
    check_same((torch.tensor([1.01, -50.04]), torch.zeros(2)), wanted)
    for wrong in (torch.tensor([1.0, -50.06]), torch.tensor([float("nan"), -50.0]), torch.ones(3)):
        with pytest.raises(ValueError, match="its answer is"):
            check_same((wrong, wanted[1]), wanted)


def test_no_compiler(plain, monkeypatch, folder):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigError, match="needs a C.. compiler and finds no no-such-compiler"):
        Backends("compile", torch.device("cpu"))
    folder.mkdir()
    (folder / "encode-0-0.pt2").write_bytes(b"")  # some parts may be there already; those that are not are told then
    Backends("compile", torch.device("cpu"))
    with pytest.raises(ConfigError, match="no-such-compiler"):
        runner(plain, "compile")[0](*inputs())
