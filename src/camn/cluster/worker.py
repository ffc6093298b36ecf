"""A worker process: `python -m camn.cluster.worker`. A task a line on stdin, reports on stdout, all else on stderr.

In: {"task": ..., "attempt": n} or {"stop": true}. Out: {"frames": n} and, at a task's end, {"outcome": ...}. It ends
when stdin does, also in the middle of a video: whoever wanted it is gone.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, TextIO

from camn.api.own_process import keep_freed_memory
from camn.cluster.tasks import Task

EVERY = 0.2  # seconds between reports
TEMPORARY = "camn-worker-"  # how the name of a worker's own TMPDIR begins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--memory-limit", type=int)
    arguments = parser.parse_args()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the parent's, who then says stop; Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    keep_freed_memory()
    reports = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no report
    tasks: queue.Queue[dict[str, Any]] = queue.Queue()
    stop = threading.Event()
    threading.Thread(target=_listen, args=(tasks, stop), daemon=True).start()
    _work(arguments.threads, arguments.memory_limit, tasks, stop, reports)


def _listen(tasks: queue.Queue[dict[str, Any]], stop: threading.Event) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("stop"):
            stop.set()
        else:
            tasks.put(message)
    if (own := Path(tempfile.gettempdir())).name.startswith(TEMPORARY):
        shutil.rmtree(own, ignore_errors=True)  # nobody else will
    os._exit(1)


def _work(
    threads: int, limit: int | None, tasks: queue.Queue[dict[str, Any]], stop: threading.Event, reports: TextIO
) -> None:
    import cv2
    import torch

    from camn.cluster.video import Stopped, Videos

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    videos, said = Videos(limit), 0.0
    videos.worker += f":{os.getpid()}"

    def count(frames: int) -> None:
        nonlocal said
        if stop.is_set():
            raise Stopped
        if time.monotonic() - said >= EVERY:
            said = time.monotonic()
            print(json.dumps({"frames": frames}), file=reports)

    while True:
        message = tasks.get()
        outcome = videos.do(Task.from_dict(message["task"]), message["attempt"], count)
        print(json.dumps({"outcome": outcome.to_dict()}), file=reports)


if __name__ == "__main__":
    main()
