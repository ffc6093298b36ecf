"""The main job: a video and masks of its objects in, masks of every frame out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from camn.api.models.load import Model, cpu_threads, open_model
from camn.api.options import Notice, Progress, Report, SegmentOptions, demo_files, demo_options
from camn.api.out_of_memory import enough_memory
from camn.api.segment.export import about_video
from camn.api.segment.folder import run_folder
from camn.api.segment.given import segment_frame, take_given, unused
from camn.api.segment.outputs import MARKED, Outputs, check_exports, check_output, ended_early, listed
from camn.api.segment.record import about_run, recording
from camn.api.segment.spans import Span, cut
from camn.errors import MaskError, OutputError
from camn.files import path_of
from camn.inference import AnySegmenter, Result
from camn.inference.calls import own_settings
from camn.masks import Marks, MaskSet
from camn.masks.mask_set import mask_paths
from camn.media.opening import open_source
from camn.media.outputs import MaskWriter, WriterThread
from camn.media.source import Frame, FrameSource, Item, prefetch


@dataclass(frozen=True)
class Summary:
    """What a run did. outputs: the files and folders it wrote. ids: the objects. seconds: in all, without loading;
    stages: seconds of reading, segmenting and writing, which overlap, and of waiting for frames not read yet, or for
    room where writing is behind. notes: how masks were read. warnings: what the user should know."""

    folder: Path
    frames: int
    ids: tuple[int, ...]
    seconds: float
    stages: dict[str, float]
    outputs: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class _Run:
    """How far a run has come: frames written, and seconds of each stage."""

    frames: int = 0
    stages: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("read", "segment", "write", "wait"), 0.0))
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.stages[stage] += time.monotonic() - start

    def timed(self, stage: str, source: Iterable[Item]) -> Iterator[Item]:
        """The same items; the time until they come counts as the stage's."""
        with closing(iter(source)) as frames:  # type: ignore[type-var], sources are generators
            while True:
                with self.clock(stage):
                    frame = next(frames, None)
                if frame is None:
                    return
                yield frame

    def write(self, outputs: Outputs, frame: Frame, result: Result | None) -> None:
        with self.clock("write"):
            outputs.write(frame, result)
        self.frames += 1

    def as_dict(self) -> dict[str, Any]:
        seconds = self.seconds
        return {
            "frames": self.frames,
            "seconds": round(seconds, 3),
            "frames_per_second": round(self.frames / seconds, 3),
            "seconds_by_stage": {stage: round(value, 3) for stage, value in self.stages.items()},
        }


@own_settings(inference=False)
def segment_video(
    video: str | Path,
    masks: str | Path | Sequence[str | Path] | None = None,
    out: str | Path | None = None,
    options: SegmentOptions | None = None,
    *,
    marks: Marks | None = None,
    loaded: Model | None = None,
    span: Span | None = None,
    names: Mapping[int, str] | None = None,
    progress: Report = lambda progress: None,
    notice: Notice = lambda note: None,
    **changes: Any,
) -> Summary:
    """Follow the objects of `masks`, or of clicks and boxes, through a video file or a folder of images, and write
    results to the folder `out`.

    masks: any format that `camn.masks.read_masks` takes: one mask for the first frame, or several named like their
    frames or by their numbers, in which objects may appear later or be corrected. Before the first frame with a mask
    there is nothing to follow, and masks are empty. marks: clicks and boxes on one frame, of objects that no mask shows
    there; what they mark goes in as a mask of that frame would. With them `masks` may be None. loaded: a model in
    memory (see `open_model`), used if it is the one that the options ask for. span: segment these frames alone, from
    the masks among them (see `join_parts`). names: what segments.json calls objects, by id, in place of what the masks
    call them; "object ID" if neither says. progress: called after each frame. notice: called before the first frame
    with each sentence on how masks were read, such as which colour is which object, and how sure those of marks are,
    and on the first frames with what runs the network (see `camn.inference.backends`). changes: fields of
    `SegmentOptions`, in place of those of `options`.

    Writes masks/NAME.png, overlay.mp4, segments.json, objects.csv (confidence, lost), alpha/, run.json and what
    `export` names, as the options ask, and of `marks` marked/NAME.png, the mask of their frame. The outputs of a former
    run in `out` are replaced, at the end: until then, and after an error, they stay; see
    `camn.api.segment.folder.run_folder`. A folder that holds anything else, or that another run writes to, is refused.
    Everything is checked before the folder is touched. After an error in the middle, what was written stays valid, and
    run.json says so. Raises CamnError: VideoError, MaskError, CheckpointError, ConfigError, OutputError.
    """
    options = dataclasses.replace(options or SegmentOptions(), **changes)
    folder = path_of(out, OutputError, "give that of a folder to write to")
    source = open_source(video, picture_range=options.picture_range)
    span = span or Span()
    files = mask_paths(masks) if masks is not None or marks is None else []
    check_output(folder, source.path, files, options.overwrite)
    given, marked = take_given(masks, marks, source, options, span)
    names = {**given.names, **(names or {})}
    said: list[str] = []  # by the outputs

    def tell(note: str) -> None:
        said.append(note)
        notice(note)

    known: dict[str, Any] = {"ids": given.ids.ids, "names": names, "colours": given.colours, "notice": tell}
    known |= {"background": options.export_background}
    source, given = cut(source, given, span)
    shown = about_video(source.size, source, options.rate(), **known)
    check_exports(options, shown, known["ids"], source.count if span.whole else None)
    model = loaded if loaded and loaded.serves(options) else open_model(options, notice)
    segmenter = model.segmenter()
    with run_folder(folder, notice) as made, cpu_threads(options.threads) as threads:
        for note in (*source.notes, *given.notes):
            notice(note)
        run = _Run()
        about = about_run(source, files, given, options, model, segmenter.device, threads)
        about |= {"names": {str(id): name for id, name in names.items()}} if names else {}
        about |= {} if span.whole else {"span": [span.start, span.stop]}
        about |= {"marks": marked.as_dict()} if marked else {}
        with recording(made, about) as record:
            if marked and span.holds(marked.marks.at):
                MaskWriter(made / MARKED).write(marked.frame.name, given.masks[marked.marks.at])
            try:
                _follow(source, given, segmenter, partial(Outputs, made, options, shown), run, progress)
            finally:
                record |= run.as_dict() | {"warnings": list(source.warnings), "backend": segmenter.backends.as_dict()}
                record["notes"] = [*given.notes, *said]
            end = span.start + run.frames
            record["warnings"] += [*unused(given, end), *ended_early(options, end)]
    return Summary(
        folder=folder,
        frames=run.frames,
        ids=given.ids.ids,
        seconds=record["seconds"],
        stages=run.stages,
        outputs=tuple(listed(folder, options, marked is not None)),
        notes=tuple(record["notes"]),
        warnings=tuple(record["warnings"]),
    )


def demo_marks() -> Marks:
    """A click on the rabbit of the clip that comes with the package, and one on the stones."""
    return Marks({1: [(299, 385)], 2: [(190, 290)]})


def demo(
    out: str | Path = "demo-out",
    options: SegmentOptions | None = None,
    *,
    progress: Report = lambda progress: None,
    notice: Notice = lambda note: None,
    **changes: Any,
) -> Summary:
    """The main job on the clip that comes with the package, from two clicks: on a rabbit and on the stones before it.

    options: those of `demo_options` if None.
    """
    options, (clip, _) = options or demo_options(), demo_files()
    return segment_video(clip, None, out, options, marks=demo_marks(), progress=progress, notice=notice, **changes)


def _follow(
    source: FrameSource,
    given: MaskSet,
    segmenter: AnySegmenter,
    open_outputs: Callable[[], Outputs],
    run: _Run,
    progress: Report,
) -> None:
    """Decode and upload ahead in one thread, segment here, write in another. Leaving this, also by an error, ends every
    file."""
    with (
        enough_memory(source.size, len(given.ids)),  # outermost: it may run out in any of the threads
        open_outputs() as outputs,
        closing(prefetch(_uploaded(run.timed("read", source), segmenter))) as frames,
        WriterThread() as writer,
    ):
        behind = 0  # the last frame
        for done, (frame, uploaded) in enumerate(run.timed("wait", frames), 1):
            behind = frame.index + 1
            with run.clock("segment"):
                result = segment_frame(segmenter, uploaded, given, frame.index)
            with run.clock("wait"):
                writer.submit(run.write, outputs, frame, result)
            progress(Progress(done, source.count, run.seconds))
    if segmenter.index < 0 and behind <= min(given.masks):
        raise MaskError(
            f"{source.path}: its {run.frames} frames ended before the first one with a mask, frame {min(given.masks)} "
            "(0 is the first); name masks like frames of this video, or say with --first-frame which number its first "
            "frame bears in the masks' names"
        )


def _uploaded(frames: Iterator[Frame], segmenter: AnySegmenter) -> Iterator[tuple[Frame, Any]]:
    with closing(frames):  # type: ignore[type-var], a generator
        for frame in frames:
            yield frame, segmenter.upload(frame.image)
