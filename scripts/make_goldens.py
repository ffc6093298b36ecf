"""Make tests/goldens/*.npz: what small networks of ours answer, for tests that notice when a change alters results.

    python scripts/make_goldens.py            # writes the files anew; only when results are meant to change

Weights and inputs are made from names and seeds with NumPy, so that the files hold answers only.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from camn.config import DecoderStep, Ensembler, Matching, Memory, ModelConfig, Scale, Stage, preset
from camn.model.network import Camn

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "goldens"
SIZE = (81, 97)
FRAMES, OBJECTS = 4, 2

_STAGES = (Stage(4, 64, (1, 2)), Stage(8, 128, (1, 2)), Stage(16, 128, (1, 2)))


def configs() -> dict[str, ModelConfig]:
    """The networks whose answers are kept: between them they take every branch of the model code."""
    paper = ModelConfig(
        name="small-camn-r50",
        backbone="resnet50",
        scales=(
            Scale(4, 48, 16, (4, 8), local_stride=2, global_stride=2, keep_all_below=20),
            Scale(8, 48, 32, (2, 4)),
            Scale(16, 64, 32, (1, 2)),
        ),
        ensembler=Ensembler(_STAGES, (DecoderStep(4, 32, (32, 32)),), high_level="fpa", high_level_width=64),
        deeplab=64,
        context="pyramid",
        context_keys=16,
        path_aggregation=True,
        memory=Memory("prior", key_channels=16, value_channels=32),
    )
    single = ModelConfig(
        name="small-cfbi-mobilenetv2",
        backbone="mobilenet_v2",
        scales=(Scale(4, 40, 40, (2, 4), global_stride=2),),
        ensembler=Ensembler(_STAGES, (DecoderStep(4, 32, (32, 32)),), high_level_width=64, pre_head=16),
        deeplab=64,
        pyramid="single",
        matching=Matching(half_size_windows=True),
        bgr=True,
    )
    return {c.name: c for c in (preset("camn-mobile"), paper, single)}


def generator(name: str) -> np.random.Generator:
    """A generator whose numbers depend on a name only."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")))


def weights(network: torch.nn.Module) -> dict[str, Tensor]:
    """Weights that depend on each tensor's name and shape only, and keep activations of ordinary size."""
    return {name: _weight(name, tuple(old.shape)) for name, old in network.state_dict().items()}


def _weight(name: str, shape: tuple[int, ...]) -> Tensor:
    draw = generator(name).uniform(-1, 1, shape)
    if len(shape) > 1:
        made = draw * np.sqrt(3 / np.prod(shape[1:]))
    elif name.endswith(("running_var", "alpha", "temperature")) or name.endswith("weight"):
        made = 1 + 0.2 * draw
    else:
        made = 0.2 * draw
    return torch.from_numpy(made.astype(np.float32))


def frames() -> Tensor:
    """(FRAMES, 3, H, W) RGB in 0..1: blocks of colour that move."""
    blocks = generator("frames").uniform(0, 1, (3, 16, 16)).repeat(8, 1).repeat(8, 2)
    moved = [np.roll(blocks, (2 * t, -3 * t), (1, 2))[:, : SIZE[0], : SIZE[1]] for t in range(FRAMES)]
    return torch.from_numpy(np.stack(moved).astype(np.float32))


def masks() -> Tensor:
    """(FRAMES, OBJECTS + 1, H, W): two rectangles that move, channel 0 the background; the second one is small."""
    ids = np.zeros((FRAMES, *SIZE), np.int64)
    for t in range(FRAMES):
        ids[t, 10 + 2 * t : 50 + 2 * t, 20 - 3 * t : 60 - 3 * t] = 1
        ids[t, 60 + t : 72 + t, 70 - t : 86 - t] = 2
    return torch.nn.functional.one_hot(torch.from_numpy(ids), OBJECTS + 1).movedim(-1, 1).float()


@torch.no_grad()
def answer(config: ModelConfig) -> dict[str, np.ndarray]:
    """What is kept: probabilities (N+1, h, w) of the last frame at the decoder's stride, given the true masks of two
    reference frames and of the frame before, and every 8th channel of its coarsest embedding (C / 8, h, w)."""
    network = Camn(config).eval()
    network.load_state_dict(weights(network))
    embeddings = network.encode(frames())
    labelled = [network.label(embeddings[t], mask) for t, mask in enumerate(masks())]
    entries = [network.remember(frame) for frame in labelled[:-1]] if config.memory else []
    matched = network.match(embeddings[FRAMES - 1], labelled[:2], labelled[-2], entries)
    return {
        "probabilities": network.decode([matched])[0].softmax(0).numpy(),
        "embedding": embeddings.maps[-1][-1, ::8].numpy(),
    }


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, config in configs().items():
        path, part = FOLDER / f"{name}.npz", FOLDER / f"{name}.part.npz"
        np.savez_compressed(part, **answer(config))  # type: ignore[arg-type]
        os.replace(part, path)
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
