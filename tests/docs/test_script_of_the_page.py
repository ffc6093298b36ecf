"""The scripts of docs/reference/web-api.md, by bash and curl, against the servers that they start."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serving
from documents import DOCS, blocks, commands
from PIL import Image

from .conftest import FRAMES, SIZE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="bash or curl is not here"),
]
STARTED, SCRIPT, WITH_TOKEN, ASKED = blocks(DOCS / "reference" / "web-api.md", "sh")


@contextmanager
def started(block: str, projects: Path) -> Iterator[serving.Server]:
    """The server that the block starts, at a free port, and quick."""
    [[_, command, *words]] = commands(block)
    assert command == "serve" and words[:2] == ["--port", "8765"]
    server = serving.Server(projects, *words[2:], "--short-side", "128")
    try:
        yield server
    finally:
        server.stop()


def ran(line: str, server: serving.Server, before: str = "") -> bytes:
    script = f"{before}{line}".replace("8765", str(server.port))
    return subprocess.run(["bash", "-c", script], check=True, stdout=subprocess.PIPE).stdout


def test_the_first_script(belongings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    belongings()
    said = SCRIPT.partition("curl")[0]  # what the lines after it use
    known: dict[str, str] = {}
    with started(STARTED, tmp_path / "projects") as server:
        for line in SCRIPT[len(said) :].splitlines():
            for word, id in known.items():
                line = line.replace(word, id)
            answer = ran(line, server, said)
            if again := re.search(r'again, until "state" is "(\w+)"', line):
                end = time.monotonic() + 180
                while json.loads(answer)["state"] != again[1]:
                    assert time.monotonic() < end, answer
                    answer = ran(line, server, said)
            elif named := re.search(r"# (a project|a job|another job)\b", line):
                known["PID" if named[1] == "a project" else "JID"] = json.loads(answer)["id"]
    assert len(known) == 2
    shutil.unpack_archive("rabbit-masks.zip", "unpacked")
    masks = sorted(Path("unpacked").rglob("*.png"))
    assert len(masks) == FRAMES and all(Image.open(mask).size == SIZE for mask in masks)


def test_a_script_with_a_token(tmp_path, monkeypatch):
    name, value = re.match(r"(\w+)=(\w+)", WITH_TOKEN).groups()  # type: ignore[union-attr]
    monkeypatch.setenv(name, value)
    with started(WITH_TOKEN, tmp_path) as server:
        assert json.loads(ran(ASKED, server)) == []
        assert server.call("GET", "/api/projects", authorization="").status == 401
