"""Folders here and behind URLs: the same names hold the same, and nothing is ever half there."""

import os

import pytest

from camn.cluster.folders import open_folder
from camn.errors import OutputError
from camn.files import alone


@pytest.fixture(params=["path", "file URL", "memory URL", "ftp URL"])
def place(request, tmp_path):
    """An output folder; `memory` moves by copying and removing, as object storages do."""
    pytest.importorskip("fsspec")
    if request.param == "ftp URL":
        return open_folder(f"{request.getfixturevalue('ftp').url}/{tmp_path.name}")
    where = {"path": str(tmp_path), "file URL": f"file://{tmp_path}", "memory URL": f"memory://{tmp_path.name}"}
    return open_folder(where[request.param])


def make(place, name, text):
    with place.making(name) as folder:
        (folder / "masks").mkdir()
        (folder / "masks" / "0.png").write_text(text)
        (folder / "run.json").write_text("{}")


def test_a_folder_is_replaced_whole(place):
    assert not place.has("v")
    for text in ("one", "two"):
        make(place, "v", text)
        assert place.read("v/masks/0.png") == text.encode() and place.read("v/run.json") == b"{}"
        assert place.read("v.json") is None and place.has("v")
        place.write("v.json", b"record")
    with pytest.raises(KeyError), place.making("v") as folder:
        (folder / "masks").mkdir()
        raise KeyError
    assert place.read("v/masks/0.png") == b"two" and place.read("v.json") == b"record"
    make(place, ".v.parts/000000", "part")
    assert place.read(".v.parts/000000/masks/0.png") == b"part"
    place.remove(".v.parts")
    assert place.read(".v.parts/000000/masks/0.png") is None and place.has("v") and not place.has(".v.parts")


def test_files(place):
    assert place.read("_batch/x.json") is None
    place.remove("_batch/x.json")
    for data in (b"1", b"22"):
        place.write("_batch/x.json", data)
        assert place.read("_batch/x.json") == data
    place.remove("_batch/x.json")
    assert place.read("_batch/x.json") is None


def test_what_a_killed_process_left_goes(place):
    """Of the folder that is made again, and of no other, whatever that is called; also what was moved in part."""
    for name in ("v", "v.1", "w"):
        place.write(f".{name}.part/0123/masks/0.png", b"left")
    place.write("v/masks/7.png", b"moved")
    if not os.path.isdir(place.path):  # there a folder is renamed in one go
        make(place, "v", "one")
        assert place.read("v/masks/7.png") is None and place.has("v")
        place.write("w/masks/7.png", b"moved")
        place.sweep("w")
        assert place.read("w/masks/7.png") is None and place.read(".w.part/0123/masks/0.png") is None
    place.sweep("v")
    assert place.read(".v.part/0123/masks/0.png") is None
    assert place.read(".v.1.part/0123/masks/0.png") == b"left"


def test_a_folder_of_others_is_left_alone(place):
    place.write("v/thesis.txt", b"years")
    with pytest.raises(OutputError, match="is there already and not of camn"):
        make(place, "v", "one")
    place.sweep("v")
    assert place.read("v/thesis.txt") == b"years" and place.read("v/run.json") is None


def test_a_folder_that_a_run_writes_to_meanwhile_is_left_alone(tmp_path):
    place = open_folder(str(tmp_path))
    make(place, "v", "one")
    place.write("v.json", b"record")
    with alone(tmp_path / "v"), pytest.raises(OutputError, match="v: another run is writing here"):
        make(place, "v", "two")
    assert place.read("v/masks/0.png") == b"one" and place.read("v.json") == b"record"
    make(place, "v", "two")
    assert place.read("v/masks/0.png") == b"two" and sorted(os.listdir(tmp_path)) == ["v"]
    assert sorted(os.listdir(tmp_path / "v")) == ["masks", "run.json"]


def test_links_in_place_of_folders(tmp_path):
    """What a link leads to is not touched; one that leads nowhere is somebody's, too."""
    place, other = open_folder(str(tmp_path / "out")), tmp_path / "other"
    make(open_folder(str(other)), "v", "one")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "v").symlink_to(other / "v")
    (tmp_path / "out" / "w").symlink_to(other / "none")
    make(place, "v", "two")
    assert place.read("v/masks/0.png") == b"two" and (other / "v" / "masks" / "0.png").read_text() == "one"
    with pytest.raises(OutputError, match="w: is there already and not of camn"):
        make(place, "w", "two")


def test_a_connection_that_is_lost_meanwhile(ftp, tmp_path):
    """A video may take hours: its outputs are sent again."""
    place = open_folder(f"{ftp.url}/{tmp_path.name}")
    with place.making("v") as folder:
        (folder / "run.json").write_text("{}")
        ftp.restart()
    assert place.has("v")


def test_a_storage_that_cannot_be_reached():
    pytest.importorskip("fsspec")
    with pytest.raises(OutputError, match="ftp://127.0.0.1:9/out: cannot be written .Connection refused"):
        open_folder("ftp://127.0.0.1:9/out")


def test_a_record_that_cannot_be_read(tmp_path):
    (tmp_path / "v.json").mkdir()
    with pytest.raises(OutputError, match="v.json: cannot be read .Is a directory"):
        open_folder(str(tmp_path)).read("v.json")
