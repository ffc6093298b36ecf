"""Requests as nobody should send them, several at once: each is answered by 2xx, or by 4xx with a sentence, and
afterwards all projects are whole, also when they are opened anew. CAMN_FUZZ=20 makes 20 times as many, others."""

import json
import os
import random
import re
import signal
import threading
from collections import Counter

from PIL import Image
from stranger import Stranger

TIMES = int(os.environ.get("CAMN_FUZZ", "0"))
REQUESTS, FIRST = 120 * max(1, TIMES), 1_000_000 * (TIMES > 0)
LIMITS = "'projects': 60, 'file_bytes': 3_000_000, 'mask_bytes': 300_000, 'frames': 6, 'free_bytes': 0"
# Uvicorn's own, where a body breaks off while we answer.
UVICORN = re.compile(r"Traceback(?:(?!Traceback).)*?h11[^\n]*LocalProtocolError[^\n]*\n", re.DOTALL)


def test_what_strangers_send_is_refused_with_a_sentence_and_breaks_nothing(serve, make):
    server = serve(limits=LIMITS)
    said: list[str] = []  # read as it comes, else the server would wait for somebody to read it
    reader = threading.Thread(target=lambda: said.extend(server.process.stdout))
    reader.start()
    project = server.project(("clip.mkv", make.clip(4)))
    server.ask("POST", f"/api/projects/{project}/objects", {})
    strangers = [Stranger(server, make, project, random.Random(FIRST + number)) for number in range(3)]
    failed: list[BaseException] = []
    threads = [threading.Thread(target=go, args=(stranger, failed)) for stranger in strangers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    answers = sum((stranger.answers for stranger in strangers), Counter())
    print(*sorted(answers.items()), sep="\n")
    assert {200, 201, 202, 204, 404, 409, 422} <= {status for _, _, status in answers}
    look_through(server, make, project)
    before = projects(server)
    server.process.send_signal(signal.SIGINT)
    reader.join()
    assert "Traceback" not in (rest := UVICORN.sub("", "".join(said))), rest[-5000:]
    again = serve(projects=server.projects)
    assert projects(again) == before
    look_through(again, make, project)


def go(stranger: Stranger, failed: list[BaseException]) -> None:
    try:
        for _ in range(REQUESTS):
            stranger.ask()
            if failed:
                return
    except BaseException as error:
        failed.append(error)


def projects(server) -> list[dict]:
    return server.wait("/api/projects", lambda found: all(one["state"] != "decoding" for one in found))


def look_through(server, make, project: str) -> None:
    """Nothing is at work any more, nothing is half, and all goes on as before."""
    for job in server.ask("GET", "/api/jobs"):
        server.call("DELETE", f"/api/jobs/{job['id']}")
    server.wait("/api/jobs", lambda jobs: all(job["state"] not in ("queued", "running") for job in jobs))
    for one in projects(server):
        for index in server.ask("GET", f"/api/projects/{one['id']}")["given"]:
            mask = server.call("GET", f"/api/projects/{one['id']}/masks/{index}").ids
            assert mask.shape == (one["height"], one["width"])
    for path in server.projects.rglob("*"):
        assert ".part" not in path.name and not path.name.startswith(".load-"), path
        if path.parent.name in ("given", "masks", "frames", "small"):
            with Image.open(path) as image:
                image.load()
        if path.name == "project.json":
            json.loads(path.read_bytes())
    for item in server.ask("GET", f"/api/projects/{project}")["objects"]:
        server.ask("DELETE", f"/api/projects/{project}/objects/{item['id']}")
    server.ask("PUT", f"/api/projects/{project}/objects/1", {"name": "dog", "colour": "#ff0000"})
    server.ask("PUT", f"/api/projects/{project}/masks/0", make.png(make.square(0)))
    server.ask("DELETE", f"/api/projects/{project}/objects/1")
