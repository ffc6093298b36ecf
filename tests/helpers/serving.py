"""`camn serve` in a process of its own, asked as its page asks it. For tests, bench/long_video.py and
scripts/draw_web_pictures.py."""

import contextlib
import http.client
import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from websockets.sync.client import ClientConnection, connect

CAMN = (sys.executable, "-m", "camn")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json["error"]["code"]

    @property
    def message(self) -> str:
        return self.json["error"]["message"]

    @property
    def ids(self) -> np.ndarray:
        return np.array(Image.open(io.BytesIO(self.body)))


def _begin(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class Server:
    """command: how camn is called. more: arguments of `camn serve`. begin: starts its process. Started again, it keeps
    its port and its token."""

    def __init__(
        self, projects: Path, *more: object, command: Sequence[str] = CAMN, begin: Callable[[list[str]], Any] = _begin
    ):
        self.projects, self._begin = projects, begin
        self.command = [*command, "serve", "--no-browser", "--projects", str(projects), *map(str, more)]
        self.start()

    def start(self) -> None:
        self.process = self._begin(self.command)
        assert self.process.stdout
        self.said = ""
        while not (found := re.search(r"http://([^/]+):(\d+)/(?:\?token=(\w+))?\n", self.said)):
            line = self.process.stdout.readline()
            assert line, f"the server ended: {self.said}"
            self.said += line
        self.address = found[0].strip()
        self.host, self.port, self.token = found[1], int(found[2]), found[3]
        if "--port" not in self.command:
            self.command += ["--port", str(self.port)]
        if self.token and "--token" not in self.command:
            self.command += ["--token", self.token]

    @property
    def entry(self) -> dict[str, str]:
        """Headers that let in."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def listen(self, query: str = "", **options: Any) -> ClientConnection:
        """The events, as a tab hears them."""
        address = f"ws://{self.host}:{self.port}/api/events{query}"
        return connect(address, additional_headers=self.entry, open_timeout=120, **options)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=600)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """body: bytes, an open file, or what becomes JSON. headers: `content_type` is Content-Type; without
        `authorization` and `cookie` the token goes along."""
        entry = {} if {"authorization", "cookie"} & headers.keys() else self.entry
        sent = {**entry, **{key.replace("_", "-"): value for key, value in headers.items() if value}}
        if body is not None and not isinstance(body, bytes) and not hasattr(body, "read"):
            body, sent = json.dumps(body).encode(), {"content-type": "application/json", **sent}
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """JSON of an answer that is good."""
        answer = self.call(method, path, body, **headers)
        assert answer.status < 300, (method, path, answer.status, answer.body[:500])
        return answer.json if answer.body else None

    def wait(self, path: str, until: Callable[[Any], bool]) -> Any:
        end = time.monotonic() + 180  # a busy machine is no failure
        while not until(found := self.ask("GET", path)):
            assert time.monotonic() < end, found
            time.sleep(0.04)
        return found

    def project(self, *files: tuple[str, bytes]) -> str:
        """A project of these files (name, bytes), ready."""
        id = self.ask("POST", "/api/projects", {"name": "test"})["id"]
        for name, data in files:
            self.ask("PUT", f"/api/projects/{id}/upload?name={name}", data)
        self.ask("POST", f"/api/projects/{id}/decode")
        found = self.wait(f"/api/projects/{id}", lambda found: found["state"] in ("ready", "failed"))
        assert found["state"] == "ready", found
        return id

    def job(self, id: str, *states: str) -> Any:
        """A job once it has ended, or is in one of these states."""
        ended = states or ("done", "failed", "cancelled")
        return self.wait(f"/api/jobs/{id}", lambda job: job["state"] in ended)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> str:
        """Ends as by Ctrl-C; what it has said since."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=180)
        return rest
