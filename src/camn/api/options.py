"""Options of the main job, and how far it has come. Light to import: the commands read this for their help."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from camn.api.segment.choice import Choice
from camn.api.segment.exporters import EXPORTERS, check_wishes, wishes_of
from camn.api.segment.exporters.exporter import BACKGROUND
from camn.config import Backend, EnsembleConfig, Feedback, InferenceConfig, PostProcess
from camn.errors import ConfigError

AlphaKind = Literal["png", "prores", "vp9"]
# Exports that every run writes, or that have an option of their own; all others are named by the option `export`.
_ALWAYS = ("masks", "objects")
_SWITCHES = {"overlay": "overlay", "json": "coco"}
STANDING = (*_ALWAYS, *_SWITCHES.values())  # what a run writes without being asked
_OWN = (*STANDING, *(f"alpha {kind}" for kind in get_args(AlphaKind)))
_OF_RESULTS = ("objects", *(f"alpha {kind}" for kind in get_args(AlphaKind)))
if TYPE_CHECKING:
    ExportName = str
    MaskExport = str
else:
    ExportName = Literal[tuple(name for name in EXPORTERS if name not in _OWN)]
    # What can be made of a finished run's masks.
    MaskExport = Literal[tuple(name for name in EXPORTERS if name not in _OF_RESULTS)]


@dataclass(frozen=True)
class Progress:
    """done: frames (or steps) so far. total: of how many, estimated for some videos, None if unknown. seconds: since
    the start, when `first` were done already. note: what else there is to say: a sequence's name, a loss."""

    done: int
    total: int | None
    seconds: float
    note: str = ""
    first: int = 0

    @property
    def rate(self) -> float:
        """Frames (or steps) per second."""
        return (self.done - self.first) / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds left, if that can be told."""
        return max(0, self.total - self.done) / self.rate if self.total and self.rate else None


Report = Callable[[Progress], None]
Notice = Callable[[str], None]
Preset = Literal["default", "best"]
JOINS = ("mean", "fusion")  # all else is a file


@dataclass(frozen=True)
class Setup:
    """All of how networks are run, beside which they are and on what. join: see `InferenceOptions`."""

    inference: InferenceConfig = InferenceConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    join: str = "mean"
    post: PostProcess = PostProcess()


@dataclass(frozen=True)
class InferenceOptions:
    """How a network is run, as far as users choose it. Raises ConfigError for values that cannot be."""

    memory_every: int = InferenceConfig.memory_every  # one in k frames is remembered
    memory_frames: int | None = InferenceConfig.memory_frames  # of these, at most so many are kept: 3, STM 40
    matched_frames: int | None = InferenceConfig.matched_frames  # the newest of them to match against: 1, published 0
    match_above: float = InferenceConfig.match_above  # an object is remembered only where it has this confidence, 0..1
    reference_frames: int = InferenceConfig.reference_frames  # of frames with your masks, keep the first and the newest
    short_side: int = InferenceConfig.short_side  # size the network works at; outputs have the video's own size
    max_side: int = InferenceConfig.max_side  # bound of both sides at work; smaller is faster
    threads: int | None = None  # CPU threads of the network; all cores if not given
    backend: Backend = "auto"  # of the network: eager, compile, onnx; auto measures once and takes the fastest
    scales: tuple[float, ...] = EnsembleConfig.scales  # follow the objects at each of these sizes, 1 is short_side
    flip: bool = EnsembleConfig.flip  # and in the mirrored video; answers are averaged, see docs/reference/ensemble.md
    join: str = "mean"  # of several models: mean; fusion, the network shipped for just these; or a file of camn fuse
    weights: tuple[float, ...] = EnsembleConfig.weights  # of several models in their mean; all alike if not given
    feedback: Feedback = EnsembleConfig.feedback  # what each model and view goes on from: the joint answer or its own
    post: PostProcess = PostProcess()  # mends what was found, see docs/reference/postprocessing.md

    def __post_init__(self):
        if isinstance(self.post, dict):  # from a manifest or a record
            object.__setattr__(self, "post", _post(self.post))
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads is {self.threads}: it must be 1 or more")
        self.setup()

    def setup(self) -> Setup:
        """The configurations that these options stand for."""
        ensemble = EnsembleConfig(self.scales, self.flip, self.weights, self.feedback)
        return Setup(self.inference(), ensemble, self.join, self.post)

    def inference(self) -> InferenceConfig:
        """A max_side below the short side bounds that too."""
        short = min(self.short_side, self.max_side)
        return InferenceConfig(
            self.memory_every,
            self.memory_frames,
            self.matched_frames,
            self.match_above,
            self.reference_frames,
            short,
            self.max_side,
            backend=self.backend,
        )


@dataclass(frozen=True)
class SegmentOptions(InferenceOptions):
    """Options of `segment_video`. Raises ConfigError for values that cannot be."""

    model: tuple[str, ...] = ("camn-mobile",)  # shipped (see `camn models`), or .safetensors files; several are joined
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps; auto is cuda or the cpu
    overlay: bool = True  # write overlay.mp4: the objects tinted over the video
    json: bool = True  # write segments.json: COCO run-length masks
    alpha: tuple[AlphaKind, ...] = ()  # cut-outs per object: PNG files, ProRes 4444, VP9 with alpha
    export: tuple[ExportName, ...] = ()  # further outputs, each of all objects together; see docs/reference/outputs.md
    export_objects: tuple[int, ...] | None = None  # ids of the objects that further outputs show; all if not given
    export_frames: tuple[int, int] | None = None  # first and last frame that they show, 0 is the video's first
    export_background: str = BACKGROUND  # of the export over-h264: a colour #rrggbb, blur, or the path of a picture
    resize_masks: bool = False  # scale masks that have another size than the frames, instead of refusing them
    masks_are_whole: bool = False  # what a later mask does not show is gone from its frame on; an empty one ends all
    first_frame: int | None = None  # number of the first frame in the masks' names, where these do not tell: 0, 1, ...
    picture_range: tuple[float, float] | None = None  # of images: values that are black and white, as 0 4095 of 12 bits
    fps: float = 24  # frame rate of the output videos where the source has none, as a folder of images
    overwrite: bool = False  # write into a folder that holds other things, or exports of a run before that go then

    def __post_init__(self):
        object.__setattr__(self, "model", named(self.model))
        super().__post_init__()
        if not self.model:
            raise ConfigError("model: give one or more, such as camn-mobile")
        if wrong := [kind for kind in self.alpha if kind not in get_args(AlphaKind)]:
            raise ConfigError(f"alpha: unknown kind {wrong[0]!r}; choose among {', '.join(get_args(AlphaKind))}")
        if wrong := [name for name in self.export if name not in EXPORTERS or name in _OWN]:
            known = ", ".join(name for name in EXPORTERS if name not in _OWN)
            raise ConfigError(f"export: unknown kind {wrong[0]!r}; choose among {known}")
        chosen = self.choice()  # as plain numbers, which a record can hold
        if chosen.objects is not None:
            object.__setattr__(self, "export_objects", tuple(sorted(chosen.objects)))
        if chosen.last is not None:
            object.__setattr__(self, "export_frames", (chosen.first, chosen.last))
        if self.first_frame is not None and self.first_frame < 0:
            raise ConfigError(f"first_frame is {self.first_frame}: numbers in the names of masks are 0 or more")
        ends = self.picture_range
        if ends is not None and not (len(ends) == 2 and ends[0] < ends[1] and all(map(math.isfinite, ends))):
            low_high = " ".join(f"{value:g}" for value in ends)
            raise ConfigError(f"picture_range is {low_high}: it must be two numbers, black and then white, as 0 4095")
        if not 0.01 <= self.fps <= 1000:
            raise ConfigError(f"fps is {self.fps}: it must be between 0.01 and 1000")

    def outputs(self) -> tuple[str, ...]:
        """Names of all that is to be written, see `camn.api.segment.exporters`."""
        switched = (name for option, name in _SWITCHES.items() if getattr(self, option))
        alpha = (f"alpha {kind}" for kind in self.alpha)
        return tuple(dict.fromkeys(("masks", *switched, *alpha, *self.export, "objects")))

    def choice(self) -> Choice:
        """What the outputs that `export` names show. Raises ConfigError for what cannot be."""
        return Choice.of(self.export_objects, self.export_frames)

    def check_chosen(self) -> None:
        """Raises ConfigError for what was chosen for the outputs that `export` names, where none shows it. To be called
        of all options together: those of a manifest's line may choose for an output that the batch names."""
        if self.choice() != Choice() and not self.export:
            raise ConfigError(
                "export_objects and export_frames say what the outputs of export show, and none is named; name some, "
                f"as --export {get_args(ExportName)[0]}"
            )
        check_wishes(self.export, background=self.export_background)

    def with_outputs(self, names: Collection[str]) -> SegmentOptions:
        """Of the outputs only these, and what is always written."""
        switches: dict[str, Any] = {option: name in names for option, name in _SWITCHES.items()}
        alpha = tuple(kind for kind in self.alpha if f"alpha {kind}" in names)
        export = tuple(name for name in self.export if name in names)
        unchosen: dict[str, Any] = {} if export else {"export_objects": None, "export_frames": None}
        unchosen |= {} if "background" in wishes_of(export) else {"export_background": BACKGROUND}
        return replace(self, **switches, alpha=alpha, export=export, **unchosen)

    def files(self) -> tuple[str, ...]:
        """All weights that these options name: of the models, and of a fusion network of one's own."""
        return self.model if self.join in JOINS else (*self.model, self.join)

    def rate(self) -> Fraction:
        """fps as the fraction it stands for."""
        return rate_of(self.fps)


def rate_of(fps: float) -> Fraction:
    """Frames per second as a fraction: 23.976 and 23.98 are 24000/1001."""
    ntsc = Fraction(round(fps * 1.001) * 1000, 1001)
    return ntsc if abs(ntsc - fps) < 0.005 else Fraction(fps).limit_denominator(1001)


def named(model: Any) -> tuple[str, ...]:
    """One model or several -> their names or paths."""
    return (str(model),) if isinstance(model, (str, Path)) else tuple(str(one) for one in model)


def _post(fields: dict[str, Any]) -> PostProcess:
    known = PostProcess.__dataclass_fields__
    if unknown := [name for name in fields if name not in known]:
        raise ConfigError(f"post: unknown option {unknown[0]!r}; the options are {', '.join(known)}")
    return PostProcess(**fields)


def preset_options(preset: Preset = "default") -> SegmentOptions:
    """default: `SegmentOptions()`. best: the objects are followed at two sizes, the most accurate on the development
    split; 2.7 times the work. What it brings: docs/reference/ensemble.md. Raises ConfigError for another name."""
    if preset not in get_args(Preset):
        raise ConfigError(f"unknown preset {preset!r}; choose among {', '.join(get_args(Preset))}")
    return SegmentOptions() if preset == "default" else SegmentOptions(scales=(1.0, 1.3), backend="eager")


def demo_files() -> tuple[Path, Path]:
    """The clip that comes with the package, and the mask of its first frame."""
    folder = Path(__file__).parents[1] / "assets" / "demo"
    return folder / "bigbuckbunny.mp4", folder / "first.png"


def demo_options() -> SegmentOptions:
    """Those of the demo: at a short side of 360 camn-mobile holds the rabbit as the sun falls on it."""
    return SegmentOptions(short_side=360)
