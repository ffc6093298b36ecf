"""Masks by clicks: what is answered, what is refused; frames that are looked at in the background, and their bounds."""

import base64
import io
import threading
from concurrent.futures import Future

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from camn.api import SegmentOptions
from camn.projects.frame_files import write_frame
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.record import Record
from camn.web import clicking
from camn.web.clicking import Clicking
from camn.web.question import Question

SIZE = (64, 96)
ON, OFF = {"x": 35, "y": 20}, {"x": 80, "y": 50, "positive": False}  # the red square of the clips, and the grey


@pytest.fixture(scope="module")
def project(server, make) -> str:
    return server.project(("clip.mkv", make.clip(3)))


def asked(server, project: str, frame: int = 0, **wish) -> list[dict]:
    return server.ask("POST", f"/api/projects/{project}/frames/{frame}/clicks", wish)["candidates"]


def masks(candidates: list[dict]) -> list[np.ndarray]:
    found = [np.zeros(SIZE, bool) for _ in candidates]
    for mask, one in zip(found, candidates):
        with Image.open(io.BytesIO(base64.b64decode(one["mask"]))) as part:
            pixels = np.array(part)
        assert pixels[[0, -1]].any(1).all() and pixels[:, [0, -1]].any(0).all()  # nothing around it
        mask[one["y"] :, one["x"] :][: pixels.shape[0], : pixels.shape[1]] = pixels == 255
    return found


def text(mask: np.ndarray, make) -> str:
    return base64.b64encode(make.png(np.where(mask, 255, 0).astype(np.uint8))).decode()


def test_the_same_question_has_the_same_answer_whatever_was_asked_meanwhile(server, project, make):
    first = asked(server, project, clicks=[ON])
    assert len(first) == 3 and all(mask[20, 35] for mask in masks(first))
    assert [one["score"] for one in first] == sorted((one["score"] for one in first), reverse=True)
    second = asked(server, project, clicks=[ON, OFF])
    assert len(second) == 1 and masks(second)[0][20, 35] and not masks(second)[0][50, 80]
    other = asked(server, project, clicks=[ON], candidate=1)
    assert other == first
    asked(server, project, clicks=[ON, OFF], candidate=1)
    asked(server, project, frame=1, box=[15, 5, 60, 40])
    square = make.square() == 1
    begun = asked(server, project, clicks=[OFF], mask=text(square, make))
    assert not masks(begun)[0][50, 80]
    assert asked(server, project, clicks=[ON]) == first and asked(server, project, clicks=[ON, OFF]) == second
    assert server.ask("GET", f"/api/projects/{project}")["given"] == []


def test_what_is_only_pointed_at_changes_no_later_answer(server, project):
    first, second = asked(server, project, clicks=[ON]), asked(server, project, clicks=[ON, OFF])
    for at in range(3):
        pointed = asked(server, project, clicks=[{"x": 30 + at, "y": 20}], rough=True)
        assert len(pointed) == 1 and masks(pointed)[0][20, 30 + at]
    assert asked(server, project, clicks=[ON]) == first
    assert len(asked(server, project, clicks=[ON, OFF], rough=True)) == 1
    assert asked(server, project, clicks=[ON, OFF]) == second
    assert asked(server, project, clicks=[ON], rough=True)[0]["score"] <= first[0]["score"]
    assert asked(server, project, clicks=[ON]) == first


REFUSED = (
    ({"clicks": [{"x": 96, "y": 5}]}, "96,5 is outside the frame, which is 96x64"),
    ({"clicks": [ON, ON | {"positive": False}]}, "the same pixel is clicked for the opposite"),
    ({"clicks": [OFF]}, "says only where the object is not"),
    ({"box": [5, 5, 5, 40]}, "has no area"),
    ({"clicks": [{"x": i % 90, "y": i // 90} for i in range(101)]}, "More than 100 clicks"),
    ({"clicks": [ON], "candidate": 7}, "no candidate 7"),
    ({"clicks": [ON], "box": [5, 5, 50, 40], "candidate": 1}, "no candidate 1"),
    ({"clicks": [ON], "mask": "%"}, "no Base64"),
    ({"clicks": [ON], "mask": "eHh4"}, "sent as a PNG"),
    ({}, "give clicks, or a box"),
)


@pytest.mark.parametrize(("wish", "said"), REFUSED)
def test_what_cannot_be_asked(server, project, wish, said):
    first = asked(server, project, clicks=[ON])
    answer = server.call("POST", f"/api/projects/{project}/frames/0/clicks", wish)
    assert answer.status == 422 and said in answer.message and answer.message.endswith(".")
    assert asked(server, project, clicks=[ON]) == first


def test_frames_and_masks_that_are_not_there(server, project, make):
    small = text(np.ones((9, 96), bool), make)
    answer = server.call("POST", f"/api/projects/{project}/frames/0/clicks", {"clicks": [ON], "mask": small})
    assert answer.code == "other_size" and "The mask has 96x9 pixels, the frames have 96x64" in answer.message
    empty = text(np.zeros(SIZE, bool), make)
    answer = server.call("POST", f"/api/projects/{project}/frames/0/clicks", {"clicks": [ON], "mask": empty})
    assert answer.status == 422 and "holds nothing" in answer.message
    for rest in ("clicks", "look"):
        answer = server.call("POST", f"/api/projects/{project}/frames/3/{rest}", {"clicks": [ON]})
        assert answer.status == 404 and "the frames are 0..2" in answer.message


def test_a_mask_to_begin_from_may_be_as_large_as_any_mask(server, project, make):
    """Of a large frame, with fine edges, it takes megabytes."""
    square, large = make.square() == 1, io.BytesIO()
    with Image.open(io.BytesIO(make.png(np.where(square, 255, 0).astype(np.uint8)))) as picture:
        about = PngInfo()
        about.add_text("Comment", "-" * (2 << 20))
        picture.save(large, "PNG", pnginfo=about)
    begun = base64.b64encode(large.getvalue()).decode()
    assert asked(server, project, clicks=[OFF], mask=begun) == asked(
        server, project, clicks=[OFF], mask=text(square, make)
    )


def test_a_look_and_a_project_that_is_deleted(server, make):
    project = server.project(("clip.mkv", make.clip(2)))
    for _ in range(2):
        assert server.ask("POST", f"/api/projects/{project}/frames/1/look") == {"ready": True}
    server.ask("DELETE", f"/api/projects/{project}")
    for rest in ("clicks", "look"):
        assert server.call("POST", f"/api/projects/{project}/frames/1/{rest}", {"clicks": [ON]}).status == 404


# --- in this process: what waits, and what is kept -------------------------------------------------------------------


class Gate:
    """Lets a frame be looked at when a test says so."""

    def __init__(self):
        self.came, self.open = threading.Semaphore(0), threading.Event()

    def __call__(self, project: str) -> None:
        self.came.release()
        self.open.wait()


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def busy() -> list[bool]:
    return [False]


@pytest.fixture
def clicks(gate, busy):
    found = Clicking(SegmentOptions(threads=1, device="cpu"), lambda: busy[0], gate)
    yield found
    gate.open.set()
    found.close()


@pytest.fixture
def made(tmp_path, make) -> Project:
    project = Project(tmp_path / "p", Record("name", "2026", state="ready", width=96, height=64, total=5))
    for folder in ("frames", "small"):
        (project.folder / folder).mkdir()
    for index in range(5):
        write_frame(project, index, make.picture(index))
    return project


def ended(*looks: Future) -> list[bool | None]:
    """Whether each was looked at; None: it was not wanted any longer."""
    return [None if look.cancelled() else look.result(timeout=120) for look in looks]


def test_of_looks_one_is_at_work_and_one_waits(clicks, gate, made):
    """A question comes before the one that waits."""
    first = clicks.look(made, 0)
    gate.came.acquire()
    more = [clicks.look(made, index) for index in (1, 2, 3)]
    assert [look.cancelled() for look in more] == [True, True, False]
    answers: list = []
    asking = threading.Thread(target=lambda: answers.append(clicks.ask(made, 4, Question(((35, 20, True),)))))
    asking.start()
    with clicks._change:
        clicks._change.wait_for(lambda: clicks._asked, timeout=60)
    gate.open.set()
    assert ended(first, *more) == [True, None, None, True]
    asking.join()
    assert answers[0].mask[20, 35]
    assert [index for _, index in clicks._looked] == [0, 4, 3]


def test_a_project_that_goes_takes_along_what_waits_and_what_is_at_work(clicks, gate, made):
    first = clicks.look(made, 0)
    gate.came.acquire()
    second = clicks.look(made, 1)
    refused: list[Problem] = []

    def ask() -> None:
        with pytest.raises(Problem) as caught:
            clicks.ask(made, 2, Question(((35, 20, True),)))
        refused.append(caught.value)

    threads = [threading.Thread(target=ask), threading.Thread(target=clicks.forget, args=(made.id,))]
    threads[0].start()
    with clicks._change:
        clicks._change.wait_for(lambda: clicks._asked, timeout=60)
    threads[1].start()
    threads[0].join()
    assert second.cancelled() and refused and "deleted" in refused[0].message
    assert threads[1].is_alive() and not first.done()  # it waits for what is at work
    gate.open.set()
    threads[1].join()
    assert first.done() and not clicks._looked


def test_while_a_propagation_is_at_work_only_questions_are_answered(clicks, gate, made, busy):
    gate.open.set()
    assert ended(clicks.look(made, 0)) == [True]
    busy[0] = True
    assert ended(clicks.look(made, 0), clicks.look(made, 1)) == [True, False]
    assert clicks.ask(made, 2, Question(((35, 20, True),))).mask[20, 35]


def test_of_frames_that_were_looked_at_some_are_kept(clicks, gate, made, monkeypatch):
    gate.open.set()
    question = Question(((35, 20, True),))
    first = clicks.ask(made, 0, question)
    assert clicks.ask(made, 0, question) is first
    assert ended(clicks.look(made, 1)) == ended(clicks.look(made, 2)) == [True]
    kept = clicks._looked[made.id, 0]
    assert not kept.asked  # what was asked of it is not kept when another one is looked at
    np.testing.assert_array_equal(clicks.ask(made, 0, question).mask, first.mask)
    monkeypatch.setattr(clicking, "MOST_BYTES", 2 * kept.marker.nbytes)
    clicks.ask(made, 3, question)
    assert [index for _, index in clicks._looked] == [0, 3]


def test_a_frame_that_is_gone_is_told(clicks, gate, made):
    gate.open.set()
    made.frame_file(1).unlink()
    with pytest.raises(Problem, match="Frame 1 of the project is missing"):
        clicks.ask(made, 1, Question(((35, 20, True),)))
    assert clicks.ask(made, 0, Question(((35, 20, True),))).mask[20, 35]
