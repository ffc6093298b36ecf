"""Folders here and behind URLs: the same names hold the same, and nothing is ever half there."""

import os

import pytest

from camn.cluster.places import beside, fetch, is_url, open_folder, read_bytes, stamp
from camn.errors import CamnError, DataError, OutputError


@pytest.fixture(params=["path", "file URL", "memory URL"])
def place(request, tmp_path):
    """An output folder; `memory` moves by copying and removing, as object storages do."""
    pytest.importorskip("fsspec")
    where = {"path": str(tmp_path), "file URL": f"file://{tmp_path}", "memory URL": f"memory://{tmp_path.name}"}
    return open_folder(where[request.param])


def make(place, name, text):
    with place.making(name) as folder:
        (folder / "masks").mkdir()
        (folder / "masks" / "0.png").write_text(text)
        (folder / "run.json").write_text("{}")


def test_a_folder_is_replaced_whole(place):
    for text in ("one", "two"):
        make(place, "v", text)
        assert place.read("v/masks/0.png") == text.encode() and place.read("v/run.json") == b"{}"
    with pytest.raises(KeyError), place.making("v") as folder:
        (folder / "masks").mkdir()
        raise KeyError
    assert place.read("v/masks/0.png") == b"two"
    make(place, ".v.parts/000000", "part")
    assert place.read(".v.parts/000000/masks/0.png") == b"part"
    place.remove(".v.parts")
    assert place.read(".v.parts/000000/masks/0.png") is None and place.read("v/run.json") == b"{}"


def test_files(place):
    assert place.read("_batch/x.json") is None
    place.remove("_batch/x.json")
    for data in (b"1", b"22"):
        place.write("_batch/x.json", data)
        assert place.read("_batch/x.json") == data
    place.remove("_batch/x.json")
    assert place.read("_batch/x.json") is None


def test_what_a_killed_process_left_goes(tmp_path):
    (tmp_path / ".v.0123.part").mkdir()
    (tmp_path / ".w.0123.part").mkdir()
    make(open_folder(str(tmp_path)), "v", "one")
    assert sorted(os.listdir(tmp_path)) == [".w.0123.part", "v"]


def test_a_folder_of_others_is_left_alone(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "thesis.txt").write_text("years")
    with pytest.raises(OutputError, match="is there already and not of camn"):
        make(open_folder(str(tmp_path)), "v", "one")
    assert os.listdir(tmp_path / "v") == ["thesis.txt"]


def test_stamps_tell_changes(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "0.png").write_text("a")
    for where in (str(folder), f"file://{folder}", str(folder / "0.png"), f"file://{folder}/0.png"):
        os.utime(folder / "0.png", ns=(10**18, 10**18))
        first = stamp(where)
        assert first and stamp(where) == first
        os.utime(folder / "0.png", ns=(10**18 + 10**10, 10**18 + 10**10))
        assert stamp(where) not in (first, None)
        assert stamp(where + "x") is None


def test_fetching(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "0.png").write_text("a")
    assert fetch(str(folder), tmp_path / "own") == folder and not (tmp_path / "own").exists()
    got = fetch(f"file://{folder}", tmp_path / "own")
    assert got == tmp_path / "own" / "frames" and (got / "0.png").read_text() == "a"
    assert fetch(f"file://{folder}/0.png", tmp_path / "own").read_text() == "a"
    assert read_bytes(f"file://{folder}/0.png") == read_bytes(str(folder / "0.png")) == b"a"
    with pytest.raises(DataError, match="no such file or folder"):
        fetch(f"file://{folder}/1.png", tmp_path / "own")
    with pytest.raises(CamnError, match="nowhere://x: cannot be reached"):
        fetch("nowhere://x", tmp_path / "own")


def test_names_beside():
    assert is_url("s3://b/k") and not is_url("/a/b") and not is_url("a:b.mp4")
    assert beside("/a", "b/c") == "/a/b/c" and beside("/a", "/b") == "/b" and beside("/a", "s3://b") == "s3://b"
    assert beside("s3://b/k", "x/y") == "s3://b/k/x/y"
