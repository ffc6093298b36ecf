"""The commands. What they do is in `camn.api`, imported when a command runs, so that --help is instant."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import OmitArgPrefixes, OmitSubcommandPrefixes, Positional, arg, subcommand

from camn import api
from camn.api import InferenceOptions, Preset, SegmentOptions
from camn.arguments import gathered, said_preset
from camn.cluster.options import BatchOptions
from camn.errors import CamnError, ConfigError
from camn.progress import progress_bar

if TYPE_CHECKING:
    from camn.api import Summary


ABOUT = "Masks of some objects on one frame of a video in, masks of them on every frame out."


@dataclass(frozen=True)
class Segment:
    """Follow objects through a video: masks on one frame in, masks on every frame out."""

    video: Positional[Path | None] = None  # a video file, or a folder of images
    masks: tuple[Path, ...] = ()  # of the first frame; one per object; COCO JSON; or a folder, named like frames
    out: Path | None = None  # folder to write to
    project: Path | None = None  # of camn serve, in place of VIDEO and --masks; without --out its own masks are made
    preset: Preset = "default"  # of the options not given. best: the whole system, some 30 times the work
    options: Annotated[SegmentOptions, arg(name="")] = field(default_factory=lambda: _preset())

    def run(self) -> None:
        with progress_bar("segment", "frames") as progress:
            if self.project:
                _show(self._segment_project(self.project, progress))
                return
            if self.video is None or not self.masks or self.out is None:
                raise ConfigError("segment needs VIDEO, --masks and --out; or --project, a project of camn serve")
            masks = self.masks[0] if len(self.masks) == 1 else self.masks
            summary = api.segment_video(self.video, masks, self.out, self.options, progress=progress, notice=_say)
        _show(summary)

    def _segment_project(self, project: Path, progress: api.Report) -> Summary:
        if self.video is not None or self.masks:
            raise ConfigError("segment: a --project has its own video and masks; leave VIDEO and --masks out")
        from camn.web.headless import segment_project

        return segment_project(project, self.out, self.options, progress, _say)


@dataclass(frozen=True)
class Batch:
    """Segment many videos, by processes of this machine or by a Ray cluster; what is done already is skipped.

    See docs/batch.md. JOBS names a video, its masks and options in each line.
    """

    jobs: Positional[str]  # a manifest (.csv, .jsonl, .parquet; also a URL), or the folder of a data set
    out: str  # folder or URL to write to: OUT/NAME/ and OUT/NAME.json for each video
    batch: Annotated[BatchOptions, arg(name="")] = field(default_factory=BatchOptions)
    preset: Preset = "default"  # of the options not given, see camn segment
    options: Annotated[SegmentOptions, arg(name="")] = field(default_factory=lambda: _preset())

    def run(self) -> None:
        from camn.cluster.batch import run_batch
        from camn.cluster.board import batch_board

        with batch_board() as show:
            done = run_batch(self.jobs, self.out, self.options, self.batch, show=show, notice=_say)
        rate = done.frames / max(done.seconds, 1e-9)
        print(f"{done.done} videos done, {done.skipped} done before, {len(done.failed)} failed")
        print(f"{done.frames} frames, {done.seconds:.1f} s ({rate:.2f} frames/s)")
        for name, reason in done.failed.items():
            print(f"failed: {name}: {reason}", file=sys.stderr)
        if done.stopped:
            raise KeyboardInterrupt
        done.raise_failed()


@dataclass(frozen=True)
class Demo:
    """Segment the clip that comes with camn: a rabbit and the stones before it."""

    out: Path = Path("demo-out")  # folder to write to
    options: Annotated[SegmentOptions, arg(name="")] = field(default_factory=api.demo_options)

    def run(self) -> None:
        with progress_bar("demo", "frames") as progress:
            summary = api.demo(self.out, self.options, progress=progress, notice=_say)
        _show(summary)


@dataclass(frozen=True)
class Models:
    """List the known networks, and what is known of the shipped weights."""

    def run(self) -> None:
        print(f"{'model':<18}{'parameters':>12}  {'weights':<14}about")
        for info in api.models():
            size = f"{info.size / 1e6:.1f} MB" if info.shipped else "not shipped"
            print(f"{info.name:<18}{info.parameters:>10.1f} M  {size:<14}{info.about}")
            if info.shipped:
                print(f"  sha256 {info.sha256}")
                for key, value in (info.notes or {}).items():
                    if isinstance(value, dict):  # a whole recipe, or a file with its hash: the file has the rest
                        value = value.get("name", value.get("file", value))
                    print(f"  {key}: {value}")


@dataclass(frozen=True)
class Evaluate:
    """J and F on a folder of videos with masks: of a model, or of masks that are there already.

    DAVIS 2016 and 2017, YouTube-VOS, MOSE, and folders of one's own: see docs/evaluation.md.
    """

    dataset: Positional[Path]  # the top of the data set
    year: Literal["2016", "2017"] | None = None  # of DAVIS: 2017, if not given, scores each object, 2016 all as one
    split: str = ""  # of DAVIS: ImageSets/YEAR/SPLIT.txt, val if not given; elsewhere the folder SPLIT
    resolution: str = "480p"  # of DAVIS: the folder in JPEGImages and Annotations
    holdout: Path | None = None  # score the held-out videos of YouTube-VOS, by a file of `camn data split`
    predictions: Path | None = None  # score these, PREDICTIONS/SEQ/NAME.png, and segment nothing
    out: Path | None = None  # keep the masks and scores.json here
    report: Path | None = None  # write a page: figures, J over time, worst frames (.html)
    submission: Path | None = None  # write masks for the public server of DAVIS or YouTube-VOS (.zip)
    model: tuple[str, ...] = field(default_factory=lambda: _preset().model)  # shipped, or .safetensors files
    device: str = "auto"  # auto, cpu, cuda, mps
    workers: int = 1  # processes that share the sequences and the CPU threads
    preset: Preset = "default"  # of the options and models that are not given, see camn segment
    options: Annotated[InferenceOptions, arg(name="")] = field(default_factory=lambda: _inference_preset())

    def run(self) -> None:
        with progress_bar("evaluate", "frames") as progress:
            given = {key: value for key, value in vars(self).items() if key != "preset"}
            found = api.evaluate(**given, progress=progress)
        for text in (found.table(), *found.speed.lines(), found.submission, found.report):
            if text:
                print(text)


@dataclass(frozen=True)
class Benchmark:
    """Measure what a model costs as the work grows: s/frame by stage, frames/s and peak memory.

    Over objects, sides, lengths, models and backends, each point in a fresh process: see docs/performance.md.
    """

    out: Path = Path("benchmark-out")  # folder for benchmark.json, benchmark.md, benchmark.svg
    full: bool = False  # many values (hours), in place of a few (minutes)
    sweeps: tuple[Literal["objects", "sides", "lengths", "models", "backends"], ...] = ()  # what to vary; () is all
    models: tuple[str, ...] = ()  # names (random weights where none are shipped) or files; sweeps vary the first
    backends: tuple[str, ...] = ()  # the first is that of the other sweeps
    objects: tuple[int, ...] = ()  # numbers of objects
    sides: tuple[int, ...] = ()  # heights of frames, which are worked on at that size
    lengths: tuple[int, ...] = ()  # numbers of frames of long runs
    side: int = 480  # height of the frames of all other sweeps
    frames: int | None = None  # to measure at each point: 20; 40 if full
    video: Path | None = None  # frames of yours, in place of made ones
    mask: Path | None = None  # of that video's first frame
    device: str = "auto"  # auto, cpu, cuda, mps
    threads: int | None = None  # CPU threads; all cores if not given

    def run(self) -> None:
        with progress_bar("benchmark", "points") as progress:
            done = api.benchmark(**vars(self), progress=progress, notice=_say)
        for finding in done.findings:
            print(finding)
        for path in done.files:
            print(f"  {path}")


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
            done = api.train(**options, progress=progress)
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

    Layouts: DAVIS, YouTube-VOS, MOSE, own clips (CLIP/frames, CLIP/masks), stills (KIND/images, KIND/masks).
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
class Serve:
    """Open a page on this machine: mark objects in videos, watch them being followed, correct, export.

    Projects are kept in a folder; see docs/web.md.
    """

    videos: Positional[tuple[Path, ...]] = ()  # files, or folders of images; a project is made of each
    projects: Path = Path("camn-projects")  # folder of the projects
    host: str = "127.0.0.1"  # address to serve at
    port: int = 0  # 0 is any free one
    public: bool = False  # let other machines in; a token is asked for then
    token: str | None = None  # of 16 or more letters and digits; made up if not given
    names: tuple[str, ...] = ()  # names that other machines call this one by
    browser: bool = True  # open the page
    model: tuple[str, ...] = field(default_factory=lambda: _preset().model)  # shipped, or .safetensors files
    device: str = "auto"  # auto, cpu, cuda, mps
    preset: Preset = "default"  # of the options and models that are not given, see camn segment
    options: Annotated[InferenceOptions, arg(name="")] = field(default_factory=lambda: _inference_preset())

    def run(self) -> None:
        from camn.web.server import ServeOptions, serve

        network = SegmentOptions(model=self.model, device=self.device, **vars(self.options))
        own = ("videos", "model", "device", "preset", "options")
        given = {key: value for key, value in vars(self).items() if key not in own}
        serve(self.videos, ServeOptions(**given, network=network), _say)


_chosen: Preset = "default"  # what --preset said, which `main` reads before it parses: the defaults follow from it


def _preset() -> SegmentOptions:
    return api.preset_options(_chosen)


def _inference_preset() -> InferenceOptions:
    whole = vars(_preset())
    return InferenceOptions(**{name: whole[name] for name in InferenceOptions.__dataclass_fields__})


def _say(note: str) -> None:
    print(note, flush=True)  # at once: a run that goes wrong by it can be stopped


def _show(summary: Summary) -> None:
    for warning in summary.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    count = f"{len(summary.ids)} object{'s' if len(summary.ids) > 1 else ''}"
    rate = summary.frames / max(summary.seconds, 1e-9)
    print(f"{summary.frames} frames, {count}, {summary.seconds:.1f} s ({rate:.2f} frames/s)")
    for path in summary.outputs:
        print(f"  {path}{'/' if path.is_dir() else ''}")


Command = OmitArgPrefixes[
    Annotated[Segment, subcommand("segment")]
    | Annotated[Batch, subcommand("batch")]
    | Annotated[Demo, subcommand("demo")]
    | Annotated[Serve, subcommand("serve")]
    | Annotated[Models, subcommand("models")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Benchmark, subcommand("benchmark")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Data, subcommand("data")]
    | Annotated[Convert, subcommand("convert")]
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0, 2 for errors of input or options, 130 after Ctrl-C, 141 when the reader of stdout has gone."""
    global _chosen
    given = gathered(sys.argv[1:] if arguments is None else arguments, "--model")
    _chosen = said_preset(given)
    try:
        command = tyro.cli(Command, prog="camn", args=given, description=ABOUT)  # type: ignore[arg-type]
        command.run()
        sys.stdout.flush()
    except CamnError as error:
        print(f"camn: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("camn: stopped; what was written so far is whole", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to say at exit
        return 141
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
