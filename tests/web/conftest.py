"""Real servers in their own processes, a small client, a tiny network, small clips."""

import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
import torch
from PIL import Image

from camn import weights
from camn.config import preset
from camn.model.network import Camn

SIZE = (64, 96)


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


class Server:
    """`camn serve` in a process of its own."""

    def __init__(
        self,
        projects: Path,
        model: Path,
        *more: str,
        videos: tuple[Path, ...] = (),
        limits: str = "",
        first: str = "",
    ):
        """first: what the process does before all else, in Python."""
        code = first + START.format(limits=limits)
        command = [sys.executable, "-c", code, "serve", *map(str, videos), "--no-browser"]
        command += [
            "--projects",
            str(projects),
            "--model",
            str(model),
            "--short-side",
            "64",
            "--backend",
            "eager",
            *more,
        ]
        self.projects = projects
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout
        self.said = ""
        while not (found := re.search(r"http://([^/]+):(\d+)/(?:\?token=(\w+))?\n", self.said)):
            line = self.process.stdout.readline()
            assert line, f"the server ended: {self.said}"
            self.said += line
        self.host, self.port, self.token = found[1], int(found[2]), found[3]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """body: bytes, or what becomes JSON. headers: `content_type` is Content-Type."""
        connection = http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=180)
        try:
            sent = {key.replace("_", "-"): value for key, value in headers.items()}
            if body is not None and not isinstance(body, bytes):
                body, sent = json.dumps(body).encode(), {"content-type": "application/json", **sent}
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """JSON of an answer that is good."""
        answer = self.call(method, path, body, **headers)
        assert answer.status < 300, (method, path, answer.status, answer.body[:500])
        return answer.json if answer.body else None

    def wait(self, path: str, until: Callable[[Any], bool]) -> Any:
        end = time.monotonic() + 180  # a busy machine is no failure
        while not until(found := self.ask("GET", path)):
            assert time.monotonic() < end, found
            time.sleep(0.02)
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


# As `camn serve`; a test may set limits lower than its clips.
START = """
import dataclasses, sys
from camn import cli
from camn.web import limits
limits.Limits.__init__.__defaults__ = tuple(
    {{{limits}}}.get(field.name, field.default) for field in dataclasses.fields(limits.Limits))
sys.exit(cli.main(sys.argv[1:]))
"""


def picture(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A red square on grey that moves right."""
    image = np.full((*size, 3), 90, np.uint8)
    image[10:30, 20 + index : 50 + index] = (220, 40, 40)
    return image


def square(index: int = 0, id: int = 1, size: tuple[int, int] = SIZE) -> np.ndarray:
    ids = np.zeros(size, np.uint8)
    ids[10:30, 20 + index : 50 + index] = id
    return ids


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def clip(frames: int, size: tuple[int, int] = SIZE) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("mjpeg", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = size
        stream.pix_fmt = "yuvj420p"
        for index in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index % 40, size), "rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


class Make(NamedTuple):
    """What tests make their files with."""

    picture: Callable
    square: Callable
    png: Callable
    clip: Callable
    archive: Callable


@pytest.fixture(scope="session")
def make() -> Make:
    return Make(picture, square, png, clip, archive)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """Random weights of camn-mobile."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights.write(path, preset("camn-mobile"), Camn(preset("camn-mobile")).state_dict())
    return path


@pytest.fixture(scope="module")
def serve(tiny, tmp_path_factory) -> Iterator[Callable[..., Server]]:
    """Starts servers, each of a new folder if none is given; all are ended."""
    servers: list[Server] = []

    def start(*more: str, projects: Path | None = None, **options: Any) -> Server:
        folder = projects or tmp_path_factory.mktemp("served") / "projects"
        servers.append(Server(folder, tiny, *more, **options))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()


@pytest.fixture(scope="module")
def server(serve) -> Server:
    return serve()
