"""What the server does beside its routes: the browser it opens, what it says, what it refuses when there is no room."""

import time
import zipfile

import pytest

from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.record import Record
from camn.web.decode import decode
from camn.web.limits import Limits
from camn.web.work import Work


def test_the_browser_opens_the_address(serve, tmp_path, monkeypatch):
    browser, told = tmp_path / "browser", tmp_path / "told"
    browser.write_text(f'#!/bin/sh\necho "$1" > {told}.part\nmv {told}.part {told}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    server = serve("--browser", "--token", "0123456789abcdef")
    for _ in range(600):
        if told.exists():
            break
        time.sleep(0.1)
    address, ticket = told.read_text().strip().split("?token=")
    assert address == f"http://127.0.0.1:{server.port}/" and ticket != server.token
    # What a process was started with is no secret: it is good for one visit.
    assert [server.call("GET", f"/?token={ticket}", authorization="").status for _ in range(2)] == [303, 401]
    assert server.call("GET", "/api/projects", authorization=f"Bearer {ticket}").status == 401


def test_of_all_addresses_it_is_said_which_to_use(serve):
    said = serve("--host", "0.0.0.0", "--public").process.stdout
    assert said.readline() == "from other machines: the same, with this machine's address in place of 127.0.0.1\n"
    said = serve("--public").process.stdout
    assert said.readline().startswith("projects are in ")


def test_a_queue_that_is_full(serve, make):
    server = serve(limits="'jobs': 2")
    clip = make.clip(100)
    ids = [server.project(("clip.mkv", clip)) for _ in range(3)]
    for id in ids:
        server.ask("POST", f"/api/projects/{id}/objects", {})
        server.ask("PUT", f"/api/projects/{id}/masks/0", make.png(make.square(0)))
    first, second = (server.ask("POST", f"/api/projects/{id}/propagate", {"frame": 0}) for id in ids[:2])
    refused = server.call("POST", f"/api/projects/{ids[2]}/propagate", {"frame": 0})
    assert refused.status == 409 and refused.message == "2 jobs wait already; cancel some, or wait."
    server.kill()
    again = serve(projects=server.projects)  # what was refused is not taken for something that was interrupted
    assert {job["project"] for job in again.ask("GET", "/api/jobs")} == set(ids[:2])


def test_a_disk_that_is_full(serve, make):
    server = serve(limits="'free_bytes': 1 << 60")
    refused = server.call("POST", "/api/projects", {"name": "shot"})
    assert refused.status == 507 and "free some space" in refused.message
    assert not [path for path in server.projects.iterdir() if path.is_dir()]


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_disk_that_fills_while_frames_are_read(tmp_path, make, looks):
    """While a zip is unpacked, and while its images are read; with room again it goes on."""
    project = Project(tmp_path / "p", Record("name", "2026", state="decoding", kind="zip"))
    project.source.mkdir()
    with zipfile.ZipFile(project.source / "frames.zip", "w") as file:
        for index in range(65):
            file.writestr(f"{index}.png", make.png(make.picture(index % 40)))
    left = [looks]

    def room() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Problem("no_room", "The disk is nearly full.")

    def run(room) -> None:
        decode(project, Work("p", "decode", lambda work: None, None, (), 0), Limits(), room, lambda project: None)

    with pytest.raises(Problem, match="nearly full"):
        run(room)
    assert project.record.state == "failed" and project.record.error == "The disk is nearly full."
    assert (project.source / "frames.zip").exists()
    run(lambda: None)
    assert (project.record.state, project.count) == ("ready", 65)
    assert not list(tmp_path.rglob("*.part*"))
