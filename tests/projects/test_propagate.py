"""Where a propagation goes, also when it was cut off or masks are cleared meanwhile, each against an obvious twin."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camn.projects.frame_files import jpeg
from camn.projects.maskfiles import Predicted
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.propagate import REFERENCES, check, follow, plan, reached, runs_of
from camn.projects.record import Propagation, Record

COUNT = 12
frames = st.integers(0, COUNT - 1)


directions, untils = st.sampled_from(["forward", "backward", "both"]), st.sampled_from(["end", "given"])


@given(st.sets(frames), frames, directions, untils)
def test_a_plan_goes_where_it_was_asked_to(marked, frame, direction, until):
    runs = plan(sorted(marked), COUNT, Propagation(frame=frame, direction=direction, until=until))
    ways = {}
    for step in {"forward": [1], "backward": [-1], "both": [1, -1]}[direction]:
        way, index = [], frame + step
        while 0 <= index < COUNT and not (until == "given" and index in marked):
            way.append(index)
            index += step
        if way:
            ways[step] = way
    assert [(run.frames.step, list(run.frames)) for run in runs] == list(ways.items())
    for run in runs:
        assert run.start == run.origin == frame
        behind = sorted((i for i in marked if (i - frame) * run.frames.step < 0), key=lambda i: -abs(i - frame))
        assert list(run.seeds) == behind[-REFERENCES:]


@given(st.sets(frames), frames, directions, untils, st.data())
def test_a_plan_goes_on_where_it_was_cut_off(marked, frame, direction, until, data):
    asked = Propagation(frame=frame, direction=direction, until=until)
    way = [index for run in plan(sorted(marked), COUNT, asked) for index in run.frames]
    done = data.draw(st.integers(0, len(way)))
    reached = way[done - 1] if done else None
    runs = plan(sorted(marked), COUNT, replace(asked, reached=reached))
    assert [index for run in runs for index in run.frames] == way[done:]
    for run in runs:
        step = run.frames.step
        assert run.start == run.frames[0] - step and run.origin == frame
        assert run.start == frame or frame in run.seeds  # what it began with is seen again
        assert set(run.seeds) - {frame} <= marked and list(run.seeds) == sorted(run.seeds, key=lambda i: i * step)


@given(st.integers(2, 5))
def test_as_many_references_as_the_network_keeps(references):
    [run] = plan(list(range(10)), COUNT, Propagation(frame=10), references)
    assert list(run.seeds) == list(range(10))[-references:]


def test_where_it_came_to_all_frames_have_masks(tmp_path):
    """A loss of power may leave later masks without those before them: they are made again."""
    project = Project(tmp_path / "p", Record("name", "2025", state="ready", width=8, height=6, total=12))
    shows = np.ones((6, 8), np.uint8)
    for index in (5, 6, 8, 9):
        project.masks.predict(index, shows, Predicted({1: 0.9}, job="mine"))
    project.masks.predict(7, shows, Predicted({1: 0.9}, job="an older one"))
    both = Propagation(frame=4, direction="both")
    assert reached(project, both, "mine") == 6
    assert reached(project, replace(both, reached=7), "mine") == 9  # it went on from there
    assert reached(project, replace(both, reached=9), "mine") == 9 and reached(project, both, "other") is None
    project.masks.predict(3, shows, Predicted({1: 0.9}, job="mine"))  # then the other way had begun
    assert reached(project, both, "mine") == 3 and reached(project, replace(both, reached=9), "mine") == 3
    project.masks.predict(1, shows, Predicted({1: 0.9}, job="mine"))
    assert reached(project, replace(both, reached=3), "mine") == 3
    assert reached(project, Propagation(frame=10, direction="backward"), "mine") == 8


class Network:
    """In place of a segmenter: what it is told, and nothing found."""

    def __init__(self):
        self.index, self.objects, self.told = -1, (1,), []

    def start(self, frame, mask):
        self.index = 0
        self.told.append(("start", int(frame[0, 0, 0])))

    def step(self, frame):
        self.index += 1
        return int(frame[0, 0, 0])

    def correct(self, mask, ids):
        self.told.append(("correct", ids))


def grey(folder: Path, count: int) -> Project:
    """A project of `count` frames, each of one grey: 30 times its number; with one object."""
    project = Project(folder / "p", Record("name", "2025", state="ready", width=8, height=6, total=count))
    project.add_object(None, None, 5)
    (project.folder / "frames").mkdir()
    for index in range(count):
        project.frame_file(index).write_bytes(jpeg(np.full((6, 8, 3), 30 * index, np.uint8), 95))
    return project


def test_masks_that_are_cleared_while_a_propagation_runs(tmp_path):
    """Its plan is older than they are: it goes on without them, and says so where nothing is left to start from."""
    project = grey(tmp_path, 6)
    for index in (1, 2, 3, 5):
        project.masks.give(index, np.ones((6, 8), np.uint8))
    [planned] = plan(project.given_frames(), 6, Propagation(frame=3))
    assert planned.seeds == (1, 2)
    project.masks.clear([1, 5], "given")
    network = Network()
    assert [index for index, _ in follow(project, planned, network)] == [4, 5]  # type: ignore[arg-type]
    assert [what for what, _ in network.told] == ["start", "correct"]
    project.masks.clear([2, 3], "given")
    with pytest.raises(Problem, match="Frame 3 has no mask of an object any more"):
        list(follow(project, planned, Network()))  # type: ignore[arg-type]


def test_a_propagation_goes_on_from_a_frame_that_shows_nothing(tmp_path):
    """Its object had left: it is known from the frame that it was begun on. Without the frame's mask it begins anew."""
    project = grey(tmp_path, 8)
    project.masks.predict(2, np.ones((6, 8), np.uint8), Predicted({1: 0.9}))  # what it was asked from
    for index in (3, 4):
        project.masks.predict(index, np.zeros((6, 8), np.uint8), Predicted({1: 0.1}, frozenset({1})))
    asked = Propagation(frame=2, direction="both", reached=4)
    assert check(project, asked) == 3 + 2
    forward, backward = runs_of(project, asked)
    network = Network()
    assert [index for index, _ in follow(project, forward, network)] == [5, 6, 7]  # type: ignore[arg-type]
    assert network.told == [("start", 60)] and network.index == 4  # frame 2, then 4 to 7
    assert list(backward.frames) == [1, 0] and backward.seeds == ()
    project.masks.clear([4], "predicted")
    assert check(project, asked) == 5 + 2
    assert check(project, replace(asked, reached=7)) == 5 + 2  # it has none either
    project.masks.predict(0, np.zeros((6, 8), np.uint8), Predicted({1: 0.1}))
    with pytest.raises(Problem, match="no frame to go"):
        check(project, replace(asked, reached=0))
