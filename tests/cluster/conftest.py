"""Tiny clips with masks, manifests of them, and a Ray cluster of this machine for all tests that need one."""

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from camn.api import SegmentOptions
from camn.masks import write_palette_png

SIZE = (64, 96)
NODE = {"num_cpus": 1, "object_store_memory": 75 << 20}
OPTIONS = SegmentOptions(short_side=32, device="cpu", threads=1, backend="eager", overlay=False)


def clip(folder: Path, name: str, frames: int, object_id: int, left: int = 20) -> dict:
    """A red box that moves down, FOLDER/NAME/00000.png, and its first mask FOLDER/NAME.png -> a manifest's line."""
    (folder / name).mkdir(parents=True)
    for index in range(frames):
        Image.fromarray(picture(index, left)).save(folder / name / f"{index:05d}.png")
    write_palette_png(folder / f"{name}.png", mask(0, object_id, left))
    return {"video": name, "masks": f"{name}.png"}


def picture(index: int, left: int = 20) -> np.ndarray:
    image = np.full((*SIZE, 3), 90, np.uint8)
    image[10 + index % 30 : 30 + index % 30, left : left + 30] = (220, 40, 40)
    return image


def mask(index: int, object_id: int, left: int = 20) -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[10 + index % 30 : 30 + index % 30, left : left + 30] = object_id
    return ids


@pytest.fixture(scope="session")
def options() -> SegmentOptions:
    return OPTIONS


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def make_clip(data) -> Callable[..., dict]:
    """(name, frames, object_id, left) -> line of a manifest."""
    return lambda name, frames=6, object_id=5, left=20: clip(data, name, frames, object_id, left)


@pytest.fixture
def make_mask() -> Callable[..., np.ndarray]:
    return mask


@pytest.fixture
def manifest(data) -> Callable[[list[dict]], Path]:
    """Lines -> the manifest's path."""

    def write(rows: list[dict]) -> Path:
        path = data / "jobs.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


@pytest.fixture
def files() -> Callable[[Path], dict[str, tuple[bytes, int]]]:
    """Folder -> name of each file in it -> (content, time of change in ns); without what tells of the whole batch."""

    def read(folder: Path) -> dict[str, tuple[bytes, int]]:
        found = (path for path in sorted(folder.rglob("*")) if path.is_file() and "_batch" not in path.parts)
        return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}

    return read


@pytest.fixture(scope="session")
def workers_of() -> Callable[[int, str], list[int]]:
    """(process, word) -> its descendants in whose command line the word is."""
    return descendants


def descendants(pid: int, word: str) -> list[int]:
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            commands[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (ValueError, OSError):  # no process, or ended meanwhile
            continue
    found, front = [], {pid}
    while front:
        front = {child for child, parent in parents.items() if parent in front}
        found += [child for child in front if word in commands.get(child, "")]
    return found


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Waits until something holds; fails after a minute."""

    def wait(holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline, "waited for a minute"
            time.sleep(0.02)

    return wait


class FtpServer:
    """A storage that is neither a file system nor in this process. url: of its folder."""

    def __init__(self, folder: Path):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url, self._folder = f"ftp://127.0.0.1:{self._port}", folder
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "pyftpdlib", "-i", "127.0.0.1", "-p", str(self._port), "-w"]
        self._process = subprocess.Popen([*command, "-d", str(self._folder)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError), closing(socket.create_connection(("127.0.0.1", self._port), 1)):
                return
            assert time.monotonic() < deadline and self._process.poll() is None, "the FTP server does not start"
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        self.stop()
        self._start()


@pytest.fixture(scope="session")
def ftp(tmp_path_factory) -> Iterator[FtpServer]:
    pytest.importorskip("fsspec")
    pytest.importorskip("pyftpdlib", reason="needs an FTP server")
    server = FtpServer(tmp_path_factory.mktemp("ftp"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """A Ray cluster of two machines, which are both this one, with room for a worker each; reached from here alone."""
    folder = tempfile.mkdtemp(prefix="camn-ray-", dir="/tmp")  # its sockets' names must be short
    token = Path(folder) / "token"
    token.write_text(os.urandom(16).hex())
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # stay on 127.0.0.1, as on those
    ray = pytest.importorskip("ray", reason="needs the extra cluster")  # it reads these when it is imported
    from ray.cluster_utils import Cluster

    cluster = Cluster(True, head_node_args={**NODE, "include_dashboard": False, "temp_dir": folder})
    cluster.add_node(**NODE)
    ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    assert [node["NodeManagerAddress"] for node in ray.nodes()] == ["127.0.0.1"] * 2
    yield cluster
    ray.shutdown()
    cluster.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
