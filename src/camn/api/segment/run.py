"""The main job: a video and masks of its objects in, masks of every frame out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from camn.api.models.load import Model, cpu_threads, open_model
from camn.api.options import Notice, Report, SegmentOptions, demo_files, demo_options
from camn.api.segment.export import about_video
from camn.api.segment.exporters.exporter import About
from camn.api.segment.folder import drop_kept, run_folder, settle
from camn.api.segment.given import take_given, unused
from camn.api.segment.kept import keeping
from camn.api.segment.marking import Marked
from camn.api.segment.outputs import (
    KEPT,
    MARKED,
    Outputs,
    check_exports,
    check_output,
    ended_early,
    listed,
    spare_exports,
)
from camn.api.segment.record import about_run, recording
from camn.api.segment.resume import finished, past_of, refuse_stream, taken_up
from camn.api.segment.spans import FirstSeconds, Span, cut
from camn.api.segment.stages import Headway, segment_frames
from camn.errors import OutputError
from camn.files import path_of
from camn.inference import AnySegmenter
from camn.inference.calls import own_settings
from camn.masks import Marks, MaskSet
from camn.masks.mask_set import mask_paths
from camn.media.addresses import Take
from camn.media.opening import open_source
from camn.media.outputs import MaskWriter
from camn.media.source import FrameSource


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
    seconds: float | None = None,
    take: Take = "auto",
    resume: bool = False,
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
    call them; "object ID" if neither says. seconds: no more of the video. take: which frames of a stream, see
    `open_source`; masks and clicks are for its first frame, and Ctrl-C is its usual end. resume: take up the run in
    `out` that was cut off, with the same answers as if it had not been; one that has ended is left as it is, and
    without one this run starts from the beginning. All that makes answers must be the same: see
    docs/reference/outputs.md. progress: called after each frame. notice: called before the first frame with each
    sentence on how masks were read, such as which colour is which object, and how sure those of marks are, and on the
    first frames with what runs the network (see `camn.inference.backends`). changes: fields of `SegmentOptions`, in
    place of those of `options`.

    Writes masks/NAME.png, overlay.mp4, segments.json, objects.csv (confidence, lost), alpha/, run.json and what
    `export` names, as the options ask, and of `marks` marked/NAME.png, the mask of their frame. The outputs of a former
    run in `out` are replaced, at the end: until then, and after an error, they stay; see
    `camn.api.segment.folder.run_folder`. A folder is refused that holds anything else, or exports of a run that has
    ended and this one does not write, or to which another run writes. Everything is checked before the folder is
    touched. After an error in the middle, what was written stays valid, and run.json says so. Raises CamnError:
    VideoError, MaskError, CheckpointError, ConfigError, OutputError.
    """
    options = dataclasses.replace(options or SegmentOptions(), **changes)
    folder = path_of(out, OutputError, "give that of a folder to write to: out=..., behind video and masks")
    source, span = _opened(video, options, seconds, take, resume, notice), span or Span()
    files = mask_paths(masks) if masks is not None or marks is None else []
    check_output(folder, source.path, files, options.overwrite)
    if source.once and not (loaded and loaded.serves(options)):
        loaded = open_model(options, notice)  # before the first frame, which is that of now
    given, marked = take_given(masks, marks, source, options, span)
    said = _Said(notice)
    known: dict[str, Any] = {"ids": given.ids.ids, "names": {**given.names, **(names or {})}, "colours": given.colours}
    known |= {"background": options.export_background, "notice": said.tell}
    source, given = cut(source, given, span)
    shown = about_video(source.size, source, options.rate(), **known)
    check_exports(options, shown, shown.ids, source.count if span.whole else None)
    model = loaded if loaded and loaded.serves(options) else open_model(options, notice)
    segmenter = model.segmenter()
    job = _Job(folder, options, source, files, given, marked, span, seconds, shown, said, progress)
    with cpu_threads(options.threads) as threads:
        about = job.about(model, segmenter, threads)
        if resume:
            settle(folder)
        if resume and (record := finished(folder, about)):
            drop_kept(folder)
            notice(f"{folder}: this run has ended already; nothing is left to do")
        else:
            spare_exports(folder, options)
            record = job.run(segmenter, about, resume)
    return _summary(folder, options, record)


def _opened(
    video: str | Path, options: SegmentOptions, seconds: float | None, take: Take, resume: bool, notice: Notice
) -> FrameSource:
    source = open_source(video, picture_range=options.picture_range, take=take, notice=notice)
    if resume:
        refuse_stream(source)
    return source if seconds is None else FirstSeconds(source, seconds, options.rate())


@dataclass
class _Said:
    """Hands on sentences of the outputs, and keeps them for the run's record."""

    notice: Notice
    notes: list[str] = field(default_factory=list)

    def tell(self, note: str) -> None:
        self.notes.append(note)
        self.notice(note)


@dataclass(frozen=True)
class _Job:
    """A run that was checked. See `segment_video`; shown: what outputs know of the video."""

    folder: Path
    options: SegmentOptions
    source: FrameSource
    files: Sequence[Path]
    given: MaskSet
    marked: Marked | None
    span: Span
    seconds: float | None
    shown: About
    said: _Said
    progress: Report

    def about(self, model: Model, segmenter: AnySegmenter, threads: int) -> dict[str, Any]:
        """For the record: what is known before the first frame."""
        about = about_run(self.source, self.files, self.given, self.options, model, segmenter.device, threads)
        about |= {"names": {str(id): name for id, name in self.shown.names.items()}} if self.shown.names else {}
        about |= {} if self.span.whole else {"span": [self.span.start, self.span.stop]}
        about |= {} if self.seconds is None else {"first_seconds": self.seconds}
        return about | ({"marks": self.marked.as_dict()} if self.marked else {})

    def run(self, segmenter: AnySegmenter, about: dict[str, Any], resume: bool) -> dict[str, Any]:
        """-> the record."""
        notice = self.said.notice
        with run_folder(self.folder, notice) as made:
            for note in (*self.source.notes, *self.given.notes):
                notice(note)
            past = past_of(self.folder, segmenter, notice) if resume else None
            segmenter, done = past.segmenter if past else segmenter, Headway.after(past)
            about |= taken_up(past)
            with recording(made, about) as record:
                if self.marked and self.span.holds(self.marked.marks.at):
                    at = self.marked.marks.at
                    MaskWriter(made / MARKED).write(self.marked.frame.name, self.given.masks[at])
                kept = keeping(self.folder / KEPT, self.source, about, past, self.said.tell, done.how_far)
                try:
                    with kept as keeper:
                        outputs = partial(Outputs, made, self.options, self.shown)
                        segment_frames(self.source, self.given, segmenter, outputs, done, keeper, self.progress)
                finally:
                    record |= done.as_dict() | self.source.record() | {"warnings": list(self.source.warnings)}
                    record |= {"backend": segmenter.backends.as_dict()}
                    record |= {"notes": [*self.given.notes, *self.said.notes]}
                record["warnings"] += self._missed(self.span.start + done.frames)
        return record

    def _missed(self, end: int) -> list[str]:
        """Warnings, if the video ended before all that was asked for. end: the frame behind its last one."""
        return [*unused(self.given, end), *(ended_early(self.options, end) if self.span.whole else ())]


def _summary(folder: Path, options: SegmentOptions, record: Mapping[str, Any]) -> Summary:
    return Summary(
        folder=folder,
        frames=record["frames"],
        ids=tuple(record["ids"]),
        seconds=record["seconds"],
        stages=record["seconds_by_stage"],
        outputs=tuple(listed(folder, options, "marks" in record)),
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
