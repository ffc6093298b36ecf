"""Commands that tell what a model is worth and costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from camn import api
from camn.api import AblateOptions, InferenceOptions, Preset
from camn.commands.common import measured_options, say, segment_options
from camn.errors import ConfigError
from camn.progress import progress_bar


@dataclass(frozen=True)
class Models:
    """List the known networks, and what is known of the shipped weights."""

    def run(self) -> None:
        self._show("model", api.models())
        print()
        self._show("fusion network", api.fusions())
        print()
        self._show("network for clicks", api.click_networks())

    def _show(self, kind: str, found: list[api.ModelInfo]) -> None:
        print(f"{kind:<20}{'parameters':>10}    {'weights':<14}about")
        for info in found:
            size = f"{info.size / 1e6:.1f} MB" if info.shipped else "not shipped"
            print(f"{info.name:<20}{info.parameters:>10.2f} M  {size:<14}{info.about}")
            if info.shipped:
                print(f"  sha256 {info.sha256}")
                for key, value in (info.notes or {}).items():
                    if isinstance(value, dict):  # a whole recipe, or a file with its hash: the file has the rest
                        value = value.get("name", value.get("file", value))
                    print(f"  {key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")


@dataclass(frozen=True)
class Evaluate:
    """J and F on a folder of videos with masks: of a model, or of masks that are there already.

    DAVIS 2016 and 2017, YouTube-VOS, MOSE, and folders of one's own: see docs/reference/evaluation.md.
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
    model: tuple[str, ...] = field(default_factory=lambda: segment_options().model)  # shipped, or .safetensors files
    device: str = "auto"  # auto, cpu, cuda, mps
    clicks: bool = False  # how many clicks each object takes, in place of following it: see docs/reference/clicks.md
    every: int = 10  # with --clicks: of a video, every N-th frame
    workers: int = 1  # processes that share the sequences and the CPU threads
    preset: Preset = "default"  # of the options and models that are not given, see camn segment
    options: Annotated[InferenceOptions, arg(name="")] = field(default_factory=measured_options)

    def run(self) -> None:
        if self.clicks:
            self._run_clicks()
            return
        own = ("preset", "clicks", "every")
        with progress_bar("evaluate", "frames") as progress:
            given = {key: value for key, value in vars(self).items() if key not in own}
            found = api.evaluate(**given, progress=progress)
        for text in (found.table(), *found.notes, *found.speed.lines(), found.submission, found.report):
            if text:
                print(text)

    def _run_clicks(self) -> None:
        names = ("year", "split", "resolution", "out", "device", "every")
        if self.predictions or self.submission or self.report or self.holdout:
            raise ConfigError("evaluate --clicks takes no --predictions, --submission, --report or --holdout")
        with progress_bar("evaluate", "frames") as progress:
            found = api.evaluate_clicks(
                self.dataset,
                **{name: getattr(self, name) for name in names},
                threads=self.options.threads,
                progress=progress,
            )
        print(found.table())


@dataclass(frozen=True)
class Benchmark:
    """Measure what a model costs as the work grows: s/frame by stage, frames/s and peak memory.

    Over objects, sides, lengths, models and backends, each point in a fresh process: see docs/lab/performance.md.
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
            done = api.benchmark(**vars(self), progress=progress, notice=say)
        for finding in done.findings:
            print(finding)
        for path in done.files:
            print(f"  {path}")


@dataclass(frozen=True)
class Ablate:
    """Train and measure the rows of the paper's ablation, and write the table; what is there already is taken.

    Some ten minutes of one core a row and seed by recipes/ablation.toml: see docs/lab/ablation.md.
    """

    recipe: Positional[Path]  # a TOML file, such as recipes/ablation.toml; its model and seed are replaced
    dataset: Path  # the top of the data set to measure on, as for camn evaluate
    out: Path = Path("ablation-out")  # folder for runs, scores, ablation.md, pictures
    year: Literal["2016", "2017"] | None = None  # of DAVIS
    split: str = ""  # of the data set
    device: str = "auto"  # auto, cpu, cuda
    threads: int | None = None  # CPU threads; all cores if not given
    options: Annotated[AblateOptions, arg(name="")] = field(default_factory=AblateOptions)

    def run(self) -> None:
        with progress_bar("ablate", "steps") as progress:
            done = api.ablate(**vars(self), progress=progress, notice=say)
        print(done.table)
        for path in done.files:
            print(f"  {path}")
