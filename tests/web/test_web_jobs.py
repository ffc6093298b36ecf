"""Jobs, and what is done at once: nothing is deleted under a job, nothing is made twice, nothing is known for ever."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from camn import api
from camn.projects.problem import Problem
from camn.projects.watch import Cancelled
from camn.web import jobs
from camn.web.events import Events
from camn.web.jobs import Jobs
from camn.web.network import LazyNetwork
from camn.web.studio import Studio
from camn.web.work import Work

PATIENCE = 60


@pytest.fixture
def studio(tmp_path):
    studio = Studio(tmp_path / "projects", api.SegmentOptions())
    yield studio
    studio.close()


def test_a_project_is_not_deleted_under_a_job(studio, monkeypatch):
    """One that does not look whether it is to stop; queued ones end at once, and others are refused meanwhile."""
    monkeypatch.setattr(jobs, "PATIENCE", 0.05)
    project, goes_on, at_work = studio.create("shot"), threading.Event(), threading.Event()

    def slow(work: Work) -> None:
        at_work.set()
        goes_on.wait(PATIENCE)
        assert project.folder.is_dir()

    first, second = (studio.jobs.submit(project.id, "export", slow) for _ in range(2))
    at_work.wait(PATIENCE)
    with pytest.raises(Problem, match="still at work"):
        studio.delete(project.id)
    assert studio.store.get(project.id) is project and project.folder.is_dir()
    assert studio.jobs.get(second.id).state == "cancelled"
    monkeypatch.setattr(jobs, "PATIENCE", PATIENCE)
    with ThreadPoolExecutor(1) as pool:
        deleting = pool.submit(studio.delete, project.id)
        while project.id not in studio.jobs._leaving:
            pass
        with pytest.raises(Problem, match="being deleted"):
            studio.jobs.submit(project.id, "export", slow)
        assert not deleting.done()
        goes_on.set()
        deleting.result(PATIENCE)
    assert not project.folder.exists() and studio.jobs.of() == []
    assert first.id not in studio.jobs._works
    with pytest.raises(Problem, match="no such project"):
        studio.delete(project.id)


def test_ended_jobs_are_forgotten(tmp_path):
    """All but the last few; those whose file is there are known as long as it is."""
    some, file = Jobs(Events(), 3), tmp_path / "masks.zip"
    file.write_bytes(b"x")
    kept = some.submit("p", "export", lambda work: file)
    for made in [None, tmp_path / "gone.zip"] * 10:
        last = some.submit("p", "export", lambda work, made=made: made)
        while not some.get(last.id).ended:
            pass
    assert len(some.of()) <= 5 and kept.id in {job.id for job in some.of()}
    file.unlink()
    for _ in range(5):
        last = some.submit("p", "export", lambda work: None)
        while not some.get(last.id).ended:
            pass
    assert kept.id not in {job.id for job in some.of()}
    some.close()


def test_the_same_video_opened_many_times_at_once_is_one_project(studio, tmp_path, make):
    video = tmp_path / "walk.mkv"
    video.write_bytes(make.clip(3))
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(studio.open_video, [video] * 6))
    assert len({id(one) for one in found}) == 1 and len(studio.store.all()) == 1


def test_a_job_is_cancelled_while_the_network_loads(monkeypatch):
    """Loading goes on, and is not done again; where it fails, it is tried again."""
    may, loads = threading.Event(), []
    load = api.open_model

    def slow(*arguments):
        loads.append(arguments)
        assert may.wait(PATIENCE)
        if len(loads) == 1:
            raise MemoryError
        return load(*arguments)

    monkeypatch.setattr(api, "open_model", slow)
    network = LazyNetwork(api.SegmentOptions(device="cpu"))
    work = Work("p", "propagate", lambda work: None, None, (), 0)
    told = []
    work.announce = lambda: told.append(work.stage)
    work.stop.set()
    for _ in range(2):
        with pytest.raises(Cancelled):
            network.segmenter(work)
    assert len(loads) == 1 and network.model is None
    may.set()
    work.stop.clear()
    with pytest.raises(MemoryError):
        network.segmenter(work)
    assert network.model is None
    network.segmenter(work)
    assert len(loads) == 2 and network.model is not None
    assert told[-2:] == ["loading", "measuring"]
    work.tell(1, 9)
    assert work.stage is None
    work.stop.set()
    with pytest.raises(Cancelled):  # after each part that was measured
        network._chose("encode at 30x40 by onnx")


def test_what_is_at_work_before_the_first_frame(server, make):
    project = server.project(("clip.mkv", make.clip(3)))
    server.ask("POST", f"/api/projects/{project}/objects", {})
    server.ask("PUT", f"/api/projects/{project}/masks/0", make.png(make.square(0)))
    before = server.ask("GET", "/api/server")["seq"]
    run = server.ask("GET", "/api/server")["run"]
    job = server.ask("POST", f"/api/projects/{project}/propagate", {"frame": 0})
    assert server.job(job["id"])["stage"] is None
    with server.listen(f"?run={run}&after={before}") as tab:
        states = []
        while not states or states[-1] != ("done", None):
            event = json.loads(tab.recv(timeout=120))
            states += [(event["job"]["state"], event["job"]["stage"])] if event["type"] == "job" else []
    assert states[0] == ("queued", None) and ("running", "loading") in states


def test_nothing_is_exported_without_a_mask(server, make):
    project = server.project(("clip.mkv", make.clip(3)))

    def refused(**asked) -> str:
        answer = server.call("POST", f"/api/projects/{project}/exports", {"kind": "coco", **asked})
        assert answer.status == 409, answer
        return answer.message

    assert "no mask of an object to export" in refused()
    for _ in range(2):
        server.ask("POST", f"/api/projects/{project}/objects", {})
    path = f"/api/projects/{project}/masks"
    server.ask("PUT", f"{path}/1", make.png(make.square(0, 2)))
    assert "no mask of an object to export" in refused(objects=[1])
    done = server.ask("POST", f"/api/projects/{project}/exports", {"kind": "coco", "objects": [2]})
    assert server.job(done["id"])["state"] == "done"
    assert "on these frames; choose others" in refused(frames=[2, 2])
    part = server.job(server.ask("POST", f"/api/projects/{project}/exports", {"kind": "coco", "frames": [1, 2]})["id"])
    assert (part["state"], part["done"], part["total"]) == ("done", 2, 2)
    images = json.loads(server.call("GET", part["file"]).body)["images"]
    assert [image["id"] for image in images] == [1, 2]
    for wrong, code in (([2, 1], "invalid"), ([0, 3], "not_found"), ([-1, 1], "invalid"), ([1], "invalid")):
        answer = server.call("POST", f"/api/projects/{project}/exports", {"kind": "coco", "frames": wrong})
        assert answer.code == code, answer
    for behind in ("/etc/passwd", "#12", "BLUR"):  # no file of the server's
        wish = {"kind": "over-h264", "background": behind}
        assert server.call("POST", f"/api/projects/{project}/exports", wish).code == "invalid"
    server.ask("PUT", f"{path}/1", make.png(make.square(0, 0)))  # erased: it states that nothing is there
    assert "no mask" in refused()
    server.ask("PUT", f"{path}/1", make.png(make.square(0, 2)))
    server.ask("DELETE", f"/api/projects/{project}/objects/2")
    assert "no mask" in refused()
