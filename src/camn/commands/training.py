"""Commands that make models, and look after the data for it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import OmitSubcommandPrefixes, Positional, arg, subcommand

from camn import api
from camn.api import FuseOptions
from camn.commands.common import say
from camn.progress import progress_bar


@dataclass(frozen=True)
class Train:
    """Train a network by a recipe; a run that lies in the output folder is taken up where it stopped.

    On several GPUs: torchrun --nproc-per-node GPUS -m camn.cli train RECIPE --out RUN
    """

    recipe: Positional[Path]  # a TOML file, see recipes/
    out: Path  # folder of the run: last.pt, log.jsonl, weights.safetensors
    videos: tuple[Path, ...] = ()  # folders of training videos, in place of the recipe's
    start: str = ""  # weights to start from, in place of the recipe's: a shipped model, or a file
    steps: int | None = None  # in place of the recipe's; the learning rate falls over so many
    tensorboard: bool = False  # keep a log for TensorBoard in OUT/tensorboard
    max_minutes: float = math.inf  # stop after so long; run it again to go on
    device: str = "auto"  # auto, cpu, cuda
    threads: int | None = None  # CPU threads; all cores if not given
    export: bool = True  # write weights.safetensors at the end

    def run(self) -> None:
        # What is not given stays the recipe's own.
        unsaid = {"videos": (), "start": "", "steps": None, "tensorboard": False}
        options = {key: value for key, value in vars(self).items() if key not in unsaid or value != unsaid[key]}
        with progress_bar("train", "steps") as progress:
            done = api.train(**options, progress=progress, notice=say)
        if done.rank > 0:  # of several processes one speaks
            return
        state = "finished" if done.finished else "stopped; run it again to go on"
        print(f"step {done.step} of {done.steps}, {done.minutes:.1f} minutes, loss {done.loss:.4f}: {state}")
        if done.best:
            print(f"  {done.best}: the best, J&F {100 * done.jf:.1f}")
        if done.weights:
            print(f"  {done.weights}")


@dataclass(frozen=True)
class Check:
    """Recognise a data set's layout, read all its files, and say what it holds and all that is wrong with it.

    Layouts: DAVIS, YouTube-VOS, MOSE, own clips (CLIP/frames or a video, CLIP/masks), stills (KIND/images, KIND/masks).
    """

    folder: Positional[Path]
    kind: Literal["auto", "videos", "stills"] = "auto"  # what it is, where folders of images and masks may be either
    frames: int = 1  # how many masks each video needs: as many as the clips of your recipe have frames
    resolution: str = "480p"  # of DAVIS: the folder in JPEGImages and Annotations
    json: bool = False  # print the report as JSON

    def run(self) -> None:
        options = {"frames": self.frames, "resolution": self.resolution}
        with progress_bar("check", "frames") as progress:
            found = api.check_data(self.folder, self.kind, **options, progress=progress)
        print(json.dumps(found.to_dict(), indent=2) if self.json else found.text(), flush=True)
        found.raise_problems()


@dataclass(frozen=True)
class Split:
    """Split YouTube-VOS train by category: what is held out is never trained on, and scored by evaluate --holdout."""

    folder: Positional[Path]  # with JPEGImages, Annotations and meta.json
    out: Path  # file to write (.json), for `camn evaluate --holdout` and a recipe's `holdout`
    split: str = ""  # folder in it; train if not given
    seed: int = 0  # another one holds out other videos

    def run(self) -> None:
        found = api.hold_out(self.folder, self.out, split=self.split, seed=self.seed)
        print(f"held out: {len(found.unseen_videos)} videos of categories never trained on ({', '.join(found.unseen)})")
        print(f"  and {len(found.seen_videos)} of the others: {self.out}")


@dataclass(frozen=True)
class Data:
    """Data sets: check one; split one into a part to train on and a part to measure with."""

    job: OmitSubcommandPrefixes[Annotated[Check, subcommand("check")] | Annotated[Split, subcommand("split")]]

    def run(self) -> None:
        self.job.run()


@dataclass(frozen=True)
class Convert:
    """Convert a public CFBI, CFBI+ or STM checkpoint into a file for --model."""

    kind: Positional[Literal["cfbi", "cfbi-mobilenetv2", "cfbi-plus", "stm"]]  # which network it is of
    source: Positional[Path]  # the downloaded checkpoint (.pth)
    target: Positional[Path]  # file to write (.safetensors)
    half: bool = False  # store float16: half the size
    trust: bool = False  # read a file that holds more than tensors, which may run any code

    def run(self) -> None:
        print(api.convert(**vars(self)))


@dataclass(frozen=True)
class Fuse:
    """Train the network that joins the answers of several models, which stay as they are.

    See docs/reference/ensemble.md."""

    model: tuple[str, ...]  # the members: shipped models, or .safetensors files
    out: Path  # folder for the members' answers and fusion.safetensors, which --join takes
    videos: tuple[Path, ...] = ()  # folders of videos to train on
    stills: Path | None = None  # a folder of stills to set in motion
    year: str = ""  # of DAVIS
    split: str = ""  # of the videos: train if not given
    device: str = "auto"  # auto, cpu, cuda, mps
    threads: int | None = None  # CPU threads; all cores if not given
    options: Annotated[FuseOptions, arg(name="")] = field(default_factory=FuseOptions)

    def run(self) -> None:
        with progress_bar("fuse", "steps") as progress:
            done = api.fuse(**vars(self), progress=progress, notice=say)
        print(f"{done.samples} frames; loss {done.loss:.4f}, of the members' mean {done.mean:.4f}")
        print(f"  {done.weights}")
