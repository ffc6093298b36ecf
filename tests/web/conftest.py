"""Real servers in their own processes, a small client, a tiny network, small clips."""

import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
import torch
from forking import Forked
from PIL import Image
from serving import Server

from camn import weights
from camn.config import preset
from camn.model.network import Camn

SIZE = (64, 96)
TOKEN = "forTestsAlone0123456789"


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

    def start(
        *more: str, projects: Path | None = None, videos: tuple[Path, ...] = (), limits: str = "", first: str = ""
    ) -> Server:
        """first: what the process does before all else, in Python, and before camn is imported; the others are forked.
        Tabs stay when another one takes its place, as all have one token, but for those whose token is tried."""
        folder = projects or tmp_path_factory.mktemp("served") / "projects"
        model = ("--model", tiny, "--short-side", 64, "--backend", "eager")
        more = more if {"--token", "--public"} & {*more} else (*more, "--token", TOKEN)
        command = (sys.executable, "-c", first + START.format(limits=limits))
        begin = {} if first else {"begin": partial(Forked, stderr=subprocess.STDOUT)}
        servers.append(Server(folder, *videos, *model, *more, command=command, **begin))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()


@pytest.fixture(scope="module")
def server(serve) -> Server:
    return serve()
