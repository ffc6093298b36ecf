"""What a project keeps on the disk: its record, its masks, and what a kill leaves."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camn.errors import DataError
from camn.projects.change import LEAVE, Before, Change
from camn.projects.maskfiles import MaskFiles, Predicted, encode
from camn.projects.problem import Problem
from camn.projects.project import Project, stretches
from camn.projects.record import Record
from camn.projects.store import Store, tidy


def test_what_a_killed_server_left_half_is_taken_away(tmp_path):
    new = Project(tmp_path / "new", Record("name", "2025"))
    cut = Project(tmp_path / "cut", Record("name", "2025", state="decoding"))
    for path in (
        new.folder / "source" / "upload-1",
        cut.folder / "source" / "video.mkv",
        cut.folder / ".load-2.png",
        cut.folder / "exports" / ".3.77-88.part.mov",
        cut.folder / "exports" / "4.mov",
        cut.folder / "frames" / ".000001.77-88.part.jpg",
        cut.folder / "frames" / "000000.jpg",
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    for project in (new, cut):
        tidy(project)
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"project.json", "video.mkv", "4.mov", "000000.jpg"}


@given(st.sets(st.integers(0, 50)))
def test_stretches_hold_each_number_once(numbers):
    found = list(stretches(sorted(numbers)))
    assert [n for first, last in found for n in range(first, last + 1)] == sorted(numbers)
    assert all(b[0] - a[1] > 1 for a, b in zip(found, found[1:]))


def test_what_a_user_did_is_on_the_disk_itself(tmp_path, synced):
    """Before the page hears of it: the file before it has its name, and then the name."""

    def now() -> list[str]:
        done = [name if not name.startswith(".") else "part" for name in synced]
        synced.clear()
        return done

    project = Project(tmp_path / "p", Record("name", "2025", state="ready", width=3, height=2, total=4))
    assert now() == ["part", "p", tmp_path.name]
    project.add_object(None, None, 5)
    assert now() == ["part", "p"]
    assert project.masks.given == {} and now() == ["p", "p"]  # given/ and masks/ are new
    project.masks.give(0, np.ones((2, 3), np.uint8))
    assert now() == ["part", "given"]
    project.masks.clear([0], "both")
    assert {"given", "masks"} >= {*now()} > set()
    project.masks.predict(1, np.ones((2, 3), np.uint8), Predicted({1: 0.5}))
    assert now() == []  # the network's can be made again
    project.masks.settle([1, 2])  # the second was cleared meanwhile
    assert now() == ["000001.png", "masks"]


def test_a_new_project_is_its_owners_alone(tmp_path):
    os.umask(old := os.umask(0o022))
    assert old is not None
    store = Store(tmp_path / "projects", 10, 0)
    project = store.create("name")
    assert [path.stat().st_mode & 0o777 for path in (store.folder, project.folder)] == [0o700, 0o700]
    store.close()


def test_projects_made_at_once_are_counted_together(tmp_path):
    store = Store(tmp_path, 3, 0)
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(store.create, f"{n}") for n in range(8)]
    assert sum(one.exception() is None for one in made) == 3 and len(store.all()) == 3
    assert len(list(tmp_path.glob("*/project.json"))) == 3
    store.close()


def test_of_a_project_that_cannot_be_written_nothing_is_left(tmp_path, monkeypatch):
    store = Store(tmp_path, 3, 0)
    (tmp_path / "aaaaaaaaaaaa").mkdir()  # in the way
    monkeypatch.setattr("secrets.token_hex", lambda count: "a" * 2 * count)
    with pytest.raises(OSError, match="exists"):
        store.create("name")
    assert store.all() == []
    store.close()


masks = st.lists(st.integers(0, 3), min_size=6, max_size=6).map(lambda ids: np.array(ids, np.uint8).reshape(2, 3))


@given(st.lists(st.tuples(st.sampled_from(["give", "predict", "clear given", "clear predicted"]), masks), max_size=8))
def test_mask_files_are_what_was_done_last_also_when_read_again(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("masks")
    files, mine, theirs, stated = MaskFiles(folder, (2, 3)), None, None, set()
    for what, ids in steps:
        if what == "give":
            before = shown(mine, theirs, stated)
            stated = (stated if mine is not None else set()) | set(np.unique(ids)) | set(np.unique(before))
            step = files.give(4, ids)
            mine = ids
            made = before if step.pixels is None else step.pixels.made(before)
            assert np.array_equal(made, shown(mine, theirs, stated))  # what is told is what has changed
        elif what == "predict":
            files.predict(4, ids, Predicted({1: 0.5}, frozenset({1}), "job"))
            theirs = ids
        else:
            files.clear([4], what.split()[1])
            mine, theirs = (None, theirs) if "given" in what else (mine, None)
        for found in (files, MaskFiles(folder, (2, 3))):
            seen = found.read_shown(4)
            expected = shown(mine, theirs, stated)
            assert (seen is None) == (mine is None and theirs is None)
            assert np.array_equal(np.zeros((2, 3)) if seen is None else seen, expected)
            certain = mine is not None and 1 in stated
            known = 1.0 if certain else 0.5 if theirs is not None else None
            assert found.known(4, [1]) == ({} if known is None else {1: known}, [1] if known == 0.5 else [])


def shown(mine, theirs, stated) -> np.ndarray:
    """Pixel by pixel: the user's id, else the network's if the user said nothing of it."""
    ids = np.zeros((2, 3), np.uint8)
    for at in np.ndindex(2, 3):
        if mine is not None and mine[at]:
            ids[at] = mine[at]
        elif theirs is not None and not (mine is not None and theirs[at] in stated):
            ids[at] = theirs[at]
    return ids


def test_an_undo_takes_back_its_own_pixels_alone_and_what_they_said(tmp_path):
    files = MaskFiles(tmp_path, (2, 3))

    def paint(id: int, *at: int) -> tuple[Change, Before]:
        """A change and what it takes to undo it, as the page makes them."""
        shown = files.read_shown(0)
        old = np.zeros(6, np.uint8) if shown is None else shown.ravel()
        new, over = np.full(6, LEAVE, np.uint8), np.full(6, LEAVE, np.uint8)
        new[list(at)], over[list(at)] = id, old[list(at)]
        before = files.change(0, Change(new.reshape(2, 3), np.full((2, 3), LEAVE, np.uint8))).before
        return Change(over.reshape(2, 3), new.reshape(2, 3)), before

    def now() -> list[int] | None:
        shown = files.read_shown(0)
        return None if shown is None else shown.ravel().tolist()

    mine, theirs = paint(1, 0, 1), paint(2, 1, 2)  # a first mask, and another tab's stroke across it
    files.change(0, *mine)
    assert now() == [0, 2, 2, 0, 0, 0] and files.given[0].stated == {2}  # of 1 nobody speaks any more
    files.change(0, *theirs)
    assert now() == [0, 1, 0, 0, 0, 0] and files.given[0].stated == {1, 2} - {2}
    files.clear([0], "both")

    files.predict(0, np.array([[1, 1, 0], [0, 0, 0]], np.uint8), Predicted({1: 0.5}))
    one, two = paint(2, 3), paint(0, 0, 1)  # object 1 is not here
    assert files.given[0].stated == {1, 2} and now() == [0, 0, 0, 2, 0, 0]
    back = paint(1, 5)
    files.change(0, *back)
    assert files.given[0].stated == {1, 2}  # it was said before that 1 is absent: so it is again
    files.change(0, *two)
    files.change(0, *one)
    assert now() == [1, 1, 0, 0, 0, 0] and 0 not in files.given  # the network's shows again
    gone = paint(0, 0, 1)
    others = paint(0, 4)  # nothing of it changes
    files.change(0, *others)
    assert files.given[0].stated == {1}
    files.change(0, *gone)
    assert 0 not in files.given


def test_an_undo_of_what_others_took_away_changes_nothing(tmp_path):
    files = MaskFiles(tmp_path, (1, 2))
    files.predict(0, np.array([[1, 0]], np.uint8), Predicted({1: 0.5}))
    new, anything = np.array([[LEAVE, 2]], np.uint8), np.full((1, 2), LEAVE, np.uint8)
    files.give(0, np.array([[1, 1]], np.uint8))
    before = files.change(0, Change(new, anything)).before
    files.clear([0], "given")
    files.change(0, Change(np.array([[LEAVE, 1]], np.uint8), new), before)
    assert 0 not in files.given  # what the network says is nobody's word
    files.change(0, Change(new, np.array([[LEAVE, 7]], np.uint8)))
    assert 0 not in files.given
    files.change(0, Change(anything, anything), Before(True, frozenset({3})))  # "clear", taken back
    assert files.given[0].stated == {1, 3}


def test_what_a_mask_says_is_not_there_is_taken_back_and_said_again(tmp_path):
    """Also where no pixel changes by it, or the network had shown it."""
    files = MaskFiles(tmp_path, (1, 3))
    files.predict(1, np.array([[1, 2, 0]], np.uint8), Predicted({1: 0.5, 2: 0.5}))
    for index, shown in ((0, [0, 0, 0]), (1, [1, 2, 0])):
        step = files.give(index, np.array([[1, 0, 0]], np.uint8), absent=(2,))
        assert step.before == Before() and step.after == Before(True, frozenset({2}))
        assert step.pixels
        again = Change(step.pixels.ids, step.pixels.over, left=step.pixels.left)
        back = Change(again.over, again.ids, left=again.left)
        for _ in range(2):
            undone = files.change(index, back, step.before, step.after.absent)
            assert undone.after == Before() and index not in files.given
            seen = files.read_shown(index)
            assert (np.zeros(3) if seen is None else seen).ravel().tolist() == shown
            redone = files.change(index, again, step.after, step.before.absent)
            assert redone.after == step.after and files.read_shown(index).tolist() == [[1, 0, 0]]  # type: ignore[union-attr]


def test_pixels_of_deleted_objects_stay(tmp_path):
    files = MaskFiles(tmp_path, (1, 4))
    files.give(0, np.array([[1, 1, 2, 0]], np.uint8))
    files.give(0, np.array([[0, 3, 0, 3]], np.uint8), objects=(2, 3))
    assert files.read_shown(0).tolist() == [[1, 3, 0, 3]]  # type: ignore[union-attr]
    files.change(0, Change(np.array([[3]], np.uint8), np.array([[1]], np.uint8)))
    files.change(0, Change(np.array([[2, 2]], np.uint8), np.array([[1, 0]], np.uint8), left=1))
    assert files.read_shown(0).tolist() == [[3, 3, 2, 3]]  # type: ignore[union-attr]


def test_files_that_do_not_belong_are_passed_over(tmp_path):
    files = MaskFiles(tmp_path, (2, 3))
    files.give(0, np.ones((2, 3), np.uint8))
    (tmp_path / "given" / "000001.png").write_bytes(b"broken")
    (tmp_path / "given" / "7.png").write_bytes((tmp_path / "given" / "000000.png").read_bytes())
    other = MaskFiles(tmp_path, (2, 3))
    assert list(other.given) == [0]
    assert list(MaskFiles(tmp_path, (3, 3)).given) == []
    for index, note in enumerate(({"stated": 5}, {"stated": ["x"]}, {"stated": [1]}, {"confidence": [1]}), start=2):
        for kind in ("given", "masks"):
            (tmp_path / kind / f"{index:06d}.png").write_bytes(encode(np.ones((2, 3), np.uint8), note))
    again = MaskFiles(tmp_path, (2, 3))
    assert list(again.given) == [0, 4, 5] and list(again.predicted) == [2, 3, 4]


def test_a_record_that_is_none_is_told_apart(tmp_path):
    project = Project(tmp_path / "p", Record("name", "2025"))
    project.set_object(7, "seven", "#ABCDEF", 5)
    assert Project(tmp_path / "p").record == project.record and project.record.objects[0].colour == "#abcdef"
    assert project.add_object(None, None, 5).id == 8
    with pytest.raises(Problem, match="at most 2"):
        project.add_object(None, None, 2)
    good = json.loads((tmp_path / "p" / "project.json").read_bytes())
    broken = (
        {"objects": [{"id": 1, "name": "a", "colour": "red"}]},
        {"objects": [{"id": 255, "name": "a", "colour": "#ff0000"}]},
        {"propagation": {"frame": -1, "direction": "forward", "until": "end"}},
        {"propagation": {"frame": 1}},
        {"fps": "30/0"},
        {"state": "lost"},
        {"width": None},
        {"notes": "abc"},
    )
    texts = ("", "{}", "[]", "[" * 100_000, json.dumps({"program": "other", "version": 1, "objects": [], "notes": []}))
    for text in (*texts, *(json.dumps(good | part) for part in broken)):
        (tmp_path / "p" / "project.json").write_text(text)
        with pytest.raises(DataError, match="project.json: no record"):
            Project(tmp_path / "p")
