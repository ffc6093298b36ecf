"""The parts of the server, each against an obvious twin."""

import asyncio
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camn.errors import DataError
from camn.masks import MaskSet, ObjectIds
from camn.projects.maskfiles import MaskFiles, Predicted, encode
from camn.projects.project import Project, Record, stretches
from camn.projects.propagate import REFERENCES, check, follow, plan, runs_of
from camn.projects.store import tidy
from camn.web.bodies import renumbered
from camn.web.decode import jpeg
from camn.web.drawing import from_box, from_strokes
from camn.web.events import Events
from camn.web.file_names import readable
from camn.web.guard import Door
from camn.web.limits import Limits, size
from camn.web.problem import Problem, plain
from camn.web.schemas import Propagate, Stroke
from camn.web.zips import unpack

COUNT = 12
frames = st.integers(0, COUNT - 1)


directions, untils = st.sampled_from(["forward", "backward", "both"]), st.sampled_from(["end", "given"])


@given(st.sets(frames), frames, directions, untils)
def test_a_plan_goes_where_it_was_asked_to(marked, frame, direction, until):
    runs = plan(sorted(marked), COUNT, Propagate(frame=frame, direction=direction, until=until))
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
    asked = Propagate(frame=frame, direction=direction, until=until)
    way = [index for run in plan(sorted(marked), COUNT, asked) for index in run.frames]
    done = data.draw(st.integers(0, len(way)))
    reached = way[done - 1] if done else None
    runs = plan(sorted(marked), COUNT, asked.model_copy(update={"reached": reached}))
    assert [index for run in runs for index in run.frames] == way[done:]
    for run in runs:
        step = run.frames.step
        assert run.start == run.frames[0] - step and run.origin == frame
        assert run.start == frame or frame in run.seeds  # what it began with is seen again
        assert set(run.seeds) - {frame} <= marked and list(run.seeds) == sorted(run.seeds, key=lambda i: i * step)


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
    [planned] = plan(project.given_frames(), 6, Propagate(frame=3))
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
    asked = Propagate(frame=2, direction="both", reached=4)
    assert check(project, asked) == 3 + 2
    forward, backward = runs_of(project, asked)
    network = Network()
    assert [index for index, _ in follow(project, forward, network)] == [5, 6, 7]  # type: ignore[arg-type]
    assert network.told == [("start", 60)] and network.index == 4  # frame 2, then 4 to 7
    assert list(backward.frames) == [1, 0] and backward.seeds == ()
    project.masks.clear([4], "predicted")
    assert check(project, asked) == 5 + 2
    assert check(project, asked.model_copy(update={"reached": 7})) == 5 + 2  # it has none either
    project.masks.predict(0, np.zeros((6, 8), np.uint8), Predicted({1: 0.1}))
    with pytest.raises(Problem, match="no frame to go"):
        check(project, asked.model_copy(update={"reached": 0}))


def test_masks_with_the_id_of_a_deleted_object_are_renumbered(tmp_path):
    project = Project(tmp_path / "p", Record("name", "2025", state="ready", width=8, height=6, total=6))
    for _ in range(3):
        project.add_object(None, None, 5)
    project.masks.give(0, np.full((6, 8), 2, np.uint8))
    project.masks.predict(1, np.full((6, 8), 3, np.uint8), Predicted({3: 0.5}))
    for id in (1, 2, 3):
        project.delete_object(id)
    file = np.array([[0, 1, 2, 3, 4]], np.uint8)
    found = renumbered(project, MaskSet({5: file}, ObjectIds((1, 2, 3, 4)), {2: (1, 2, 3)}, ("said",)))
    assert found.masks[5].tolist() == [[0, 1, 5, 6, 4]] and found.ids.ids == (1, 4, 5, 6)
    assert found.colours == {5: (1, 2, 3)}
    assert found.notes == (
        "said", "Object 2 of the file is object 5 here: 2 was deleted.",
        "Object 3 of the file is object 6 here: 3 was deleted.",
    )  # fmt: skip
    with pytest.raises(Problem, match="All ids up to 254"):
        renumbered(project, MaskSet({5: file}, ObjectIds((2, 254))))


def test_a_zip_whose_list_of_members_is_a_bomb(tmp_path):
    path = tmp_path / "frames.zip"
    with zipfile.ZipFile(path, "w") as file:
        for index in range(8000):
            file.writestr(f"{'long' * 40}{index}.png", b"")
    with pytest.raises(Problem, match="list of its files has more than 1 MiB"):
        unpack(path, tmp_path / "images", Limits(zip_list=1 << 20), lambda done: None)
    with pytest.raises(Problem, match="8000 entries; at most 100"):
        unpack(path, tmp_path / "images", Limits(zip_members=100), lambda done: None)


def test_a_zip_of_an_unusual_kind(tmp_path):
    """Unpacking LZMA takes as much memory as the file asks for."""
    path = tmp_path / "frames.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("1.png", bytes(1000))
    with pytest.raises(Problem, match="unusual"):
        unpack(path, tmp_path / "images", Limits(), lambda done: None)


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


@pytest.mark.parametrize(
    "door, good, bad",
    [
        (
            Door("127.0.0.1", 8000),
            ["127.0.0.1:8000", "localhost:8000", "LocalHost:8000", "[::1]:8000", "127.0.0.2:8000"],
            ["127.0.0.1", "127.0.0.1:80", "localhost:8001", "evil:8000", "192.168.0.3:8000", "",
             "127.0.0.1:8000:8000", "localhost:8000, x", "localhost:٨٠٠٠", "[::1", "0x7f.1:8000", "127.0.0.1@x:8000"],
        ),
        (
            Door("0.0.0.0", 80, ("studio.lan",), "token"),
            ["192.168.0.3", "192.168.0.3:80", "studio.lan", "STUDIO.lan:80", "[fe80::1]", "[fe80::1]:80", "localhost"],
            ["evil", "evil.studio.lan", "192.168.0.3:8080", "studio.lan.", ""],
        ),
    ],
)  # fmt: skip
def test_which_hosts_a_door_knows(door, good, bad):
    assert [host for host in good if not door.knows(host)] == [] and [host for host in bad if door.knows(host)] == []


@given(
    st.lists(
        st.sampled_from(["/", "home", "me", ".", "..", "a b", ":", "x.mp4", "“q”", "'", "C:\\", "\\", "\n"]),
        max_size=12,
    )
)
def test_no_message_holds_the_way_to_a_file(parts):
    secret = Path("/srv/secret place/projects/0123/source")
    text = f"{secret}/video.mp4: broken ({''.join(parts)}) in /etc/passwd, file:/usr/lib/x.so and ~/.ssh/id"
    told = plain(ValueError(text), (secret / "video.mp4", "“walk.mp4”"), (secret, "the upload"))
    assert "“walk.mp4”: broken" in told
    assert not any(word in told for word in ("secret", "/etc", "passwd", "/usr", "x.so", ".ssh"))


@given(st.text(max_size=300))
def test_readable_names(name):
    found = readable(name)
    assert found and found.isprintable() and "/" not in found and "\\" not in found and len(found) <= 120


def test_sizes_in_words():
    assert [size(count) for count in (12, 1 << 10, 3 << 20, 8 << 30)] == ["12 bytes", "1 KiB", "3 MiB", "8 GiB"]


masks = st.lists(st.integers(0, 3), min_size=6, max_size=6).map(lambda ids: np.array(ids, np.uint8).reshape(2, 3))


@given(st.lists(st.tuples(st.sampled_from(["give", "predict", "clear given", "clear predicted"]), masks), max_size=8))
def test_mask_files_are_what_was_done_last_also_when_read_again(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("masks")
    files, mine, theirs, stated = MaskFiles(folder, (2, 3)), None, None, set()
    for what, ids in steps:
        if what == "give":
            before = shown(mine, theirs, stated)
            stated = (stated if mine is not None else set()) | set(np.unique(ids)) | set(np.unique(before))
            files.give(4, ids)
            mine = ids
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
    )
    texts = ("", "{}", "[]", json.dumps({"program": "other", "version": 1, "objects": [], "notes": []}))
    for text in (*texts, *(json.dumps(good | part) for part in broken)):
        (tmp_path / "p" / "project.json").write_text(text)
        with pytest.raises(DataError, match="project.json: no record"):
            Project(tmp_path / "p")


def test_grabcut_keeps_to_what_was_drawn(rng):
    image = rng.integers(0, 255, (50, 70, 3), np.uint8)  # nothing to go by
    inside = from_box(image, (10.4, 5, 40, 30))
    box = np.zeros((50, 70), bool)
    box[5:30, 10:40] = True
    assert not (inside & ~box).any()
    fore = Stroke(points=[(20, 20), (30, 20)], radius=2)
    back = Stroke(points=[(24, 26)], radius=3, foreground=False)
    found = from_strokes(image, [fore, back])
    assert found[20, 20:31].all() and not found[24:29, 22:27].any()
    with pytest.raises(Problem, match="on the object"):
        from_strokes(image, [back])


def test_events_keep_their_order_from_many_threads():
    async def listen() -> list[int]:
        events = Events()
        listeners = [events.listen(), events.listen()]
        await asyncio.gather(*(asyncio.to_thread(tell, events) for _ in range(4)))
        heard = [[json.loads(await one.get() or "{}")["seq"] for _ in range(401)] for one in listeners]
        assert heard[0] == heard[1]
        return heard[0]

    def tell(events: Events) -> None:
        for index in range(100):
            events.project_deleted(str(index))

    # In a thread of its own: the browser of other tests leaves a running loop in this one.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, listen()).result() == list(range(401))
