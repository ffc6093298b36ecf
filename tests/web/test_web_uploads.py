"""What comes slowly, twice, or to a full disk; archives that are none, or are of another kind."""

import contextlib
import io
import json
import re
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from camn import api
from camn.projects.frame_files import is_there, jpeg
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.record import Record
from camn.web.decode import decode
from camn.web.file_names import no_two_alike
from camn.web.limits import Limits
from camn.web.work import Work

MB = 1 << 20
# The disk answers only while there is no file GATE.
SLOW = """
import os, shutil, time
usage = shutil.disk_usage
def slow(path):
    while os.path.exists({gate!r}):
        time.sleep(0.01)
    return usage(path)
shutil.disk_usage = slow
"""
SMALL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))\n"


def new(server) -> str:
    return server.ask("POST", "/api/projects", {"name": "new"})["id"]


def source(server, project: str) -> list[Path]:
    return list((server.projects / project / "source").iterdir())


def test_a_slow_disk_holds_up_nobody_else(serve, tmp_path):
    """More uploads than threads that write wait for it; meanwhile all else is answered, and memory does not grow."""
    gate = tmp_path / "gate"
    server = serve(first=SLOW.format(gate=str(gate)))
    projects = [new(server) for _ in range(8)]
    gate.touch()
    before = memory(server)
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(server.call, "PUT", f"/api/projects/{id}/upload?name=x", bytes(24 * MB)) for id in projects]
        for _ in range(20):
            assert server.call("GET", "/api/projects").status == 200
            assert server.call("GET", f"/api/projects/{projects[0]}/frames/0").status == 404
        assert not any(one.done() for one in sent)
        assert memory(server) - before < 60 * MB  # of 192
        gate.unlink()
        assert [one.result().status for one in sent] == [200] * 8
    assert memory(server) - before < 60 * MB
    assert sum(path.stat().st_size for id in projects for path in source(server, id)) == 8 * 24 * MB


def memory(server) -> int:
    """Resident, in bytes."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found
    return 1024 * int(found[1])


def test_a_disk_that_fills_during_an_upload(serve, make):
    """It holds files of 3 MB. Nothing of what was too much is left, and something smaller is taken."""
    server = serve(first=SMALL)
    id = new(server)
    refused = server.call("PUT", f"/api/projects/{id}/upload?name=clip.mkv", bytes(5 * MB))
    assert refused.status == 507 and refused.message.startswith("The disk is nearly full; free some space")
    assert source(server, id) == []
    server.ask("PUT", f"/api/projects/{id}/upload?name=clip.mkv", make.clip(3))
    server.ask("POST", f"/api/projects/{id}/decode")
    assert server.wait(f"/api/projects/{id}", lambda found: found["state"] != "decoding")["count"] == 3


def test_two_uploads_of_one_name_at_once(server, make):
    """Which of them counts would be anybody's guess: it is said, and the project takes them anew."""
    for name, word in (("1.png", "“1.png” is there twice"), ("clip.mkv", "“clip.mkv” is there twice")):
        id = new(server)
        data = make.png(make.picture(1)) if name.endswith("png") else make.clip(2)
        with ThreadPoolExecutor(2) as pool:
            sent = [pool.submit(server.ask, "PUT", f"/api/projects/{id}/upload?name={name}", data) for _ in range(2)]
            assert sorted(one.result()["files"] for one in sent)[-1] == 2
        refused = server.call("POST", f"/api/projects/{id}/decode")
        assert refused.status == 422 and word in refused.message
        assert source(server, id) == []
        server.ask("PUT", f"/api/projects/{id}/upload?name={name}", data)
        server.ask("POST", f"/api/projects/{id}/decode")


@pytest.mark.parametrize("names, said", [
    (["1.png", "1.jpg"], "“1.png” and “1.jpg” are both in what you sent"),
    (["a/1.png", "b\\1.png"], "“1.png” is there twice"),
    (["1.png", "01.png", "2.png", "1.1.png", "a 1.png"], None),
])  # fmt: skip
def test_frames_are_told_apart_by_their_names(names, said):
    with pytest.raises(Problem, match=re.escape(said)) if said else contextlib.nullcontext():
        no_two_alike(names, "you sent")
    frames = api.list_frames(["10.png", "9.jpg", "01.png", "1.png"]).frames
    assert frames == ("01.png", "1.png", "9.jpg", "10.png")


def test_archives_are_called_what_they_are(server, make):
    picture = make.png(make.picture(0))
    good = make.archive({f"{index}.png": make.png(make.picture(index)) for index in range(3)})
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as file:
        file.addfile(tarfile.TarInfo("1.png"), io.BytesIO())
    encrypted = bytearray(make.archive({"1.png": picture}))
    encrypted[encrypted.rindex(b"PK\1\2") + 8] |= 1
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("1.png", picture)
        file.writestr("1.png", picture)
    for name, data, word in (
        ("frames.zip", good[:-30], "zip file is damaged or cut short"),
        ("frames.zip", good[: len(good) // 2], "zip file is damaged or cut short"),
        ("frames", good[:100], "zip file is damaged or cut short"),
        ("frames.zip", bytes(500), "zip file is damaged or cut short"),
        ("frames.ZIP", b"<!doctype html><title>404</title>", "zip file is damaged or cut short"),
        ("frames.rar", b"Rar!\x1a\x07\x01\x00" + bytes(100), "“frames.rar” is a RAR archive, which is not read"),
        ("frames.zip", b"7z\xbc\xaf\x27\x1c" + bytes(100), "“frames.zip” is a 7z archive"),
        ("frames.tar.gz", b"\x1f\x8b\x08" + bytes(100), "is a gzip archive"),
        ("frames.tar", tar.getvalue(), "is a tar archive"),
        ("frames.zip", bytes(encrypted), "encrypted"),
        ("frames.zip", twice.getvalue(), "“1.png” is there twice in what the zip holds"),
        ("frames.zip", make.archive({"1.png": picture, "1.jpg": picture}), "are both in what the zip holds"),
        ("frames.zip", make.archive({"a/1.png": picture, "b/1.png": picture}), "several folders"),
        ("frames.zip", make.archive({"C:\\a\\1.png": picture, "C:\\b\\1.png": picture}), "several folders"),
        ("frames.zip", make.archive({"clip.mkv": make.clip(2)}), "holds a video; send that itself"),
        ("frames.zip", make.archive({"phone.3gp": make.clip(2)}), "holds a video; send that itself"),
        ("frames.zip", make.archive({"camera.MTS": make.clip(2)}), "holds a video; send that itself"),
        ("frames.zip", make.archive({"9" * 5000 + ".png": picture}), "more than 1000 letters"),
        ("frames.zip", make.archive({}), "holds no images"),
        ("clip.txt", b"hello", "not a video"),
    ):  # fmt: skip
        id = new(server)
        server.ask("PUT", f"/api/projects/{id}/upload?name={name}", data)
        answer = server.call("POST", f"/api/projects/{id}/decode")
        assert answer.status == 422 and word in answer.message, (name, word, answer.message)
        assert source(server, id) == []
    for name in ("clip.zip", "clip"):  # what it is shows in its content
        assert server.ask("GET", f"/api/projects/{server.project((name, make.clip(2)))}")["count"] == 2


def test_what_is_wrong_with_a_video_is_said_when_it_has_been_read(server, make):
    """In what every open tab hears, not only to one that opens it later."""
    state = server.ask("GET", "/api/server")
    project = server.project(("clip.mkv", make.clip(30)[:-4000]))
    notes = server.ask("GET", f"/api/projects/{project}")["notes"]
    assert len(notes) == 1 and notes[0].startswith("“clip.mkv”")
    with server.listen(f"?run={state['run']}&after={state['seq']}") as tab:
        heard: dict[str, Any] = {"type": ""}
        while heard["type"] != "project" or heard["project"]["state"] != "ready":
            heard = json.loads(tab.recv(timeout=120))
        assert heard["project"]["notes"] == notes


def test_frames_that_a_loss_of_power_left_half_are_made_again(tmp_path, make, synced):
    """A file may have its name, and not its content."""
    project = Project(tmp_path / "p", Record("name", "2026", state="decoding", kind="video"))
    project.source.mkdir()
    (project.source / "video.mkv").write_bytes(make.clip(4))

    def run() -> None:
        work = Work("p", "decode", lambda work: None, None, (), 0)
        decode(project, work, Limits(), lambda: None, lambda project: None)

    run()
    assert synced.index("000003.jpg") < len(synced) - 1 - synced[::-1].index("p")  # before it is called ready
    whole = project.frame_file(1).read_bytes()
    for data in (b"", whole[:100], whole[:-50] + bytes(50)):
        project.frame_file(1).write_bytes(data)
        project.frame_file(2, small=True).write_bytes(data)
        assert [is_there(project, index) for index in range(5)] == [True, False, False, True, False]
        project.change(state="decoding")
        run()
        assert project.frame_file(1).read_bytes() == whole and is_there(project, 2) and project.record.state == "ready"
    assert jpeg(make.picture(1), 95)[-2:] == b"\xff\xd9"
