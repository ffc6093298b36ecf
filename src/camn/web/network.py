"""The network of a server: loaded once, when it is first needed, by a thread of its own."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait

from camn import api
from camn.web.work import Work

LOOK = 0.1  # seconds between two looks at whether the job is to stop


class LazyNetwork:
    """options: what is loaded. One job at a time uses it. A job that is cancelled while it loads ends at once; loading
    goes on, for the next one."""

    def __init__(self, options: api.SegmentOptions):
        self.options = options
        self._loading: Future[api.Model] | None = None
        self._work: Work | None = None

    @property
    def model(self) -> api.Model | None:
        """None until it is loaded."""
        loading = self._loading
        return loading.result() if loading and loading.done() and not loading.exception() else None

    def segmenter(self, work: Work) -> api.AnySegmenter:
        """A fresh one. Raises CamnError when the network cannot be loaded, and Cancelled."""
        if self._loading is None or (self._loading.done() and self._loading.exception()):
            self._loading = Future()
            threading.Thread(target=self._load, args=(self._loading,), name="camn-load", daemon=True).start()
        self._work = work
        if not self._loading.done():
            work.enter("loading")
        while not self._loading.done():
            work.check()
            wait([self._loading], LOOK)
        segmenter = self._loading.result().segmenter()
        if not work.done and self.options.backend == "auto" and segmenter.device.type == "cpu":
            work.enter("measuring")
        return segmenter

    def _load(self, loading: Future[api.Model]) -> None:
        try:
            loading.set_result(api.open_model(self.options, self._chose))
        except BaseException as error:
            loading.set_exception(error)

    def _chose(self, note: str) -> None:
        """A part of the network was measured, and there may be others: a job that is to stop stops here."""
        if self._work and self.model:
            self._work.check()
