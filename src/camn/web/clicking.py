"""Masks by clicks: the frames that were looked at, what is asked of them, and one thread that does it all."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from copy import copy
from dataclasses import dataclass
from typing import Any

from camn import api
from camn.projects.frame_files import read_frame
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.web.question import Looked, Question

MOST_BYTES = 256 << 20  # of frames that were looked at, and what the network knows of them


@dataclass(frozen=True, eq=False)
class Task:
    """project: its id."""

    project: str
    do: Callable[[], Any]
    ended: Future[Any]


class Clicking:
    """options: device and threads of the network, which is loaded when it is first needed. busy: whether a propagation
    waits or runs; that is left in peace: meanwhile only clicks are answered, by one thread of the CPU. need: raises
    Problem for a project that is gone.

    The network for clicks has a copy of its encoder to itself: the one that follows may be another one, works at the
    size that the user has asked for, and may be compiled for that.
    """

    def __init__(self, options: api.SegmentOptions, busy: Callable[[], bool], need: Callable[[str], object]):
        self._options, self._busy, self._need = options, busy, need
        self._fresh: api.Marker | None = None
        self._looked: OrderedDict[tuple[str, int], Looked] = OrderedDict()  # the one used last at the end
        self._change = threading.Condition()
        self._asked: deque[Task] = deque()
        self._look: Task | None = None  # only one waits
        self._at_work: Task | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="camn-click", daemon=True)
        self._thread.start()

    # --- from any thread ---------------------------------------------------------------------------------------------

    def look(self, project: Project, index: int) -> Future[bool]:
        """Look at a frame in the background, when nothing else is asked for -> whether it was: not while a propagation
        is at work. Of frames that wait for it the last one is left; the future of others is cancelled."""
        task = Task(project.id, lambda: not self._busy() and self._at(project, index) is not None, Future())
        with self._change:
            if self._closed or (project.id, index) in self._looked or self._busy():
                task.ended.set_result((project.id, index) in self._looked)
                return task.ended
            if self._look:
                self._look.ended.cancel()
            self._look = task
            self._change.notify_all()
        return task.ended

    def ask(self, project: Project, index: int, question: Question) -> api.Answer:
        """Raises Problem, MaskError for what cannot be asked, CheckpointError where there is no network for clicks."""
        task = Task(project.id, lambda: self._answer(project, index, question), Future())
        with self._change:
            if self._closed:
                task.ended.cancel()
            self._asked.append(task)
            self._change.notify_all()
        try:
            return task.ended.result()
        except CancelledError:
            raise Problem("conflict", "The project was deleted, or the server is being stopped.") from None

    def forget(self, id: str) -> None:
        """Of a project that is gone: what is asked is not answered, and nothing is at work for it when this returns."""
        with self._change:
            self._cancel(lambda task: task.project == id)
            self._change.wait_for(lambda: self._at_work is None or self._at_work.project != id)
            for key in [key for key in self._looked if key[0] == id]:
                del self._looked[key]

    def close(self) -> None:
        with self._change:
            self._closed = True
            self._cancel(lambda task: True)
            self._change.notify_all()
        self._thread.join(timeout=30)

    def _cancel(self, which: Callable[[Task], bool]) -> None:
        for task in (*self._asked, *filter(None, (self._look,))):
            if which(task):
                task.ended.cancel()

    # --- its own thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._asked or self._look)
                if self._closed:
                    return
                self._at_work = task = self._next()
            if task.ended.set_running_or_notify_cancel():
                self._do(task)
            with self._change:
                self._at_work = None
                self._change.notify_all()

    def _next(self) -> Task:
        if self._asked:
            return self._asked.popleft()
        assert self._look is not None
        task, self._look = self._look, None
        return task

    def _do(self, task: Task) -> None:
        try:
            with api.cpu_threads(1 if self._busy() else self._options.threads):
                task.ended.set_result(task.do())
        except BaseException as error:  # it is raised where it was asked for
            task.ended.set_exception(error)

    def _answer(self, project: Project, index: int, question: Question) -> api.Answer:
        with api.enough_memory(project.size, 1):
            return self._at(project, index).answer(question)

    def _at(self, project: Project, index: int) -> Looked:
        key = project.id, index
        if key not in self._looked:
            self._need(project.id)
            looked = Looked(copy(self._marker()))
            looked.marker.look(read_frame(project.frame_file(index)))
            with self._change:
                self._looked[key] = looked
        with self._change:
            self._looked.move_to_end(key)
            self._trim()
            return self._looked[key]

    def _trim(self) -> None:
        *others, last = self._looked.values()
        for one in others:
            one.rest()
        room = MOST_BYTES - last.marker.nbytes
        for key, one in reversed(list(self._looked.items())[:-1]):
            room -= one.marker.nbytes
            if room < 0:
                del self._looked[key]

    def _marker(self) -> api.Marker:
        """Never used itself: copies of it look at frames."""
        if self._fresh is None:
            self._fresh = api.load_marker(device=self._options.device)
        return self._fresh
