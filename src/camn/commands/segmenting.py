"""Commands that segment videos."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from camn import api
from camn.api import BACKGROUND, InferenceOptions, MaskExport, Preset, SegmentOptions, Take
from camn.cluster.options import BatchOptions
from camn.commands.common import MarkOptions, inference_options, say, segment_options, show, show_files
from camn.errors import ConfigError
from camn.progress import progress_bar
from camn.stopping import Stopped

if TYPE_CHECKING:
    from camn.api import Summary


@dataclass(frozen=True)
class Segment:
    """Follow objects through a video: clicks or masks on one frame in, masks on every frame out."""

    video: Positional[str | None] = None  # a file, a folder of images, camera:0, rtsp://..., http://..., - (stdin)
    marks: Annotated[MarkOptions, arg(name="")] = field(default_factory=MarkOptions)
    masks: tuple[Path, ...] = ()  # of the first frame; one per object; a folder; COCO, CVAT, YOLO, ...
    out: Path | None = None  # folder to write to
    resume: bool = False  # take up the run in --out that was cut off; the answers are as if it had not been
    seconds: float | None = None  # no more of the video; of a stream Ctrl-C is an end, too
    take: Take = "auto"  # of a stream: all, or the newest frame whenever one is done; see docs/reference/live.md
    project: Path | None = None  # of camn serve, in place of VIDEO and --masks; without --out its own masks are made
    preset: Preset = "default"  # of the options not given; best: followed at two sizes, 2.7 times the work
    options: Annotated[SegmentOptions, arg(name="")] = field(default_factory=segment_options)

    def run(self) -> None:
        with progress_bar("segment", "frames") as progress:
            if self.project:
                show(self._segment_project(self.project, progress))
                return
            marks = self.marks.read()
            if self.video is None or self.out is None or not (self.masks or marks):
                raise ConfigError(
                    "segment needs VIDEO, --out, and --click, --box or --masks; or --project, a project of camn serve"
                )
            masks = self.masks[0] if len(self.masks) == 1 else self.masks or None
            how: dict[str, Any] = {"marks": marks, "resume": self.resume, "progress": progress, "notice": say}
            how |= {"seconds": self.seconds, "take": self.take}
            summary = api.segment_video(self.video, masks, self.out, self.options, **how)
        show(summary)

    def _segment_project(self, project: Path, progress: api.Report) -> Summary:
        of_video = self.video is not None or self.seconds is not None or self.take != "auto"
        if of_video or self.masks or self.marks.read():
            raise ConfigError(
                "segment: a --project has its own video and masks; leave VIDEO, --masks, --click, --box, --seconds and "
                "--take out"
            )
        from camn.projects.headless import segment_project

        return segment_project(project, self.out, self.options, progress, say, self.resume)


@dataclass(frozen=True)
class Export:
    """Make further outputs of a run that is done, of its masks, without segmenting again; see
    docs/reference/outputs.md."""

    folder: Positional[Path]  # of the run: what camn segment wrote to
    to: tuple[MaskExport, ...]  # which outputs; several are made in one pass
    out: Path | None = None  # folder to write to; the run's own if not given
    video: Path | None = None  # where the run's video is, if it was moved
    objects: tuple[int, ...] | None = None  # ids of the objects that are shown; all if not given
    frames: tuple[int, int] | None = None  # first and last frame that are shown, 0 is the video's first
    background: str = BACKGROUND  # of over-h264: a colour #rrggbb, blur, or the path of a picture
    opacity: float = 0.5  # of the objects over the frames, 0..1
    partial: bool = False  # of a run that came to no end, too: the frames that are there
    overwrite: bool = False  # replace outputs that are there

    def run(self) -> None:
        given = {name: value for name, value in vars(self).items() if name not in ("folder", "to", "out")}
        with progress_bar("export", "frames") as progress:
            done = api.export_run(self.folder, self.to, self.out, **given, progress=progress, notice=say)
        print(f"{done.frames} frame{'s' * (done.frames != 1)}")
        show_files(done.outputs)


@dataclass(frozen=True)
class Mark:
    """Make a mask of objects on an image, or on a frame of a video, from clicks and boxes.

    See docs/reference/clicks.md."""

    source: Positional[str]  # an image, or a video as for camn segment
    out: Path  # the mask to write (.png): a palette PNG of ids, as --masks takes
    marks: Annotated[MarkOptions, arg(name="")] = field(default_factory=MarkOptions)
    overlay: bool = False  # write OUT-overlay.png, too: the objects tinted over the frame
    device: str = "auto"  # auto, cpu, cuda, mps
    threads: int | None = None  # CPU threads of the network; all cores if not given
    picture_range: tuple[float, float] | None = None  # of images: values that are black and white, as 0 4095 of 12 bits
    overwrite: bool = False  # replace files that are there

    def run(self) -> None:
        marks = self.marks.read()
        if marks is None:
            raise ConfigError("mark needs --click or --box: where the objects are")
        given = {name: getattr(self, name) for name in ("overlay", "device", "threads", "picture_range", "overwrite")}
        marked, files = api.mark(self.source, marks, self.out, **given)
        for note in marked.notes():
            print(note)
        for file in files:
            print(f"  {file}")


@dataclass(frozen=True)
class Batch:
    """Segment many videos, by processes of this machine or by a Ray cluster; what is done already is skipped.

    See docs/reference/batch.md. JOBS names a video, its masks and options in each line.
    """

    jobs: Positional[str]  # a manifest (.csv, .jsonl, .parquet; also a URL), or the folder of a data set
    out: str  # folder or URL to write to: OUT/NAME/ and OUT/NAME.json for each video
    batch: Annotated[BatchOptions, arg(name="")] = field(default_factory=BatchOptions)
    preset: Preset = "default"  # of the options not given, see camn segment
    options: Annotated[SegmentOptions, arg(name="")] = field(default_factory=segment_options)

    def run(self) -> None:
        from camn.cluster.batch import run_batch
        from camn.cluster.display import batch_board

        with batch_board() as show:
            done = run_batch(self.jobs, self.out, self.options, self.batch, show=show, notice=say)
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
    """Segment the clip that comes with camn from two clicks: on a rabbit, and on the stones before it."""

    out: Path = Path("demo-out")  # folder to write to
    options: Annotated[SegmentOptions, arg(name="")] = field(default_factory=api.demo_options)

    def run(self) -> None:
        own = self.options != api.demo_options()
        say("A click on the rabbit and one on the stones, followed through the clip that comes with camn; the same as")
        say(f"  {shlex.join(self._as_segment())}{' and the other options given' if own else ''}")
        with progress_bar("demo", "frames") as progress:
            summary = api.demo(self.out, self.options, progress=progress, notice=say)
        show(summary)

    def _as_segment(self) -> list[str]:
        """The command that does the same."""
        clicks, side = api.demo_marks().words()["click"], str(self.options.short_side)
        clip = str(api.demo_files()[0])
        return ["camn", "segment", clip, "--click", *clicks, "--short-side", side, "--out", str(self.out)]


@dataclass(frozen=True)
class Serve:
    """Open a page on this machine: mark objects in videos, watch them being followed, correct, export.

    Projects are kept in a folder; see docs/guide/page.md.
    """

    videos: Positional[tuple[Path, ...]] = ()  # files, or folders of images; a project is made of each
    projects: Path = Path("camn-projects")  # folder of the projects
    host: str = "127.0.0.1"  # address to serve at
    port: int = 0  # 0 is any free one
    public: bool = False  # let other machines in
    token: str | None = None  # of 16 or more letters and digits; CAMN_TOKEN, or made up; none: other users may come in
    names: tuple[str, ...] = ()  # names that other machines call this one by
    browser: bool = True  # open the page
    model: tuple[str, ...] = field(default_factory=lambda: segment_options().model)  # shipped, or .safetensors files
    device: str = "auto"  # auto, cpu, cuda, mps
    preset: Preset = "default"  # of the options and models that are not given, see camn segment
    options: Annotated[InferenceOptions, arg(name="")] = field(default_factory=inference_options)

    def run(self) -> None:
        from camn.web.server import ServeOptions, serve

        network = SegmentOptions(model=self.model, device=self.device, **vars(self.options))
        own = ("videos", "model", "device", "preset", "options")
        given = {key: value for key, value in vars(self).items() if key not in own}
        try:
            serve(self.videos, ServeOptions(**given, network=network), say)
        except Stopped:
            raise
        except KeyboardInterrupt:
            pass  # it is how a server ends
