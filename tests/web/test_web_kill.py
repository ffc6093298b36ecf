"""Killed at any moment (SIGKILL) and opened again: nothing that was done is lost, nothing is half-written."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from forking import run
from PIL import Image

FRAMES = 60


def pictures_whole(folder: Path) -> int:
    """How many PNG and JPEG files there are; each must be readable to its end."""
    found = [path for path in folder.rglob("*") if path.suffix in (".png", ".jpg") and not path.name.startswith(".")]
    for path in found:
        with Image.open(path) as image:
            image.load()
    return len(found)


@pytest.mark.parametrize("kind", ["video", "zip"])
def test_killed_while_decoding(serve, make, kind):
    first = serve()
    if kind == "video":
        sent = ("clip.mkv", make.clip(FRAMES, (360, 640)))
    else:
        images = {f"{index}.png": make.png(make.picture(index % 40, (360, 640))) for index in range(FRAMES)}
        sent = ("clip.zip", make.archive(images))
    id = first.ask("POST", "/api/projects", {"name": "cut"})["id"]
    first.ask("PUT", f"/api/projects/{id}/upload?name={sent[0]}", sent[1])
    first.ask("POST", f"/api/projects/{id}/decode")
    if kind == "video":
        first.wait(f"/api/projects/{id}", lambda project: project["count"] > 5)
    else:
        time.sleep(0.05)
    first.kill()
    before = pictures_whole(first.projects / id)
    again = serve(projects=first.projects)
    found = again.wait(f"/api/projects/{id}", lambda project: project["state"] != "decoding")
    assert found["state"] == "ready" and found["count"] == FRAMES, found
    assert pictures_whole(first.projects / id) >= max(before, 2 * FRAMES)
    image = again.call("GET", f"/api/projects/{id}/frames/{FRAMES - 1}?size=full").ids
    assert np.abs(image.astype(int) - make.picture((FRAMES - 1) % 40, (360, 640))).mean() < 4


def test_killed_in_the_middle_of_a_propagation(serve, make):
    first = serve()
    id = first.project(("clip.mkv", make.clip(FRAMES)))
    first.ask("POST", f"/api/projects/{id}/objects", {"name": "square"})
    first.ask("PUT", f"/api/projects/{id}/masks/0", make.png(make.square(0)))
    asked = {"frame": 0, "direction": "forward", "until": "end"}
    job = first.ask("POST", f"/api/projects/{id}/propagate", asked)
    first.wait(f"/api/jobs/{job['id']}", lambda job: job["done"] > 10)
    first.ask("PUT", f"/api/projects/{id}/masks/50", make.png(make.square(9)))  # while it runs, and then at once
    first.kill()
    pictures_whole(first.projects / id)
    again = serve(projects=first.projects)
    found = again.ask("GET", f"/api/projects/{id}")
    assert found["state"] == "ready" and found["objects"] == [{"id": 1, "name": "square", "colour": "#e6194b"}]
    assert found["given"] == [0, 50] and found["predicted"][0][0] == 1
    assert np.array_equal(again.call("GET", f"/api/projects/{id}/masks/50").ids, make.square(9))
    left = found["jobs"][0]
    assert (
        left["state"] == "interrupted"
        and left["asked"] == asked | {"reached": None}
        and left["frame"] == found["predicted"][-1][1]
    )
    values = again.ask("GET", f"/api/projects/{id}/confidence")["objects"]["1"]["confidence"]
    assert all(value is not None for value in values[: left["frame"] + 1])
    go_on = again.ask("POST", f"/api/projects/{id}/propagate", {**asked, "frame": left["frame"]})
    assert again.job(go_on["id"])["state"] == "done"
    assert again.ask("GET", f"/api/projects/{id}")["predicted"] == [[1, FRAMES - 1]]
    assert "Traceback" not in again.stop()


def test_a_propagation_that_waited_is_remembered(serve, make):
    """It had not begun when the server was killed; of another that was cancelled while it waited nothing is left."""
    first = serve()
    clip = make.clip(FRAMES)
    ids = [first.project(("clip.mkv", clip)) for _ in range(3)]
    jobs = []
    for id in ids:
        first.ask("POST", f"/api/projects/{id}/objects", {})
        first.ask("PUT", f"/api/projects/{id}/masks/0", make.png(make.square(0)))
        jobs.append(first.ask("POST", f"/api/projects/{id}/propagate", {"frame": 0}))
    assert first.ask("GET", f"/api/jobs/{jobs[1]['id']}")["state"] == "queued"
    assert first.ask("DELETE", f"/api/jobs/{jobs[2]['id']}")["state"] == "cancelled"
    first.kill()
    again = serve(projects=first.projects)
    left = {job["project"]: job for job in again.ask("GET", "/api/jobs")}
    assert set(left) == set(ids[:2]) and {job["state"] for job in left.values()} == {"interrupted"}
    assert left[ids[1]]["frame"] is None and left[ids[1]]["asked"]["direction"] == "forward"
    done = again.ask("POST", f"/api/projects/{ids[1]}/propagate", left[ids[1]]["asked"])
    assert again.job(done["id"])["state"] == "done"
    again.stop()
    third = serve(projects=first.projects)
    assert {job["project"] for job in third.ask("GET", "/api/jobs")} == {ids[0]}  # still known; what was done is done


def test_killed_twice_on_both_ways(serve, make):
    """Both halves are one job, which goes on where it was: nothing is done again, nothing is left out."""
    server = serve()
    id = server.project(("clip.mkv", make.clip(FRAMES)))
    server.ask("POST", f"/api/projects/{id}/objects", {})
    server.ask("PUT", f"/api/projects/{id}/masks/40", make.png(make.square(10)))
    asked = {"frame": 40, "direction": "both", "until": "end"}
    for way in (+1, -1):
        job = server.ask("POST", f"/api/projects/{id}/propagate", asked)
        server.wait(f"/api/jobs/{job['id']}", lambda job, way=way: job["frame"] and (job["frame"] - 40) * way > 3)
        server.kill()
        server = serve(projects=server.projects)
        [left] = server.ask("GET", f"/api/projects/{id}")["jobs"]
        assert left["state"] == "interrupted" and left["asked"] == {"reached": None} | asked
        assert (left["frame"] - 40) * way > 3
        asked["reached"] = left["frame"]
    job = server.ask("POST", f"/api/projects/{id}/propagate", asked)
    ended = server.job(job["id"])
    assert ended["state"] == "done" and ended["total"] == asked["reached"] and ended["frame"] == 0
    assert server.ask("GET", f"/api/projects/{id}")["predicted"] == [[0, 39], [41, FRAMES - 1]]


def test_what_was_exported_is_there_after_a_kill(serve, make):
    first = serve()
    id = first.project(("clip.mkv", make.clip(4)))
    first.ask("POST", f"/api/projects/{id}/objects", {})
    first.ask("PUT", f"/api/projects/{id}/masks/0", make.png(make.square(0)))
    jobs = [first.ask("POST", f"/api/projects/{id}/exports", {"kind": kind}) for kind in ("coco", "vp9")]
    done = [first.job(job["id"]) for job in jobs]
    files = [first.call("GET", job["file"]).body for job in done]
    (first.projects / id / "exports" / "mine.mp4").write_bytes(b"somebody's own")
    first.kill()
    again = serve(projects=first.projects)
    found = {job["id"]: job for job in again.ask("GET", f"/api/projects/{id}")["jobs"]}
    assert list(found) == [job["id"] for job in reversed(done)]
    for job, file in zip(done, files, strict=True):
        left = found[job["id"]]
        assert all(left[key] == job[key] for key in ("kind", "state", "file", "file_name"))
        assert left["asked"]["kind"] == job["asked"]["kind"] and again.call("GET", left["file"]).body == file


def test_killed_when_all_was_done(serve, make):
    """After the last mask, before the record says so: nothing is left to go on with."""
    server = serve()
    id = server.project(("clip.mkv", make.clip(8)))
    server.ask("POST", f"/api/projects/{id}/objects", {})
    server.ask("PUT", f"/api/projects/{id}/masks/3", make.png(make.square(3)))
    asked = {"frame": 3, "direction": "both", "until": "end"}
    job = server.job(server.ask("POST", f"/api/projects/{id}/propagate", asked)["id"])
    server.kill()
    path = server.projects / id / "project.json"
    record = json.loads(path.read_bytes())
    assert job["state"] == "done" and record["propagation"] is None
    path.write_text(json.dumps(record | {"propagation": asked | {"job": job["id"]}}))
    again = serve(projects=server.projects)
    assert again.ask("GET", f"/api/projects/{id}")["jobs"] == []
    assert json.loads(path.read_bytes())["propagation"] is None


def test_killed_at_many_moments_of_marking(serve, make):
    """Whatever was answered is there afterwards; the events of the next run do not pretend to be those of this one."""
    first = serve()
    id = first.project(("clip.mkv", make.clip(20)))
    with first.listen() as tab:
        run = json.loads(tab.recv(timeout=120))["run"]
    projects, server, done = first.projects, first, []
    for step in range(3):
        item = server.ask("POST", f"/api/projects/{id}/objects", {})
        server.ask("PUT", f"/api/projects/{id}/masks/{step}", make.png(make.square(step, item["id"])))
        done.append(item["id"])
        server.kill()
        server = serve(projects=projects)
        found = server.ask("GET", f"/api/projects/{id}")
        assert [item["id"] for item in found["objects"]] == done and found["given"] == list(range(step + 1))
        for index, item in enumerate(done):
            shown = server.call("GET", f"/api/projects/{id}/masks/{index}").ids
            assert np.array_equal(shown, make.square(index, item))
    with server.listen(f"?run={run}&after=1") as tab:
        assert json.loads(tab.recv(timeout=120))["reload"] is True


def test_a_server_that_is_stopped_ends_soon_and_its_job_is_remembered(serve, make):
    first = serve()
    id = first.project(("clip.mkv", make.clip(FRAMES)))
    first.ask("POST", f"/api/projects/{id}/objects", {})
    first.ask("PUT", f"/api/projects/{id}/masks/40", make.png(make.square(10)))
    job = first.ask("POST", f"/api/projects/{id}/propagate", {"frame": 40, "direction": "backward"})
    first.wait(f"/api/jobs/{job['id']}", lambda job: job["done"] > 3)
    with first.listen():  # an open tab must not hold it
        said = first.stop()
    assert "Traceback" not in said, said
    again = serve(projects=first.projects)
    left = again.ask("GET", f"/api/projects/{id}")
    job = left["jobs"][0]
    assert job["state"] == "interrupted" and job["frame"] == left["predicted"][0][0] < 40
    assert again.ask("DELETE", f"/api/jobs/{job['id']}")["state"] == "cancelled"
    again.stop()
    assert serve(projects=first.projects).ask("GET", f"/api/projects/{id}")["jobs"] == []


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_server_that_a_signal_stops_ends_as_by_ctrl_c(serve, make, name):
    first = serve()
    id = first.project(("clip.mkv", make.clip(3)))
    first.process.send_signal(getattr(signal, name))
    said, _ = first.process.communicate(timeout=180)
    assert first.process.returncode == 143 and "Traceback" not in said, said
    again = serve(projects=first.projects)
    assert again.ask("GET", f"/api/projects/{id}")["state"] == "ready"
    assert "Traceback" not in again.stop() and again.process.returncode == 0


def test_two_servers_do_not_share_projects(serve, tiny, make):
    first = serve()
    with pytest.raises(AssertionError, match="another camn has these projects open"):
        serve(projects=first.projects)
    id = first.project(("clip.mkv", make.clip(3)))
    done = command("segment", "--project", first.projects / id)
    assert done.returncode == 2 and "another camn" in done.stderr


def command(*arguments) -> subprocess.CompletedProcess:
    return run([sys.executable, "-m", "camn", *map(str, arguments)])


def test_the_command_line_opens_a_project(serve, tiny, make, tmp_path):
    first = serve()
    id = first.project(("clip.mkv", make.clip(5)))
    for _ in range(2):
        first.ask("POST", f"/api/projects/{id}/objects", {"name": "square"})
    both = np.where(make.square(1)[::-1] > 0, 2, make.square(1)).astype(np.uint8)
    first.ask("PUT", f"/api/projects/{id}/masks/1", make.png(both))
    first.ask("DELETE", f"/api/projects/{id}/objects/2")
    first.stop()
    folder = first.projects / id
    options = ("--model", tiny, "--short-side", 64, "--backend", "eager", "--device", "cpu", "--no-overlay")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    done = command("segment", "--project", copy, *options)
    assert done.returncode == 0 and "4 frames, 1 object" in done.stdout, done.stderr
    again = serve(projects=tmp_path)  # a project may be called anything plain, and be copied
    found = again.ask("GET", "/api/projects/copy")
    assert found["given"] == [1] and found["predicted"] == [[0, 0], [2, 4]]
    done = command("segment", "--project", folder, "--out", tmp_path / "out", *options)
    assert done.returncode == 0, done.stderr
    masks = sorted(path.name for path in (tmp_path / "out" / "masks").iterdir())
    assert masks == [f"{index:06d}.png" for index in range(5)]
    assert json.loads((tmp_path / "out" / "segments.json").read_bytes())["categories"] == [{"id": 1, "name": "square"}]
    wrong = command("segment", "--project", tmp_path / "out")
    assert wrong.returncode == 2 and "no project" in wrong.stderr


def test_the_command_makes_projects_of_videos(serve, make, tmp_path):
    (tmp_path / "walk.mkv").write_bytes(make.clip(4))
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(3):
        (folder / f"{index}.png").write_bytes(make.png(make.picture(index)))
    (folder / "0.json").write_text("{}")  # beside its frames a data set has all kinds of files
    server = serve(videos=(tmp_path / "walk.mkv", folder))
    names = {project["name"]: project["id"] for project in server.ask("GET", "/api/projects")}
    for name, count in (("walk.mkv", 4), ("frames", 3)):
        found = server.wait(f"/api/projects/{names[name]}", lambda project: project["state"] == "ready")
        assert found["count"] == count
    server.stop()
    again = serve(videos=(tmp_path / "walk.mkv",), projects=server.projects)
    assert len(again.ask("GET", "/api/projects")) == 2  # the same one
    (tmp_path / "no.mkv").write_bytes(b"no video")
    with pytest.raises(AssertionError, match="not a video"):
        serve(videos=(tmp_path / "no.mkv",))


def test_what_could_not_be_read_to_its_end_is_read_on(serve, make):
    """As after a disk that was full: without sending it again, and frames that are there are not made again."""
    first = serve(limits="'frames': 10")
    id = first.ask("POST", "/api/projects", {"name": "shot"})["id"]
    first.call("PUT", f"/api/projects/{id}/upload?name=clip", make.clip(14))
    first.ask("POST", f"/api/projects/{id}/decode")
    failed = first.wait(f"/api/projects/{id}", lambda project: project["state"] != "decoding")
    assert failed["state"] == "failed" and failed["count"] == 10 and "more than 10 frames" in failed["error"]
    first.stop()
    frame = first.projects / id / "frames" / "000003.jpg"
    before = frame.stat().st_mtime_ns
    again = serve(projects=first.projects)
    assert again.ask("GET", f"/api/projects/{id}")["state"] == "failed"
    again.ask("POST", f"/api/projects/{id}/decode")
    found = again.wait(f"/api/projects/{id}", lambda project: project["state"] != "decoding")
    assert (found["state"], found["count"], found["error"]) == ("ready", 14, None)
    assert frame.stat().st_mtime_ns == before
