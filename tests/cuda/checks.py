"""What must hold on a GPU: its answers are the CPU's, a step of training is, and a frame waits for nothing on the way.

`python tests/cuda/checks.py DEVICE [WORD ...]` runs them where there is no pytest; WORDs choose by parts of names.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

import camn
from camn import api, weights
from camn.config import NETWORKS, InferenceConfig, network_preset
from camn.inference import Result, Segmenter
from camn.model.build import build_network
from camn.speed.discs import moving_discs

SMALL = InferenceConfig(short_side=97, max_side=161, match_above=0)
FRAMES = 8  # of the demo clip
DEMO = Path(camn.__file__).parent / "assets/demo"


@contextmanager
def exact() -> Iterator[None]:
    """Products in single precision as the CPU makes them: no TF32."""
    switches = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [switch.allow_tf32 for switch in switches]
    for switch in switches:
        switch.allow_tf32 = False
    try:
        yield
    finally:
        for switch, was in zip(switches, before, strict=True):
            switch.allow_tf32 = was


def segmenter(name: str, device: str, autocast: bool, config: InferenceConfig = SMALL) -> Segmenter:
    """The shipped network, or one of random weights."""
    torch.manual_seed(0)
    network = build_network(network_preset(name))
    if name in weights.shipped():
        network.load_state_dict(weights.read(name).state)
    return Segmenter(network, replace(config, autocast=autocast), device)


@cache
def found(name: str, device: str, autocast: bool) -> np.ndarray:
    """(N+1, h, w): what is found on the second of two frames with two discs."""
    (first, mask), (second, _) = moving_discs(2, 97, 129, 2)
    with exact():
        made = segmenter(name, device, autocast)
        made.start(first, mask)
        return made.predict(second).probabilities.float().cpu().numpy()


def check_answers(name: str, autocast: bool, device: str) -> None:
    """Of a preset, on one frame. Half precision leaves an error in random networks that single precision has not."""
    there, here = found(name, device, autocast), found(name, "cpu", False)
    apart = np.abs(there - here)
    print(f"{name}, autocast {autocast}: off by {apart.max():.5f} at most, {apart.mean():.6f} in the mean")
    assert np.isfinite(there).all()
    if autocast:
        assert apart.mean() < 0.03
    else:
        assert apart.max() < 2e-3


@cache
def demo() -> tuple[list[np.ndarray], np.ndarray]:
    """The first frames of the demo clip, read without PyAV, and the first one's mask."""
    film = cv2.VideoCapture(str(DEMO / "bigbuckbunny.mp4"))
    frames = [cv2.cvtColor(film.read()[1], cv2.COLOR_BGR2RGB) for _ in range(FRAMES)]
    return frames, np.asarray(Image.open(DEMO / "first.png"))


@cache
def followed(device: str, autocast: bool, side: int = 240) -> list[Result]:
    frames, mask = demo()
    with exact():
        made = segmenter("camn-mobile", device, autocast, replace(SMALL, short_side=side, max_side=2 * side))
        return [made.start(frames[0], mask), *map(made.step, frames[1:])]


def check_demo(autocast: bool, device: str) -> None:
    """camn-mobile over frames of the demo clip, each from its own answer on the one before."""
    least = 0.95 if autocast else 0.99
    for there, here in zip(followed(device, autocast), followed("cpu", False), strict=True):
        assert there.lost == here.lost
        for id in here.confidence:
            both, either = (there.ids == id) & (here.ids == id), (there.ids == id) | (here.ids == id)
            share = both.sum() / max(1, either.sum())
            assert share >= least, f"frame {here.index}, object {id}: IoU {share:.4f} with the CPU's mask"


def trained(device: str, amp: bool, folder: Path) -> tuple[list[float], Path]:
    """Losses of two steps on made clips, and the weights behind them."""
    clip = folder / "videos/one"
    for kind in ("frames", "masks"):
        (clip / kind).mkdir(parents=True)
    for index, (frame, mask) in enumerate(moving_discs(6, 97, 129, 2)):
        Image.fromarray(frame).save(clip / f"frames/{index:03d}.png")
        Image.fromarray(mask).save(clip / f"masks/{index:03d}.png")
    recipe = folder / "two-steps.toml"
    recipe.write_text(
        f'model = "camn-mobile"\nstart = "camn-mobile"\nvideos = "videos"\nsteps = 2\nbatch = 2\nworkers = 0\n'
        f"warm_up = 1\namp = {str(amp).lower()}\n[clips]\nsize = [97, 97]\nframes = 3\n"
    )
    with exact():
        done = api.train(recipe, folder / "run", device=device)
    assert done.finished and done.weights
    lines = [json.loads(line) for line in (folder / "run/log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines], done.weights


def check_training(amp: bool, device: str) -> None:
    """Two steps on the same clips: the losses are the CPU's, and the weights have changed."""
    with tempfile.TemporaryDirectory() as there, tempfile.TemporaryDirectory() as here:
        losses, made = trained(device, amp, Path(there))
        wanted, _ = trained("cpu", False, Path(here))
        state, before = weights.read(made).state, weights.read("camn-mobile").state
    print(f"losses {losses}, on the CPU {wanted}")
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(losses, wanted, rtol=0.1 if amp else 5e-3)
    assert any(not torch.equal(state[key], before[key]) for key in state)


@contextmanager
def waiting_is_an_error(device: str) -> Iterator[None]:
    if not device.startswith("cuda"):
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def check_waiting(objects: int, device: str) -> None:
    """A frame is uploaded, found and taken in without waiting for the device; only its answer's copy waits."""
    made = segmenter("camn-mobile", device, True)
    frames = list(moving_discs(4, 97, 129, objects))
    made.start(*frames[0])
    made.step(frames[1][0])  # all that is made once is there now
    for frame, _ in frames[2:]:
        with waiting_is_an_error(device):
            uploaded = made.upload(frame)
            predicted = made.predict(uploaded)
        answer = Result.of(made.index + 1, made.objects, predicted.probabilities, frame.shape[:2])
        with waiting_is_an_error(device):
            made.accept(predicted, answer.ids)


CHECKS: dict[str, Callable[[str], None]] = {
    **{
        f"answers-{name}-{'half' if half else 'single'}": partial(check_answers, name, half)
        for name in NETWORKS
        for half in (False, True)
    },
    **{f"demo-{'half' if half else 'single'}": partial(check_demo, half) for half in (False, True)},
    **{f"training-{'bfloat16' if amp else 'single'}": partial(check_training, amp) for amp in (False, True)},
    **{f"waiting-{objects}": partial(check_waiting, objects) for objects in (1, 10)},
}


def main(device: str, *words: str) -> int:
    failed = 0
    for name, check in CHECKS.items():
        if words and not any(word in name for word in words):
            continue
        began = time.monotonic()
        try:
            check(device)
            said = "passed"
        except Exception:
            failed, said = failed + 1, "FAILED"
            traceback.print_exc(file=sys.stdout)
        print(f"{said} {name}, {time.monotonic() - began:.1f} s", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
