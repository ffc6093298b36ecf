"""The network over a project: from the shown mask of one frame through the frames before or behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext, suppress
from dataclasses import asdict, dataclass, replace

import numpy as np

from camn import api
from camn.projects.frame_files import read_frame
from camn.projects.maskfiles import Predicted
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.record import Propagation
from camn.projects.watch import Cancelled, Watch

STEPS = {"forward": (1,), "backward": (-1,), "both": (1, -1)}
REFERENCES = api.SegmentOptions.reference_frames


@dataclass(frozen=True)
class Run:
    """One way through the frames. start: the frame before the first one. frames: those to segment, in order. seeds:
    given frames behind the start, the farthest first. origin: whose shown mask the whole way began with; the start,
    or, where an earlier run came to that, one of the seeds."""

    start: int
    frames: range
    seeds: tuple[int, ...]
    origin: int


def plan(given: list[int], count: int, asked: Propagation, references: int = REFERENCES) -> list[Run]:
    """Ways with frames to segment. given: frames with masks from the user, sorted. count: of the project's frames.
    references: given frames that are shown to the network before it starts, the nearest ones: as many as it keeps.

    Of both ways, forward comes first: what reached a frame before its start is through with it."""
    steps = STEPS[asked.direction] if asked.ahead >= 0 else (-1,)
    runs = [_run(given, count, asked, step, references) for step in steps]
    return [run for run in runs if run.frames]


def _run(given: list[int], count: int, asked: Propagation, step: int, references: int) -> Run:
    start = asked.frame + (asked.ahead if asked.ahead * step > 0 else 0)
    known = {*given, asked.frame}
    behind = sorted((index for index in known if (index - start) * step < 0), key=lambda index: index * step)
    kept = {*behind[-references:], asked.frame}
    end = count if step > 0 else -1
    if asked.until == "given":
        end = min((index for index in given if (index - start) * step > 0), key=lambda index: index * step, default=end)
    return Run(start, range(start + step, end, step), tuple(index for index in behind if index in kept), asked.frame)


def runs_of(project: Project, asked: Propagation, references: int = REFERENCES) -> list[Run]:
    """The ways of a propagation; from the beginning if the mask of the frame that it had reached is gone. As `plan`."""
    if asked.reached is not None and project.shown_mask(asked.reached) is None:
        asked = replace(asked, reached=None)
    return plan(project.given_frames(), project.count, asked, references)


def check(project: Project, asked: Propagation) -> int:
    """How many frames are to be segmented. Raises Problem where there is nothing to start from, or nowhere to go."""
    project.need_ready()
    for index in (asked.frame, asked.frame + asked.ahead):
        project.need_frame(index)
    if all(asked.ahead * step < 0 for step in STEPS[asked.direction]):
        raise Problem("invalid", f"From frame {asked.frame} frame {asked.reached} is not reached that way.")
    mask = project.shown_mask(asked.frame)
    if mask is None or not mask.any():
        raise Problem("conflict", f"Frame {asked.frame} has no mask of an object; mark one there first.")
    total = sum(len(run.frames) for run in runs_of(project, asked))
    if not total:
        raise Problem("conflict", f"From frame {asked.frame} there is no frame to go to that way.")
    return total


def propagate(
    project: Project,
    asked: Propagation,
    segmenter: Callable[[], api.AnySegmenter],
    watch: Watch,
    changed: Callable[[int], None] = lambda index: None,
    references: int = REFERENCES,
) -> None:
    """Segment frames and keep their masks, one after the other. changed: called with each frame that has a new mask.
    references: see `plan`.

    Masks from the user stay; where one is met the network is corrected by it. While it runs the project's record tells
    of it. Raises Problem, CamnError; Cancelled, and then what was done stays.
    """
    made: list[int] = []
    try:
        total, done = check(project, asked), 0
        runs = runs_of(project, asked, references)
        project.change(propagation=asdict(asked) | {"job": watch.id})
        with api.enough_memory(project.size, len(project.ids)):
            for run in runs:
                project.masks.settle(made)  # one way is safe before the other begins, see `reached`
                for index, result in follow(project, run, segmenter(), watch.check):
                    known = Predicted(result.confidence, result.lost, watch.id)
                    project.masks.predict(index, result.ids, known)
                    made.append(index)
                    changed(index)
                    done += 1
                    with suppress(Cancelled) if done == total else nullcontext():  # all is done then
                        watch.tell(done, total, index)
    finally:
        if made:
            project.masks.settle(made)
        if not watch.server_ends:
            project.change(propagation=None)


def reached(project: Project, asked: Propagation, job: str) -> int | None:
    """The frame that a propagation came to before the server was killed; None if to none.

    Up to there all frames have its masks: of files that were written last a loss of power may leave any."""
    mine = {index for index, known in project.masks.predicted.items() if job and known.job == job}
    step = -1 if asked.ahead < 0 or any(index < asked.frame for index in mine) else 1
    frame = start = asked.frame + (asked.ahead if asked.ahead * step > 0 else 0)
    while frame + step in mine:
        frame += step
    return asked.reached if frame == start else frame


def follow(
    project: Project, run: Run, segmenter: api.AnySegmenter, check: Callable[[], None] = lambda: None
) -> Iterator[tuple[int, api.Result]]:
    """Each frame of a run with what the network says of it, before the user's own mask of it, if any, corrects it.
    check: called before each frame that it is shown first.

    The user goes on meanwhile: a given mask of the plan may be gone when its turn comes, and is passed over then.
    Raises Problem where the start has no mask any more."""
    for index in (*run.seeds, run.start):
        check()
        began = index in (run.origin, run.start)
        _state(project, segmenter, index, *(_shown(project, index) if began else _given(project, index)))
    if segmenter.index < 0:
        raise Problem("conflict", f"Frame {run.origin} has no mask of an object any more; mark one there first.")
    files = (project.frame_file(index) for index in run.frames)
    with closing(api.prefetch(map(read_frame, files))) as frames:
        for index, frame in zip(run.frames, frames, strict=True):
            result = segmenter.step(frame)
            yield index, result
            _correct(segmenter, project, *_given(project, index))


def _given(project: Project, index: int) -> tuple[np.ndarray | None, frozenset[int]]:
    """The user's mask of a frame and the ids that it states; None, and none, without one."""
    mask, given = project.shown_mask(index, "given"), project.masks.given.get(index)
    return (None, frozenset()) if mask is None or given is None else (mask, given.stated)


def _shown(project: Project, index: int) -> tuple[np.ndarray | None, frozenset[int]]:
    """The shown mask of a frame and the ids that it states, all that are in it among them."""
    shown, (_, stated) = project.shown_mask(index), _given(project, index)
    return shown, stated if shown is None else stated | frozenset(int(id) for id in np.unique(shown))


def _state(
    project: Project, segmenter: api.AnySegmenter, index: int, mask: np.ndarray | None, stated: frozenset[int]
) -> None:
    """Make a frame with a mask a reference, and the frame last seen."""
    if mask is None or (segmenter.index < 0 and not mask.any()):  # an empty mask is no beginning
        return
    frame = read_frame(project.frame_file(index))
    if segmenter.index < 0:
        segmenter.start(frame, mask)
        return
    segmenter.step(frame)
    _correct(segmenter, project, mask, stated)


def _correct(segmenter: api.AnySegmenter, project: Project, mask: np.ndarray | None, stated: frozenset[int]) -> None:
    """Of the stated ids those that there are, and that the network may be told of: known ones, or ones in the mask."""
    if mask is None:
        return
    present = {int(id) for id in np.unique(mask)} - {0}
    ids = {int(id) for id in stated} & set(project.ids) & (present | set(segmenter.objects))
    if ids:
        segmenter.correct(mask, sorted(ids))
