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

from camn.masks import MaskSet, ObjectIds, read_masks
from camn.projects.maskfiles import Predicted, encode
from camn.projects.problem import Problem
from camn.projects.project import Project
from camn.projects.record import Record
from camn.web.answers import plain
from camn.web.bodies import MaskFile, read_mask_file, renumbered
from camn.web.events import Events
from camn.web.file_names import readable
from camn.web.guard import Door
from camn.web.limits import Limits, size
from camn.web.zips import unpack


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


def test_what_a_mask_file_says_of_objects_that_cannot_be_seen_is_taken(tmp_path):
    project = Project(tmp_path / "p", Record("name", "2025", state="ready", width=8, height=6, total=6))
    project.count = 6
    mask = np.eye(6, 8, dtype=np.uint8)
    for ids, absent in (((1,), {}), ((1, 2, 5), {3: {2, 5}})):
        found, _ = read_mask_file(project, 3, MaskFile("000003.png", encode(mask, {"stated": ids})), 1 << 20)
        assert found.absent == absent and not found.notes and list(found.masks) == [3]


def test_classes_of_a_file_that_is_sent_are_not_called_after_lists_that_lie_above_the_projects(tmp_path):
    project = Project(tmp_path / "p", Record("name", "2025", state="ready", width=8, height=6, total=6))
    for folder in (tmp_path, project.folder):
        (folder / "classes.txt").write_text("secret")
    line = b"0 0.1 0.1 0.9 0.1 0.9 0.9\n"
    (tmp_path / "label.txt").write_bytes(line)
    assert read_masks(tmp_path / "label.txt", None, (6, 8)).names == {1: "secret"}
    found, _ = read_mask_file(project, 0, MaskFile("label.txt", line), 1 << 20)
    assert found.names == {} and not list(project.folder.glob(".load*"))


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
