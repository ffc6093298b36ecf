"""One video, in a worker: fetched, segmented, and published whole with its record."""

from __future__ import annotations

import socket
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import camn
from camn import api
from camn.api import SegmentOptions, Span, Summary
from camn.cluster.folders import open_folder
from camn.cluster.places import beside, fetch
from camn.cluster.plan import parts_folder
from camn.cluster.records import write_record
from camn.cluster.tasks import Outcome, Task
from camn.errors import AnswerError, CamnError, ConfigError, DataError, MaskError, VideoError, words_of
from camn.masks import Marks

Count = Callable[[int], None]
_OWN_FAULT = (VideoError, MaskError, ConfigError, DataError, AnswerError)  # the same again, however often it is tried


class Stopped(Exception):
    """The user stopped the run."""


@dataclass
class Videos:
    """Does tasks, one after the other. Keeps the model of the last one in memory."""

    limit: int | None = None  # bytes of memory, for the records
    worker: str = field(default_factory=socket.gethostname)
    _model: api.Model | None = None

    def do(self, task: Task, attempt: int, count: Count) -> Outcome:
        """Never raises for what goes wrong with a video. count: called with the frames so far; may raise Stopped.

        Doing it twice does no harm: the outputs of the first time are replaced, and then its record.
        """
        started = time.monotonic()
        try:
            summary = self._publish(task, attempt, started, count)
        except Stopped:
            return Outcome(task.name, "stopped", "stopped by the user", worker=self.worker)
        except CamnError as error:
            said, final, log = str(error) or words_of(error), isinstance(error, _OWN_FAULT), ""
        except Exception as error:
            said = f"camn itself failed ({type(error).__name__}: {error}); the log has all of it"
            final, log = False, traceback.format_exc()
        else:
            return self._done(task, summary, started)
        seconds = time.monotonic() - started
        return Outcome(task.name, "failed", said, final, 0, seconds, log, self.worker)

    def _publish(self, task: Task, attempt: int, started: float, count: Count) -> Summary:
        folder = open_folder(task.out)
        with tempfile.TemporaryDirectory(prefix="camn-") as own:
            with folder.making(task.name) as made:
                summary = self._make(task, Path(own), made, count)
            write_record(folder, task, self._done(task, summary, started), attempt, self.limit)
        if task.span == (0, None):
            folder.remove(parts_folder(task.name))  # also those of a run that split it and did not end
        return summary

    def _make(self, task: Task, own: Path, made: Path, count: Count) -> Summary:
        """own: a temporary folder. made: what becomes the outputs."""
        options = SegmentOptions(**task.options)
        if task.parts:
            video = fetch(task.video, own / "video") if api.join_reads_video(options) else task.video
            parts = [fetch(beside(task.out, part), own / "parts") for part in task.parts]
            return api.join_parts(video, parts, made, options)
        model = self._model_for(task, options)
        video = fetch(task.video, own / "video")
        masks = [fetch(mask, own / f"masks{number}") for number, mask in enumerate(task.masks)]
        if task.first_only:
            masks = [api.first_masks(video, masks[0], own / "first")]
        return api.segment_video(
            video,
            masks[0] if len(masks) == 1 else masks or None,
            made,
            options,
            marks=Marks.read(**task.marks) if task.marks else None,
            loaded=model,
            span=Span(*task.span),
            progress=lambda progress: count(progress.done),
        )

    def _model_for(self, task: Task, options: SegmentOptions) -> api.Model:
        """Raises CamnError where this machine has another camn or model than the one that gives out the tasks."""
        if task.key["version"] != camn.__version__:
            raise CamnError(
                f"{self.worker} has camn {camn.__version__}, the command is {task.key['version']}: install the same "
                "version on all machines"
            )
        if self._model is None or not self._model.serves(options):
            self._model = None  # two at a time may be too many
            self._model = api.open_model(options)
        if self._model.sha256 != task.key["model"]:
            raise CamnError(f"{', '.join(options.files())}: on {self.worker} not the command's files; copy these")
        return self._model

    def _done(self, task: Task, summary: Summary, started: float) -> Outcome:
        seconds, log = time.monotonic() - started, "\n".join((*summary.notes, *summary.warnings))
        return Outcome(task.name, "done", "", True, summary.frames, seconds, log, self.worker)
